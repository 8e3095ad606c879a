import { fileURLToPath } from 'node:url';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate as applyMigrations } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
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
 */
export async function migrate(database: Database): Promise<number> {
  const client = new pg.Client(database.connectionConfig);
  client.on('error', () => undefined);
  await client.connect();
  try {
    await client.query('select pg_advisory_lock($1)', [migrationLock]);
    await client.query("set lock_timeout = '10s'");
    const before = await appliedMigrations(client);
    await applyMigrations(drizzle(client), migrationsConfig);
    return (await appliedMigrations(client)) - before;
  } finally {
    await client.end();
  }
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
