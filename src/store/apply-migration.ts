import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import { WorkflowError } from '../errors.ts';
import { sqlState } from './bounded-read.ts';
import { buildIndex, isConcurrent } from './build-index.ts';
import type { Database } from './database.ts';
import { LockWatch } from './lock-holders.ts';

/** A file of `migrations/`. */
export type Migration = {
  readonly statements: readonly string[];
  readonly hash: string;
  /** The moment that the journal names it by, ms since 1970. */
  readonly createdAt: number;
};

export type ApplyOptions = {
  readonly database: Database;
  /** Connected, and nobody else's. */
  readonly client: pg.Client;
  readonly migration: Migration;
  /** How long writers may have to wait behind us, ms. */
  readonly lockTimeoutMs: number;
  /** For how long locks are tried for, ms. */
  readonly patienceMs: number;
  readonly onWait: (message: string) => void;
};

/** Between two tries, so that those who waited behind us get their turn. */
const pauseMs = 1_000;
/** What is left for each lock at least, once the others are there. */
const shortestWaitMs = 50;
const lockNotAvailable = '55P03';
const deadlockDetected = '40P01';

/**
 * Applies one migration and notes it.
 *
 * Whoever waits for a lock on a table holds up everybody who comes after, and whoever has one holds up the rest. So a migration
 * waits for all its locks together no longer than `lockTimeoutMs`, gives everything back when that was not enough, lets the
 * others pass and tries again. It is sent as one message: no client can fall asleep or die with a lock in its hands.
 *
 * Indexes of tables that are there are built beside the writers (`concurrently`), outside of a transaction.
 *
 * @throws WorkflowError `timeout` when it gets no lock within `patienceMs`, naming who has it
 */
export async function applyMigration(options: ApplyOptions): Promise<void> {
  const { migration, client } = options;
  const concurrent = migration.statements.filter(isConcurrent);
  if (concurrent.length === 0) {
    await tryForLocks(options, () => client.query(asTransaction(options)));
    return;
  }
  if (concurrent.length < migration.statements.length) {
    throw new Error('a migration builds indexes concurrently, or does something else: make two of it');
  }
  for (const statement of concurrent) {
    await tryForLocks(options, () => buildIndex(client, statement, options));
  }
  const { hash, createdAt } = migration;
  await client.query('insert into tocsin.migrations (hash, created_at) values ($1, $2)', [hash, createdAt]);
}

function asTransaction({ migration, lockTimeoutMs }: ApplyOptions): string {
  const { statements, hash, createdAt } = migration;
  const whatIsLeft = `
    select pg_catalog.set_config(
      'lock_timeout',
      greatest(${shortestWaitMs}, ${lockTimeoutMs} - extract(epoch from clock_timestamp() - now()) * 1000)::int::text,
      true)`;
  return [
    'begin',
    ...statements.flatMap((statement) => [whatIsLeft, statement]),
    `insert into tocsin.migrations (hash, created_at) values ('${hash}', ${createdAt})`,
    'commit',
  ].join('\n;\n');
}

/** Runs `work` until it gets its locks. */
async function tryForLocks(options: ApplyOptions, work: () => Promise<unknown>): Promise<void> {
  const { client, database, lockTimeoutMs, patienceMs, onWait } = options;
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const watch = await LockWatch.start(database.pool, client, { everyMs: Math.min(250, lockTimeoutMs / 4) });
    try {
      await work();
      return;
    } catch (error) {
      await client.query('rollback').catch(() => undefined);
      const code = sqlState(error);
      if (code !== lockNotAvailable && code !== deadlockDetected) throw error;
      const seen = await watch.stop();
      if (performance.now() + pauseMs > deadline) {
        const message = `the migration did not get its locks: ${seen}. Nothing of it was done: end that, or migrate again later`;
        throw new WorkflowError('timeout', message, { cause: error });
      }
      onWait(`the migration waits for a lock and tries again: ${seen}`);
    } finally {
      await watch.stop();
    }
    await wait(pauseMs);
  }
}
