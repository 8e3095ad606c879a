import type { Runner } from '../../src/store/connection.ts';

/**
 * How many index entries of a table and its partitions `work` reads, those of dead rows with them: what a look-up costs, however
 * loaded the machine is. `runner` is a connection in a transaction; `work` uses it.
 */
export async function entriesRead(runner: Runner, table: string, work: () => Promise<unknown>): Promise<number> {
  const before = await entriesReadSoFar(runner, table);
  await work();
  return (await entriesReadSoFar(runner, table)) - before;
}

/** The same count from some moment on: it grows while the transaction is open, and begins anew at times after it. */
export async function entriesReadSoFar(runner: Runner, table: string): Promise<number> {
  const result = await runner.query<{ entries: number }>(
    `select coalesce(sum(pg_stat_get_xact_tuples_returned(i.indexrelid)), 0)::int as entries
     from pg_partition_tree($1::regclass) as tree
     join pg_index i on i.indrelid = tree.relid
     where tree.isleaf`,
    [table],
  );
  return result.rows[0]?.entries ?? 0;
}
