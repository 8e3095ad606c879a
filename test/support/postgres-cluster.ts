import { type ChildProcess, execFile } from 'node:child_process';
import { once } from 'node:events';
import { chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort, makeCluster, startServer } from '../../src/runtime/postgres-server.ts';
import { until } from './until.ts';

/** A PostgreSQL of a test's own that can be killed, started again, copied into a standby and promoted. */
export class PostgresCluster {
  readonly port: number;
  readonly dataDir: string;
  readonly #settings: Readonly<Record<string, string>>;
  #server: ChildProcess | undefined;
  readonly #killOnExit = () => this.#server?.kill('SIGKILL');

  private constructor(dataDir: string, port: number, settings: Readonly<Record<string, string>>) {
    this.dataDir = dataDir;
    this.port = port;
    this.#settings = settings;
    process.once('exit', this.#killOnExit);
  }

  /** An empty cluster, started. */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<PostgresCluster> {
    const cluster = new PostgresCluster(await makeCluster(), await freePort(), settings);
    await cluster.start();
    return cluster;
  }

  /** postgres:// URL of a database of it. */
  url(database = 'postgres'): string {
    return `postgres://postgres@127.0.0.1:${this.port}/${database}`;
  }

  /** Starts the server, also where one was killed: then once the last process of that one is gone. */
  async start(): Promise<void> {
    await until(
      'the server of this cluster starts',
      async () => {
        this.#server = await startServer({
          dataDir: this.dataDir,
          port: this.port,
          settings: this.#settings,
        }).catch((error: Error) => {
          if (!/still in use|being used|lock file/.test(error.message)) throw error;
          return undefined;
        });
        return this.#server !== undefined;
      },
      60_000,
    );
  }

  /** kill -9 of the server; its backends end when they notice. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL');
  }

  /** Orderly shutdown that throws sessions out. */
  async stop(): Promise<void> {
    await this.#end('SIGINT');
  }

  /** Stops it and takes its data away. */
  async remove(): Promise<void> {
    await this.stop();
    process.removeListener('exit', this.#killOnExit);
    await rm(this.dataDir, { recursive: true, force: true });
  }

  /** A standby that streams from it. */
  async startStandby(): Promise<PostgresCluster> {
    const dataDir = await mkdtemp(join(tmpdir(), 'tocsin-standby-'));
    let label = '';
    await this.#run(async (client) => {
      await client.query("select pg_backup_start('standby', true)");
      // With owners and rights, which Node's own copying leaves behind.
      await promisify(execFile)('cp', ['-a', `${this.dataDir}/.`, dataDir]);
      await rm(join(dataDir, 'postmaster.pid'));
      const { rows } = await client.query<{ labelfile: string }>('select labelfile from pg_backup_stop(false)');
      label = rows[0]?.labelfile ?? '';
    });
    const { uid, gid } = await stat(this.dataDir);
    for (const [name, content] of Object.entries({ backup_label: label, 'standby.signal': '' })) {
      await writeFile(join(dataDir, name), content);
      await chown(join(dataDir, name), uid, gid);
    }
    const standby = new PostgresCluster(dataDir, await freePort(), {
      ...this.#settings,
      wal_retrieve_retry_interval: '100ms',
      primary_conninfo: `host=127.0.0.1 port=${this.port} user=postgres application_name=standby`,
    });
    await standby.start();
    return standby;
  }

  /** Makes a standby the primary. */
  async promote(): Promise<void> {
    await this.#run((client) => client.query('select pg_promote(true)'));
  }

  async #run(work: (client: pg.Client) => Promise<unknown>): Promise<void> {
    const client = new pg.Client({ connectionString: this.url() });
    await client.connect();
    try {
      await work(client);
    } finally {
      await client.end();
    }
  }

  async #end(signal: 'SIGKILL' | 'SIGINT'): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const exited = once(server, 'exit');
    server.kill(signal);
    await exited;
  }
}
