import { z } from 'zod';
import { type Clock, systemClock } from '../clock.ts';
import { invalid, WorkflowError } from '../errors.ts';
import {
  deliveryLog,
  type ExecutionDetail,
  type ExecutionLog,
  executionLog,
  loggedEvent,
} from '../log/execution-log.ts';
import { executionStatuses } from '../model/execution.ts';
import { type Page, pageOf } from '../model/page.ts';
import { parseInput } from '../model/parse-input.ts';
import { err, ok, type Result } from '../model/result.ts';
import { isStorableText } from '../model/storable-text.ts';
import { boundedRead } from '../store/bounded-read.ts';
import { cancelExecution } from '../store/cancel-execution.ts';
import { type Database, type Orm, ormOf, type Transaction } from '../store/database.ts';
import {
  type ExecutionQuery,
  type ExecutionRow,
  listDeliveries,
  listExecutions,
  readExecution,
} from '../store/execution-logs.ts';
import { readStoredEvent } from '../store/read-events.ts';
import { readWorkflowVersion } from '../store/workflow-versions.ts';
import { workflowExists } from '../store/workflows.ts';
import { idPageInput, isUuid, momentInput, oneOrMany } from './list-input.ts';
import { workflowNotFound } from './workflow-change.ts';

const word = z.string().min(1).max(1_000).refine(isStorableText, 'holds what no stored text can hold');

const filterInput = idPageInput
  .extend({
    workflowId: z.string().optional(),
    status: oneOrMany(executionStatuses).optional(),
    entityType: word.optional(),
    /** As events have it: the key as text, several columns as a JSON array. */
    entityId: word.optional(),
    /** Executions of events from this moment on. */
    from: momentInput.optional(),
    /** Executions of events before this moment. */
    to: momentInput.optional(),
    /** How many to leave out first; a cursor is faster. */
    offset: z.number().int().min(0).max(100_000).default(0),
  })
  .refine(({ from, to }) => !from || !to || from < to, { path: ['to'], message: 'is not after `from`' });

/** Which executions are wanted; everything may be left out. */
export type ExecutionFilter = z.input<typeof filterInput>;

/** Which deliveries of one execution are wanted. */
export type DeliveryPageInput = z.input<typeof idPageInput>;

type Answer<T> = Promise<Result<T, WorkflowError>>;

/** One statement of a search may take this long. */
const searchTimeoutMs = 15_000;

const hourMs = 3_600_000;
const windowsMs = [hourMs, 24 * hourMs, 8 * 24 * hourMs];

/** What executions came to, for the people who wrote the workflows. */
export class ExecutionLogService {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(options: { readonly database: Database; readonly clock?: Clock }) {
    this.#database = options.database;
    this.#clock = options.clock ?? systemClock;
  }

  /** Executions of the tenant, newest first: of one workflow, also a deleted one, or of all. */
  async getExecutionLogs(tenantId: string, filter: ExecutionFilter = {}): Answer<Page<ExecutionLog>> {
    const given = parseInput(filterInput, filter);
    if (!given.ok) return err(invalid('the filter', given.error));
    const { workflowId, status, cursor, limit, offset, ...rest } = given.value;
    if (workflowId !== undefined) {
      const isKnown = isUuid(workflowId) && (await workflowExists(this.#database.orm, { tenantId, id: workflowId }));
      if (!isKnown) return err(workflowNotFound(workflowId));
    }
    const query: ExecutionQuery = {
      tenantId,
      workflowId: workflowId ?? null,
      statuses: status ?? null,
      entityType: rest.entityType ?? null,
      entityId: rest.entityId ?? null,
      from: rest.from ?? null,
      to: rest.to ?? null,
      beforeId: cursor ?? null,
      limit: limit + 1,
      offset,
    };
    const rows = await boundedRead(this.#database, searchTimeoutMs, (tx) => search(tx, query, this.#clock.now()));
    if (rows) return ok(pageOf(rows.map(executionLog), limit, (log) => log.id));
    const message = 'the search took too long: name a workflow, or narrow it with `from` and `to`';
    return err(new WorkflowError('timeout', message));
  }

  /** One execution with its event and a page of its deliveries, each with its attempts. */
  async getExecution(tenantId: string, id: string, page: DeliveryPageInput = {}): Answer<ExecutionDetail> {
    const given = parseInput(idPageInput, page);
    if (!given.ok) return err(invalid('the page', given.error));
    const { limit, cursor } = given.value;
    const { orm } = this.#database;
    const row = isUuid(id) ? await readExecution(orm, { tenantId, id }) : null;
    if (!row) return err(new WorkflowError('not_found', `no execution ${JSON.stringify(id)} in this tenant`));
    const [event, version, deliveries] = await Promise.all([
      readStoredEvent(this.#database.pool, row.eventId),
      readWorkflowVersion(orm, { tenantId, id: row.workflowId }, row.workflowVersion),
      listDeliveries(orm, { tenantId, executionId: id, afterId: cursor ?? null, limit: limit + 1 }),
    ]);
    const names = new Map(version?.definition.actions.map((action) => [action.partId, action.name]));
    const logs = deliveries.map((delivery) => deliveryLog(delivery, names.get(delivery.actionId) ?? null));
    const { items, nextCursor } = pageOf(logs, limit, (delivery) => delivery.id);
    return ok({
      ...executionLog(row),
      event: event?.tenantId === tenantId ? loggedEvent(event) : null,
      deliveries: items,
      nextDeliveryCursor: nextCursor,
    });
  }

  /** Cancels an execution that is not at its end; deliveries that are still open are not made. */
  async cancelExecution(
    tenantId: string,
    id: string,
    options: { readonly tx?: Transaction | undefined } = {},
  ): Answer<{ readonly deliveries: number }> {
    const cancelled = isUuid(id) ? await cancelExecution(ormOf(this.#database, options.tx), { tenantId, id }) : null;
    if (cancelled !== null) return ok({ deliveries: cancelled });
    const execution = await this.getExecution(tenantId, id);
    if (!execution.ok) return execution;
    const message = `execution ${id} is ${execution.value.status}: only one that is pending or running can be cancelled`;
    return err(new WorkflowError('conflict', message));
  }
}

/**
 * What a tenant did last is looked for in short windows first, whose bounds leave out the partitions before them; a longer one is
 * asked only when the one before is not full.
 */
async function search(tx: Orm, query: ExecutionQuery, now: Date): Promise<ExecutionRow[]> {
  const newestMs = query.beforeId === null ? (query.to ?? now).getTime() : momentOf(query.beforeId);
  const isOfTenant = query.workflowId === null && query.entityType === null && query.entityId === null;
  for (const windowMs of isOfTenant ? windowsMs : []) {
    const from = new Date(Math.max(0, newestMs - windowMs));
    if (query.from && query.from >= from) break;
    const rows = await listExecutions(tx, { ...query, from });
    if (rows.length === query.limit) return rows;
  }
  return listExecutions(tx, query);
}

/** The moment in a time-ordered id, ms since 1970. */
function momentOf(id: string): number {
  return Number.parseInt(id.replace('-', '').slice(0, 12), 16);
}
