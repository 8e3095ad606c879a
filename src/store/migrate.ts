import { fileURLToPath } from 'node:url';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate as applyMigrations } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import { WorkflowError } from '../errors.ts';
import { sqlState } from './bounded-read.ts';
import type { Database } from './database.ts';

const migrationsFolder = fileURLToPath(new URL('../../migrations', import.meta.url));
const migrationsConfig = { migrationsFolder, migrationsSchema: 'tocsin', migrationsTable: 'migrations' };

/** Any number that nobody else locks: "tocsin" in ASCII, shortened. */
const migrationLock = 7461637369;

/**
 * Brings schema `tocsin` up to date: plain SQL from `migrations/`, in one transaction, under an advisory lock, so that
 * several processes may start at once.
 *
 * @returns how many migrations were applied
 * @throws WorkflowError `not_allowed` with the SQL that a superuser has to run, when the login may not make the roles
 */
export async function migrate(database: Database): Promise<number> {
  const client = new pg.Client(database.connectionConfig);
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [migrationLock]);
    await client.query("set lock_timeout = '10s'");
    const before = await appliedMigrations(client);
    await applyMigrations(drizzle(client), migrationsConfig).catch(explain);
    return (await appliedMigrations(client)) - before;
  } finally {
    await client.end();
  }
}

/** What a migration refuses for want of rights says itself what to do. */
function explain(error: unknown): never {
  const said = error instanceof Error && error.cause instanceof Error ? error.cause : error;
  if (sqlState(error) !== '42501' || !(said instanceof Error)) throw error;
  throw new WorkflowError('not_allowed', said.message, { cause: error });
}

/** How many of the migrations this version knows are missing in the database. */
export async function pendingMigrations(database: Database): Promise<number> {
  return readMigrationFiles(migrationsConfig).length - (await appliedMigrations(database.pool));
}

async function appliedMigrations(client: pg.Pool | pg.Client): Promise<number> {
  const exists = await client.query("select to_regclass('tocsin.migrations') is not null as exists");
  if (!exists.rows[0].exists) return 0;
  const count = await client.query('select count(*)::int as count from tocsin.migrations');
  return count.rows[0].count;
}
