import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/runtime/embedded-postgres.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { nodeCpuMs, serverCpuMs } from './cpu-time.ts';

/** What the whole run uses. fsync, synchronous_commit, full_page_writes and autovacuum stay as they are: on. */
const settings = {
  shared_buffers: '512MB',
  max_wal_size: '4GB',
  checkpoint_timeout: '30min',
  max_connections: '200',
};

/** What a piece of work cost. */
export type Usage = {
  readonly ms: number;
  /** CPU time of this process. */
  readonly nodeMs: number;
  /** CPU time of PostgreSQL; null where it cannot be told. */
  readonly serverMs: number | null;
  readonly walBytes: number;
};

/** A database that is dropped after use. */
export type ScratchDatabase = {
  readonly name: string;
  readonly url: string;
  readonly database: Database;
  /** Closes its connections, so that it can be copied. */
  readonly close: () => Promise<void>;
  readonly drop: () => Promise<void>;
};

/** The PostgreSQL of a run, with what it takes to measure on it. */
export class BenchServer {
  readonly #postgres: EmbeddedPostgres;
  readonly #admin: Database;
  #databases = 0;

  private constructor(postgres: EmbeddedPostgres) {
    this.#postgres = postgres;
    this.#admin = openDatabase({ databaseUrl: postgres.connectionString });
  }

  static async start(): Promise<BenchServer> {
    return new BenchServer(await startEmbeddedPostgres({ settings }));
  }

  async stop(): Promise<void> {
    await this.#admin.close();
    await this.#postgres.stop();
  }

  /** Settings that matter, as the server tells them. */
  async settings(): Promise<Record<string, string>> {
    const names = [
      ...Object.keys(settings),
      'server_version',
      'fsync',
      'synchronous_commit',
      'full_page_writes',
      'autovacuum',
    ];
    const { rows } = await this.#admin.pool.query<{ name: string; value: string }>(
      'select name, current_setting(name) as value from unnest($1::text[]) as name',
      [names],
    );
    return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
  }

  /** A new database; with `template` a copy of that one, to which nobody may be connected. */
  async createDatabase(template = 'template0'): Promise<ScratchDatabase> {
    this.#databases += 1;
    const name = `bench_${this.#databases}`;
    await this.#admin.pool.query(`create database ${name} template ${template} strategy file_copy`);
    const url = this.#postgres.connectionString.replace(/postgres$/, name);
    const database = openDatabase({ databaseUrl: url });
    let isOpen = true;
    const close = async () => {
      if (isOpen) await database.close();
      isOpen = false;
    };
    const drop = async () => {
      await close();
      await this.#admin.pool.query(`drop database ${name} with (force)`);
    };
    return { name, url, database, close, drop };
  }

  /** Runs `work` after a checkpoint, and tells what it cost this process and the server. */
  async measure(work: () => Promise<unknown>): Promise<Usage> {
    await this.#admin.pool.query('checkpoint');
    const before = await this.#state();
    const startedAt = performance.now();
    await work();
    const ms = performance.now() - startedAt;
    const after = await this.#state();
    return {
      ms,
      nodeMs: after.nodeMs - before.nodeMs,
      serverMs: after.serverMs === null || before.serverMs === null ? null : after.serverMs - before.serverMs,
      walBytes: after.walBytes - before.walBytes,
    };
  }

  async #state(): Promise<{ nodeMs: number; serverMs: number | null; walBytes: number }> {
    const { rows } = await this.#admin.pool.query<{ bytes: number }>(
      `select (pg_current_wal_insert_lsn() - '0/0')::float8 as bytes`,
    );
    return { walBytes: rows[0]?.bytes ?? 0, serverMs: await serverCpuMs(this.#postgres.pid), nodeMs: nodeCpuMs() };
  }
}

/** Costs as figures of one unit of work: CPU of Node and of PostgreSQL, units per second of both, write-ahead log. */
export function usagePer(unit: string, count: number, { nodeMs, serverMs, walBytes }: Usage): Record<string, number> {
  const ofServer =
    serverMs === null
      ? {}
      : {
          [`PostgreSQL us/${unit}`]: (serverMs * 1000) / count,
          [`${unit}s/CPU s`]: (count / (nodeMs + serverMs)) * 1000,
        };
  return { [`Node us/${unit}`]: (nodeMs * 1000) / count, ...ofServer, [`WAL B/${unit}`]: walBytes / count };
}
