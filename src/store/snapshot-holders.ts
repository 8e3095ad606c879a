import { promptly, type Runner } from './connection.ts';

/** Something because of which vacuum removes no dead rows that were alive when it began. */
export type SnapshotHolder = {
  readonly kind: 'session' | 'prepared transaction' | 'replication slot' | 'standby';
  /** Process id of a session or standby; name of a prepared transaction or slot. */
  readonly name: string;
  readonly login: string | null;
  readonly application: string | null;
  /** As `pg_stat_activity` says, `idle in transaction` for one; null when the owner of the schema may not see it. */
  readonly state: string | null;
  /** How old its transaction is; null when that cannot be seen. */
  readonly ageMs: number | null;
  /** The oldest transaction whose rows it may still see. */
  readonly holds: string;
};

/** What holds old snapshots now, the one that holds the oldest first. */
export async function readSnapshotHolders(runner: Runner): Promise<SnapshotHolder[]> {
  const result = await runner.query<SnapshotHolder>({
    ...promptly,
    text: `
      select kind, name, login, application, state, (extract(epoch from clock_timestamp() - since) * 1000)::float8 as "ageMs",
        holds::text as holds
      from tocsin.snapshot_holders()`,
  });
  return result.rows;
}
