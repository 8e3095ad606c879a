import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import pg from 'pg';
import { WorkflowError } from '../errors.ts';
import { applyMigration, type Migration } from './apply-migration.ts';
import { sqlState } from './bounded-read.ts';
import type { Database } from './database.ts';
import { advisoryLockHolders, describeSessions } from './lock-holders.ts';

/** How `migrate` goes about locks that others have. */
export type MigrateOptions = {
  /** How long writers may have to wait behind a migration that waits for its locks, ms. Default 2,000. */
  readonly lockTimeoutMs?: number;
  /** For how long it tries to get the locks of one migration, or its turn, ms. Default 60,000. */
  readonly patienceMs?: number;
  /** Told in a sentence what is waited for, each time it is tried again. */
  readonly onWait?: (message: string) => void;
  /** Where the migrations are; default those of this version. */
  readonly migrationsFolder?: string;
};

const ownMigrations = fileURLToPath(new URL('../../migrations', import.meta.url));
const triesPerSecond = 5;

/** Any number that nobody else locks: "tocsin" in ASCII, shortened. */
const migrationLock = 7461637369;

/**
 * Brings schema `tocsin` up to date with plain SQL from `migrations/`, while writers write and workers of the version before
 * work. Each migration is a transaction of its own that stands whole or not at all, or builds indexes beside the writers and
 * goes on where it was stopped. One process migrates at a time; others that start at once wait for it.
 *
 * @returns how many migrations were applied
 * @throws WorkflowError `timeout` naming who holds what it could not lock: nothing is half done, migrate again
 * @throws WorkflowError `not_allowed` with the SQL that a superuser has to run, when the login may not make the roles
 */
export async function migrate(database: Database, options: MigrateOptions = {}): Promise<number> {
  const { lockTimeoutMs = 2_000, patienceMs = 60_000, onWait = () => undefined } = options;
  const client = new pg.Client({
    ...database.connectionConfig,
    application_name: 'tocsin migrate',
    // Indexes of large tables take as long as they take.
    query_timeout: 0,
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    await prepareSession(client);
    await takeTurn(client, { patienceMs, onWait });
    const missing = await missingMigrations(client, options.migrationsFolder);
    for (const migration of missing) {
      await applyMigration({ database, client, migration, lockTimeoutMs, patienceMs, onWait }).catch(explain);
    }
    return missing.length;
  } finally {
    await client.end();
  }
}

/** How many of the migrations this version knows are missing in the database; negative when it has some of a newer version. */
export async function pendingMigrations(database: Database): Promise<number> {
  const applied = await appliedMigrations(database.pool);
  const missing = knownMigrations().filter(({ createdAt }) => !applied.has(createdAt)).length;
  return missing > 0 ? missing : knownMigrations().length - applied.size;
}

async function prepareSession(client: pg.Client): Promise<void> {
  await client.query('set statement_timeout = 0; set lock_timeout = 0');
  // So that what a killed process was doing ends soon; not every system can tell.
  await client.query("set client_connection_check_interval = '1s'").catch(() => undefined);
}

/**
 * Waits until no other process migrates. Asks again and again, because who waits for a lock has a snapshot, and the other one
 * would wait for that before its index is valid.
 */
async function takeTurn(
  client: pg.Client,
  { patienceMs, onWait }: Required<Pick<MigrateOptions, 'patienceMs' | 'onWait'>>,
): Promise<void> {
  const deadline = performance.now() + patienceMs;
  let isSaid = false;
  for (;;) {
    const { rows } = await client.query('select pg_try_advisory_lock($1) as "isOurs"', [migrationLock]);
    if (rows[0].isOurs) return;
    const isLast = performance.now() > deadline;
    if (isLast || !isSaid) {
      const holders = describeSessions(await advisoryLockHolders(client, migrationLock));
      if (isLast)
        throw new WorkflowError('timeout', `another process migrates: ${holders}. Migrate again when it is done`);
      onWait(`another process migrates, waiting for it: ${holders}`);
      isSaid = true;
    }
    await wait(1_000 / triesPerSecond);
  }
}

/** What a migration refuses for want of rights says itself what to do. */
function explain(error: unknown): never {
  if (sqlState(error) !== '42501' || !(error instanceof Error)) throw error;
  throw new WorkflowError('not_allowed', error.message, { cause: error });
}

async function missingMigrations(client: pg.Client, folder: string | undefined): Promise<Migration[]> {
  const applied = await appliedMigrations(client);
  const missing = knownMigrations(folder).filter(({ createdAt }) => !applied.has(createdAt));
  if (applied.size === 0 && missing.length > 0) {
    await client.query('create schema if not exists tocsin');
    await client.query(
      'create table if not exists tocsin.migrations (id serial primary key, hash text not null, created_at bigint)',
    );
  }
  return missing;
}

function knownMigrations(migrationsFolder = ownMigrations): Migration[] {
  return readMigrationFiles({ migrationsFolder }).map(({ sql, hash, folderMillis }) => ({
    statements: sql,
    hash,
    createdAt: folderMillis,
  }));
}

/** The moments that name the migrations that stand, as their journal has them. */
async function appliedMigrations(client: pg.Pool | pg.Client): Promise<ReadonlySet<number>> {
  const exists = await client.query("select to_regclass('tocsin.migrations') is not null as exists");
  if (!exists.rows[0].exists) return new Set();
  const { rows } = await client.query('select created_at::float8 as "createdAt" from tocsin.migrations');
  return new Set(rows.map(({ createdAt }) => createdAt));
}
