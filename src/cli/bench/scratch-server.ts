import { type Database, openDatabase } from '../../store/database.ts';
import { nodeCpuMs } from './machine.ts';

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

export type ScratchServerOptions = {
  /** A database of the server, by a login that may create others. */
  readonly databaseUrl: string;
  /** What the scratch databases are called, before a number. */
  readonly prefix: string;
  /** Settings that a reader must know, beside those that are always told. */
  readonly settings?: readonly string[];
  /** CPU time that the server has used so far, ms; null where it cannot be told. Default: it cannot. */
  readonly serverCpuMs?: () => Promise<number | null>;
};

/** A PostgreSQL on which scratch databases are made and work is measured. */
export class ScratchServer {
  readonly #options: ScratchServerOptions;
  readonly #admin: Database;
  readonly #scratch = new Set<string>();
  #made = 0;

  constructor(options: ScratchServerOptions) {
    this.#options = options;
    this.#admin = openDatabase({ databaseUrl: options.databaseUrl, applicationName: 'tocsin bench' });
  }

  /** Drops what scratch databases are left, and disconnects. */
  async close(): Promise<void> {
    for (const name of this.#scratch) await this.#drop(name);
    await this.#admin.close();
  }

  /** Settings that matter, as the server tells them. */
  async settings(): Promise<Record<string, string>> {
    const names = [...(this.#options.settings ?? []), ...settingsTold];
    const { rows } = await this.#admin.pool.query<{ name: string; value: string }>(
      'select name, current_setting(name) as value from unnest($1::text[]) as name',
      [names],
    );
    return Object.fromEntries(rows.map(({ name, value }) => [name, value]));
  }

  /** A new database; with `template` a copy of that one, to which nobody may be connected. */
  async createDatabase(template = 'template0'): Promise<ScratchDatabase> {
    this.#made += 1;
    const name = `${this.#options.prefix}_${this.#made}`;
    await this.#admin.pool.query(`create database ${name} template ${template} strategy file_copy`);
    this.#scratch.add(name);
    const url = databaseNamed(this.#options.databaseUrl, name);
    const database = openDatabase({ databaseUrl: url });
    let isOpen = true;
    const close = async () => {
      if (isOpen) await database.close();
      isOpen = false;
    };
    const drop = async () => {
      await close();
      await this.#drop(name);
    };
    return { name, url, database, close, drop };
  }

  async #drop(name: string): Promise<void> {
    await this.#admin.pool.query(`drop database if exists ${name} with (force)`);
    this.#scratch.delete(name);
  }

  /** Runs `work` after a checkpoint, and tells what it cost this process and the server. */
  async measure(work: () => Promise<unknown>): Promise<Usage> {
    return (await this.measureWith(work)).usage;
  }

  /** The same, with what `work` answers. */
  async measureWith<T>(work: () => Promise<T>): Promise<{ usage: Usage; result: T }> {
    // Only some may: then a checkpoint falls into what is measured or not.
    await this.#admin.pool.query('checkpoint').catch(() => undefined);
    const before = await this.#state();
    const startedAt = performance.now();
    const result = await work();
    const ms = performance.now() - startedAt;
    const after = await this.#state();
    const usage = {
      ms,
      nodeMs: after.nodeMs - before.nodeMs,
      serverMs: after.serverMs === null || before.serverMs === null ? null : after.serverMs - before.serverMs,
      walBytes: after.walBytes - before.walBytes,
    };
    return { usage, result };
  }

  async #state(): Promise<{ nodeMs: number; serverMs: number | null; walBytes: number }> {
    const { rows } = await this.#admin.pool.query<{ bytes: number }>(
      `select (pg_current_wal_insert_lsn() - '0/0')::float8 as bytes`,
    );
    const serverMs = (await this.#options.serverCpuMs?.()) ?? null;
    return { walBytes: rows[0]?.bytes ?? 0, serverMs, nodeMs: nodeCpuMs() };
  }
}

const settingsTold = ['server_version', 'fsync', 'synchronous_commit', 'full_page_writes', 'autovacuum'];

/** The URL of another database of the same server. */
function databaseNamed(databaseUrl: string, name: string): string {
  const url = new URL(databaseUrl);
  url.pathname = `/${name}`;
  return url.href;
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
