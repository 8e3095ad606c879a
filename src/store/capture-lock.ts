import type { Runner } from './connection.ts';

/** Longest wait for a lock on a host table, ms: as long as writers may have to wait behind us. */
const lockTimeoutMs = 1_000;

/**
 * Begins a change of captures in the transaction of `client`: others wait until it ends, and no lock is waited for longer
 * than a second. False when the schema is not there.
 */
export async function beginCaptureChange(client: Runner): Promise<boolean> {
  await client.query("select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtext('tocsin.captures'))");
  const { rows } = await client.query<{ isMigrated: boolean }>(
    `select to_regprocedure('tocsin.wake_up()') is not null as "isMigrated",
       pg_catalog.set_config('lock_timeout', $1, true)`,
    [`${lockTimeoutMs}ms`],
  );
  return rows[0]?.isMigrated ?? false;
}
