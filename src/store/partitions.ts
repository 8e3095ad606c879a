import type { Runner } from './connection.ts';
import type { Database } from './database.ts';

/** Makes the daily partitions up to `daysAhead` days from now; answers how many were new. */
export async function ensurePartitions(runner: Runner, daysAhead: number): Promise<number> {
  const result = await runner.query<{ made: number }>('select tocsin.ensure_partitions($1) as made', [daysAhead]);
  return result.rows[0]?.made ?? 0;
}

/** An outbox segment smaller than this is not worth truncating. */
const worthTruncatingBytes = 8 * 1024 * 1024;

/**
 * Truncates outbox segments that are drained and not written any more, so that dead rows never pile up. A transaction that
 * has inserted into the segment and is still open holds a lock on it: then the segment is left for the next time.
 *
 * @returns the segments truncated
 */
export async function truncateDrainedSegments(database: Database): Promise<number[]> {
  const { rows } = await database.pool.query<{ segment: number }>(
    `select segment
     from generate_series(0, 2) as segment
     where segment <> tocsin.current_segment()
       and pg_relation_size(('tocsin.events_' || segment)::regclass) > $1`,
    [worthTruncatingBytes],
  );
  const truncated: number[] = [];
  for (const { segment } of rows) if (await truncateSegment(database, segment)) truncated.push(segment);
  return truncated;
}

async function truncateSegment(database: Database, segment: number): Promise<boolean> {
  const table = `tocsin.events_${segment}`;
  const isDrained = async (runner: Runner) => (await runner.query(`select 1 from ${table} limit 1`)).rows.length === 0;
  // Passing by many dead rows takes long: not while the lock keeps everybody out.
  if (!(await isDrained(database.pool))) return false;
  return database.transaction(async (_tx, client) => {
    try {
      await client.query(`lock table ${table} in access exclusive mode nowait`);
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === '55P03') {
        await client.query('rollback');
        await client.query('begin');
        return false;
      }
      throw error;
    }
    if (!(await isDrained(client))) return false;
    await client.query(`truncate ${table}`);
    return true;
  });
}
