import type { Database, Orm } from '../store/database.ts';
import {
  countEventKeys,
  countEvents,
  countExecutions,
  type DayPartition,
  deleteAttemptsOf,
  deleteByIds,
  deleteDeliveriesOf,
  deleteEventKeys,
  dropPartition,
  hasOpenWork,
  type PruneScope,
  pickEvents,
  pickExecutions,
} from '../store/retention.ts';

/** Rows that were deleted one by one, by table. */
export type PrunedRows = {
  readonly executions: number;
  readonly deliveries: number;
  readonly deliveryAttempts: number;
  readonly eventHistory: number;
  readonly eventKeys: number;
};

/** What became of days that are over. */
export type DroppedDays = {
  readonly dropped: readonly DayPartition[];
  /** Work of the day is open. */
  readonly kept: readonly DayPartition[];
  /** The table was in use for too long: the next run tries again. */
  readonly postponed: readonly DayPartition[];
};

const lockTimeoutMs = 250;
const executionsAtOnce = 1_000;
const rowsAtOnce = 5_000;
const firstId = '00000000-0000-0000-0000-000000000000';

/** Drops partitions, each in a transaction of its own; a dry run only looks whether it could. */
export async function dropDays(
  database: Database,
  partitions: readonly DayPartition[],
  isDryRun: boolean,
): Promise<DroppedDays> {
  const dropped: DayPartition[] = [];
  const kept: DayPartition[] = [];
  const postponed: DayPartition[] = [];
  const places = { dropped, open: kept, locked: postponed };
  for (const partition of partitions) {
    const outcome = isDryRun
      ? await outcomeOfDrop(database.orm, partition)
      : await dropPartition(database, partition, lockTimeoutMs);
    places[outcome].push(partition);
  }
  return { dropped, kept, postponed };
}

async function outcomeOfDrop(orm: Orm, partition: DayPartition): Promise<'dropped' | 'open'> {
  return (await hasOpenWork(orm, partition.day)) ? 'open' : 'dropped';
}

/** Deletes old rows in batches, each a transaction of its own; a dry run counts them. */
export async function pruneRows(
  database: Database,
  scopes: { executions: readonly PruneScope[]; events: readonly PruneScope[]; eventKeysBefore: Date },
  isDryRun: boolean,
): Promise<PrunedRows> {
  const rows = { executions: 0, deliveries: 0, deliveryAttempts: 0 };
  for (const scope of scopes.executions) {
    const pruned = isDryRun ? await countExecutions(database.orm, scope) : await deleteExecutions(database, scope);
    rows.executions += pruned.executions;
    rows.deliveries += pruned.deliveries;
    rows.deliveryAttempts += pruned.deliveryAttempts;
  }
  let eventHistory = 0;
  for (const scope of scopes.events) {
    eventHistory += isDryRun ? await countEvents(database.orm, scope) : await deleteEvents(database, scope);
  }
  const before = scopes.eventKeysBefore;
  const eventKeys = isDryRun ? await countEventKeys(database.orm, before) : await deleteKeys(database, before);
  return { ...rows, eventHistory, eventKeys };
}

async function deleteExecutions(
  database: Database,
  scope: PruneScope,
): Promise<Pick<PrunedRows, 'executions' | 'deliveries' | 'deliveryAttempts'>> {
  const total = { executions: 0, deliveries: 0, deliveryAttempts: 0 };
  for (let afterId: string | undefined = firstId; afterId !== undefined; ) {
    const page = { afterId, limit: executionsAtOnce };
    afterId = await database.transaction(async (tx) => {
      const ids = await pickExecutions(tx, scope, page);
      const deliveryIds = await deleteDeliveriesOf(tx, ids);
      total.deliveries += deliveryIds.length;
      total.deliveryAttempts += await deleteAttemptsOf(tx, deliveryIds);
      total.executions += await deleteByIds(tx, 'executions', ids);
      return ids.at(-1);
    });
  }
  return total;
}

async function deleteEvents(database: Database, scope: PruneScope): Promise<number> {
  let total = 0;
  for (let afterId: string | undefined = firstId; afterId !== undefined; ) {
    const page = { afterId, limit: rowsAtOnce };
    afterId = await database.transaction(async (tx) => {
      const ids = await pickEvents(tx, scope, page);
      total += await deleteByIds(tx, 'event_history', ids);
      return ids.at(-1);
    });
  }
  return total;
}

async function deleteKeys(database: Database, before: Date): Promise<number> {
  let total = 0;
  let deleted: number;
  do {
    deleted = await deleteEventKeys(database.orm, { before, limit: rowsAtOnce });
    total += deleted;
  } while (deleted > 0);
  return total;
}
