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
import { idTimeMs } from '../model/derived-id.ts';
import { executionStatuses } from '../model/execution.ts';
import { type Page, pageOf } from '../model/page.ts';
import { parseInput } from '../model/parse-input.ts';
import { err, ok } from '../model/result.ts';
import { isStorableText, unstorable } from '../model/storable-text.ts';
import { boundedRead } from '../store/bounded-read.ts';
import { cancelExecution } from '../store/cancel-execution.ts';
import type { Database, Orm } from '../store/database.ts';
import {
  type ExecutionQuery,
  type ExecutionRow,
  listDeliveries,
  listExecutions,
  readExecution,
} from '../store/execution-logs.ts';
import { readTenantEvent } from '../store/read-events.ts';
import { withTenant } from '../store/with-tenant.ts';
import { readWorkflowVersion } from '../store/workflow-versions.ts';
import { workflowExists } from '../store/workflows.ts';
import type { Answer, WriteOptions } from './answer.ts';
import { idPageInput, isUuid, momentInput, oneOrMany } from './list-input.ts';
import { workflowNotFound } from './workflow-change.ts';

const word = z.string().min(1).max(1_000).refine(isStorableText, unstorable);

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
    if (workflowId !== undefined && !isUuid(workflowId)) return err(workflowNotFound(workflowId));
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
    const remedy = 'name a workflow, or narrow it with `from` and `to`';
    return boundedRead(this.#database, { tenantId, timeoutMs: searchTimeoutMs, remedy }, async (tx) => {
      const isKnown = workflowId === undefined || (await workflowExists(tx, { tenantId, id: workflowId }));
      if (!isKnown) return err(workflowNotFound(workflowId));
      const rows = await search(tx, query, this.#clock.now());
      return ok(pageOf(rows.map(executionLog), limit, (log) => log.id));
    });
  }

  /** One execution with its event and a page of its deliveries, each with its attempts. */
  async getExecution(tenantId: string, id: string, page: DeliveryPageInput = {}): Answer<ExecutionDetail> {
    const given = parseInput(idPageInput, page);
    if (!given.ok) return err(invalid('the page', given.error));
    const { limit, cursor } = given.value;
    return withTenant(this.#database, { tenantId }, (orm) => this.#readExecution(orm, { tenantId, id, limit, cursor }));
  }

  async #readExecution(
    orm: Orm,
    wanted: { tenantId: string; id: string; limit: number; cursor: string | undefined },
  ): Answer<ExecutionDetail> {
    const { tenantId, id, limit, cursor = null } = wanted;
    const row = isUuid(id) ? await readExecution(orm, { tenantId, id }) : null;
    if (!row) return err(executionNotFound(id));
    const event = await readTenantEvent(orm, { tenantId, id: row.eventId });
    const version = await readWorkflowVersion(orm, { tenantId, id: row.workflowId }, row.workflowVersion);
    const deliveries = await listDeliveries(orm, { tenantId, executionId: id, afterId: cursor, limit: limit + 1 });
    const names = new Map(version?.definition.actions.map((action) => [action.partId, action.name]));
    const logs = deliveries.map((delivery) => deliveryLog(delivery, names.get(delivery.actionId) ?? null));
    const { items, nextCursor } = pageOf(logs, limit, (delivery) => delivery.id);
    return ok({
      ...executionLog(row),
      event: event && loggedEvent(event),
      deliveries: items,
      nextDeliveryCursor: nextCursor,
    });
  }

  /** Cancels an execution that is not at its end; deliveries that are still open are not made. */
  async cancelExecution(
    tenantId: string,
    id: string,
    options: WriteOptions = {},
  ): Answer<{ readonly deliveries: number }> {
    return withTenant(this.#database, { tenantId, tx: options.tx }, async (orm) => {
      const cancelled = isUuid(id) ? await cancelExecution(orm, { tenantId, id }) : null;
      if (cancelled !== null) return ok({ deliveries: cancelled });
      const execution = isUuid(id) ? await readExecution(orm, { tenantId, id }) : null;
      if (!execution) return err(executionNotFound(id));
      const message = `execution ${id} is ${execution.status}: only one that is pending or running can be cancelled`;
      return err(new WorkflowError('conflict', message));
    });
  }
}

function executionNotFound(id: string): WorkflowError {
  return new WorkflowError(
    'not_found',
    `no execution ${JSON.stringify(id)} in this tenant: list the logs to see their ids`,
  );
}

/**
 * What a tenant did last is looked for in short windows first, whose bounds leave out the partitions before them; a longer one is
 * asked only when the one before is not full.
 */
async function search(tx: Orm, query: ExecutionQuery, now: Date): Promise<ExecutionRow[]> {
  const newestMs = query.beforeId === null ? (query.to ?? now).getTime() : idTimeMs(query.beforeId);
  const isOfTenant = query.workflowId === null && query.entityType === null && query.entityId === null;
  for (const windowMs of isOfTenant ? windowsMs : []) {
    const from = new Date(Math.max(0, newestMs - windowMs));
    if (query.from && query.from >= from) break;
    const rows = await listExecutions(tx, { ...query, from });
    if (rows.length === query.limit) return rows;
  }
  return listExecutions(tx, query);
}
