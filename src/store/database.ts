import { sql } from 'drizzle-orm';
import { drizzle, type NodePgDatabase, type NodePgQueryResultHKT } from 'drizzle-orm/node-postgres';
import type { PgDatabase } from 'drizzle-orm/pg-core';
import pg from 'pg';
import { idleInTransactionMs, promptly } from './connection.ts';
import { isReadOnly, isUnanswered } from './database-trouble.ts';
import * as schema from './schema.ts';

/** Reads and writes through drizzle: the pool, or one transaction. */
export type Orm = Pick<
  PgDatabase<NodePgQueryResultHKT, Record<string, unknown>>,
  'select' | 'selectDistinct' | 'insert' | 'update' | 'delete' | 'execute'
>;

/** A caller's own transaction: a connected `pg` client inside `begin`, or a drizzle (node-postgres) transaction. */
export type Transaction = pg.ClientBase | Orm;

/** The connection to the database, shared by everything in one process. */
export type Database = {
  readonly pool: pg.Pool;
  readonly orm: NodePgDatabase<typeof schema>;
  /** Where it connects, for connections that must not come from the pool (LISTEN, drain). */
  readonly connectionConfig: pg.ClientConfig;
  /**
   * Runs `work` in a transaction of its own: commits when it resolves, rolls back when it rejects. `begin` is what begins it,
   * for settings that hold until it ends and travel with it.
   */
  readonly transaction: <T>(
    work: (tx: Orm, client: pg.PoolClient) => Promise<T>,
    options?: { readonly begin?: string },
  ) => Promise<T>;
  readonly close: () => Promise<void>;
};

export type DatabaseOptions = {
  /** postgres:// URL. */
  readonly databaseUrl: string;
  /** Most connections of the pool. */
  readonly poolSize?: number;
  readonly applicationName?: string;
  /** Told about errors of idle connections: PostgreSQL restarting, a network cut. The pool replaces them by itself. */
  readonly onIdleError?: (error: Error) => void;
};

const connectionTimeoutMs = 5_000;
const queryTimeoutMs = 60_000;

/** Opens a pool. Nothing connects before the first query. */
export function openDatabase(options: DatabaseOptions): Database {
  const connectionConfig: pg.ClientConfig = {
    connectionString: options.databaseUrl,
    application_name: options.applicationName ?? 'tocsin',
    connectionTimeoutMillis: connectionTimeoutMs,
    query_timeout: queryTimeoutMs,
    keepAlive: true,
  };
  const pool = new pg.Pool({ ...connectionConfig, max: options.poolSize ?? 10 });
  // Without a listener an idle connection that dies ends the process.
  pool.on('error', (error) => options.onIdleError?.(error));
  // So does one that is out, or just made, and dies while nothing is asked of it. What it is asked next says so.
  pool.on('connect', (client) => client.on('error', () => undefined));
  const orm = drizzle(pool, { schema });

  async function transaction<T>(
    work: (tx: Orm, client: pg.PoolClient) => Promise<T>,
    { begin = 'begin' }: { readonly begin?: string } = {},
  ): Promise<T> {
    const client = await pool.connect();
    let broken: Error | undefined;
    try {
      const bounded = `${begin}; set local idle_in_transaction_session_timeout = ${idleInTransactionMs}`;
      await client.query({ ...promptly, text: bounded });
      const result = await work(drizzle(client), client);
      await client.query('commit');
      return result;
    } catch (error) {
      // A server that takes no writes may not be the one that the URL leads to any more.
      if (isReadOnly(error) || isUnanswered(error)) broken = error as Error;
      else {
        await client.query({ ...promptly, text: 'rollback' }).catch((rollbackError: Error) => {
          broken = rollbackError;
        });
      }
      throw error;
    } finally {
      client.release(broken);
    }
  }

  return { pool, orm, connectionConfig, transaction, close: () => pool.end() };
}

/** The caller's transaction as drizzle, or the pool when there is none. */
export function ormOf(database: Database, tx: Transaction | undefined): Orm {
  if (tx === undefined) return database.orm;
  return isDrizzle(tx) ? tx : (drizzle(tx as pg.PoolClient, { schema }) as Orm);
}

/** Runs `work` in the caller's transaction if there is one, else in one of its own. */
export async function inTransaction<T>(
  database: Database,
  tx: Transaction | undefined,
  work: (tx: Orm) => Promise<T>,
): Promise<T> {
  return tx === undefined ? database.transaction(work) : work(ormOf(database, tx));
}

function isDrizzle(tx: Transaction): tx is Orm {
  return 'select' in tx && 'execute' in tx;
}

/**
 * Moves the version of all definitions on by one and answers it. Held until the transaction ends, so versions become
 * visible in order: what a cache loads with `changed_at_version > seen` is complete.
 */
export async function bumpDefinitionsVersion(tx: Orm): Promise<number> {
  const rows = await tx
    .update(schema.definitionsVersion)
    .set({ version: sql`${schema.definitionsVersion.version} + 1` })
    .where(sql`${schema.definitionsVersion.onlyRow}`)
    .returning({ version: schema.definitionsVersion.version });
  const row = rows[0];
  if (!row) throw new Error('tocsin.definitions_version has no row: run `tocsin migrate`');
  return row.version;
}
