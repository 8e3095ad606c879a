import { z } from 'zod';
import { type Clock, systemClock } from '../clock.ts';
import { invalid } from '../errors.ts';
import { parseInput } from '../model/parse-input.ts';
import { err, ok } from '../model/result.ts';
import type { Database } from '../store/database.ts';
import {
  type DailyTable,
  listDayPartitions,
  listRetentions,
  readRetention,
  writeRetention,
} from '../store/retention.ts';
import { withTenant } from '../store/with-tenant.ts';
import type { Answer, WriteOptions } from './answer.ts';
import { planPruning, wholePartition } from './plan-pruning.ts';
import { dropDays, type PrunedRows, pruneRows } from './prune-tables.ts';

const days = z.number().int().min(1).max(3_650);
const retentionInput = z.strictObject({ days: days.nullable() });
const pruneInput = z.strictObject({
  /** Default: the present moment. */
  now: z.date().optional(),
  /** Days that executions of tenants without a number of their own are kept. */
  defaultDays: days.default(30),
  /** Days that matched events are kept; no longer than the executions of their tenant. */
  eventDays: days.default(7),
  /** Counts, and removes nothing. */
  dryRun: z.boolean().default(false),
});

/** How long things are kept, and whether anything is removed. */
export type PruneOptions = z.input<typeof pruneInput>;

/** What a run removed, or would have. */
export type PruneReport = {
  readonly dryRun: boolean;
  /** Partitions that were dropped: whole days, whatever was in them. */
  readonly droppedPartitions: readonly string[];
  /** Rows that were deleted one by one. */
  readonly deletedRows: PrunedRows;
  /** Days that are over but have open work: what is finished of them is among the deleted rows. */
  readonly keptPartitions: readonly string[];
  /** Days that are over but were in use: the next run tries again. */
  readonly postponedPartitions: readonly string[];
};

/** Idempotency keys of domain events are good for this long. */
const eventKeyMs = 30 * 86_400_000;

/**
 * How long executions, deliveries, attempts and events are kept. What users have in their inbox is theirs and stays, as do
 * workflows and their versions. Failed events and dead deliveries go with the rest: redriving one whose event is gone answers
 * `event_expired`.
 */
export class RetentionService {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(options: { readonly database: Database; readonly clock?: Clock }) {
    this.#database = options.database;
    this.#clock = options.clock ?? systemClock;
  }

  /** Keeps a tenant's executions for this many days (1 to 3650); null gives it the default of the deployment. */
  async setRetention(
    tenantId: string,
    retentionDays: number | null,
    options: WriteOptions = {},
  ): Answer<{ tenantId: string; days: number | null }> {
    const given = parseInput(retentionInput, { days: retentionDays });
    if (!given.ok) return err(invalid('the retention', given.error));
    return withTenant(this.#database, { tenantId, tx: options.tx }, async (orm) => {
      await writeRetention(orm, tenantId, retentionDays);
      return ok({ tenantId, days: retentionDays });
    });
  }

  /** A tenant's number of days; null when it has the default. */
  async getRetention(tenantId: string): Answer<{ tenantId: string; days: number | null }> {
    return withTenant(this.#database, { tenantId }, async (orm) =>
      ok({ tenantId, days: await readRetention(orm, tenantId) }),
    );
  }

  /**
   * Removes what is older than its retention. Runs beside the engine: partitions are dropped only when their table is free
   * within a quarter of a second, rows are deleted in small transactions. Several processes may run it at once.
   *
   * @throws WorkflowError `invalid` for numbers of days that are none
   */
  async prune(options: PruneOptions = {}): Promise<PruneReport> {
    const given = parseInput(pruneInput, options);
    if (!given.ok) throw invalid('the retention', given.error);
    const { defaultDays, eventDays, dryRun } = given.value;
    const now = given.value.now ?? this.#clock.now();
    const [retentions, partitions] = await Promise.all([
      listRetentions(this.#database.orm),
      listDayPartitions(this.#database.orm),
    ]);
    const plan = planPruning({ now, defaultDays, eventDays, retentions, partitions });
    const { dropped, kept, postponed } = await dropDays(this.#database, plan.drops, dryRun);
    const finishedOf = (table: DailyTable, keptFrom: Date) =>
      kept.filter((partition) => partition.table === table).map(({ name }) => wholePartition(name, keptFrom));
    const scopes = {
      executions: [...plan.executions, ...finishedOf('executions', plan.keptFrom.executions)],
      events: [...plan.events, ...finishedOf('event_history', plan.keptFrom.events)],
      eventKeysBefore: new Date(now.getTime() - eventKeyMs),
    };
    const deletedRows = await pruneRows(this.#database, scopes, dryRun);
    return {
      dryRun,
      droppedPartitions: dropped.map(({ name }) => name),
      deletedRows,
      keptPartitions: kept.map(({ name }) => name),
      postponedPartitions: postponed.map(({ name }) => name),
    };
  }
}
