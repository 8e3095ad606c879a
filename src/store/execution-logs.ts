import { type SQL, sql } from 'drizzle-orm';
import type { DeliveryStatus, ExecutionStatus } from '../model/execution.ts';
import type { Orm } from './database.ts';
import { idRange } from './id-range.ts';

/** Which executions of a tenant are wanted. Moments are those of their events: ids carry them. */
export type ExecutionQuery = {
  readonly tenantId: string;
  /** Null: of every workflow of the tenant. */
  readonly workflowId: string | null;
  readonly statuses: readonly ExecutionStatus[] | null;
  readonly entityType: string | null;
  readonly entityId: string | null;
  readonly from: Date | null;
  readonly to: Date | null;
  readonly beforeId: string | null;
  readonly limit: number;
  readonly offset: number;
};

/** An execution with what is still kept of its event. */
export type ExecutionRow = {
  readonly id: string;
  readonly workflowId: string;
  readonly workflowName: string;
  readonly workflowVersion: number;
  /** Why the workflow is paused now; null when it is not. */
  readonly workflowPausedReason: string | null;
  readonly status: ExecutionStatus;
  readonly reason: string | null;
  /** JSON text of an `ExecutionTrace`; null while it is not decided. */
  readonly trace: string | null;
  readonly open: number;
  readonly delivered: number;
  readonly failed: number;
  /** Milliseconds since 1970. */
  readonly createdAtMs: number;
  readonly completedAtMs: number | null;
  readonly eventId: string;
  /** Null, as everything of the event, when it is no longer kept. */
  readonly entityType: string | null;
  readonly entityId: string;
  readonly operation: string;
  readonly actor: string | null;
  readonly occurredAtMs: number;
};

/**
 * Executions, newest first. Ids are time-ordered, so bounds of time are bounds of ids and leave out the partitions of other
 * days. One workflow is read through its index, a tenant through those of its workflows, the newest of each merged, and what
 * was about an entity through the events that are kept.
 */
export async function listExecutions(orm: Orm, query: ExecutionQuery): Promise<ExecutionRow[]> {
  const { tenantId, workflowId, limit, offset } = query;
  const page = sql`order by found.id desc limit ${limit} offset ${offset}`;
  const isAboutEntity = query.entityType !== null || query.entityId !== null;
  if (isAboutEntity) return readExecutions(orm, { tenantId, ids: sql`${idsAboutEntity(query)} ${page}` });
  if (workflowId !== null) {
    const found = newestIds(query, { workflowId: sql`${workflowId}::uuid`, limit: limit + offset });
    return readExecutions(orm, { tenantId, ids: sql`select found.id from (${found}) found ${page}` });
  }
  const ids = sql`
    select found.id
    from tocsin.workflows w
    cross join lateral (${newestIds(query, { workflowId: sql`w.id`, limit: limit + offset })}) found
    where w.tenant_id = ${tenantId}
    ${page}`;
  return readExecutions(orm, { tenantId, ids });
}

/** One execution; null when there is none. */
export async function readExecution(orm: Orm, key: { tenantId: string; id: string }): Promise<ExecutionRow | null> {
  const rows = await readExecutions(orm, { tenantId: key.tenantId, ids: sql`select ${key.id}::uuid as id` });
  return rows[0] ?? null;
}

/** A delivery of an execution, with its attempts in order. */
export type DeliveryRow = {
  readonly id: string;
  readonly actionId: string;
  readonly actionType: string;
  readonly recipientId: string;
  readonly status: DeliveryStatus;
  readonly reason: string | null;
  readonly attemptCount: number;
  readonly createdAtMs: number;
  readonly completedAtMs: number | null;
  /** When it is tried next; null unless it waits. */
  readonly dueAtMs: number | null;
  readonly attempts: readonly AttemptRow[];
};

/** One try of a delivery that left the database. */
export type AttemptRow = {
  readonly attempt: number;
  readonly outcome: 'delivered' | 'retry' | 'failed' | 'skipped';
  readonly reason: string | null;
  readonly detail: unknown;
  readonly startedAtMs: number;
  readonly durationMs: number;
};

/** Deliveries of an execution in the order of their ids. They share the moment in its id, so they are in one partition. */
export async function listDeliveries(
  orm: Orm,
  query: { tenantId: string; executionId: string; afterId: string | null; limit: number },
): Promise<DeliveryRow[]> {
  const { tenantId, executionId, afterId, limit } = query;
  const { lowest, highest } = idRange(executionId, executionId);
  return readDeliveries(
    orm,
    sql`
      where d.tenant_id = ${tenantId}
        and d.execution_id = ${executionId}::uuid
        and d.id between ${lowest}::uuid and ${highest}::uuid
        and (${afterId}::uuid is null or d.id > ${afterId}::uuid)
      order by d.id
      limit ${limit}`,
  );
}

/** One delivery; null when there is none. */
export async function readDelivery(orm: Orm, key: { tenantId: string; id: string }): Promise<DeliveryRow | null> {
  const rows = await readDeliveries(orm, sql`where d.tenant_id = ${key.tenantId} and d.id = ${key.id}::uuid`);
  return rows[0] ?? null;
}

async function readDeliveries(orm: Orm, which: SQL): Promise<DeliveryRow[]> {
  const result = await orm.execute<DeliveryRow>(sql`
    select d.id, d.action_id as "actionId", d.action_type as "actionType", d.recipient_id as "recipientId", d.status,
      d.reason, d.attempts as "attemptCount", ${milliseconds('d.created_at')} as "createdAtMs",
      ${milliseconds('d.completed_at')} as "completedAtMs",
      case when d.status = 'pending' and d.lease_token is null then ${milliseconds('d.due_at')} end as "dueAtMs",
      coalesce(made.attempts, '[]') as attempts
    from tocsin.deliveries d
    cross join lateral (
      select json_agg(json_build_object(
          'attempt', a.attempt,
          'outcome', a.outcome,
          'reason', a.reason,
          'detail', a.detail,
          'startedAtMs', ${milliseconds('a.started_at')},
          'durationMs', a.duration_ms)
        order by a.attempt) as attempts
      from tocsin.delivery_attempts a
      where a.delivery_id = d.id
        and a.tenant_id = d.tenant_id
    ) made
    ${which}`);
  return result.rows;
}

async function readExecutions(orm: Orm, options: { tenantId: string; ids: SQL }): Promise<ExecutionRow[]> {
  const result = await orm.execute<ExecutionRow>(sql`
    select e.id, e.workflow_id as "workflowId", w.name as "workflowName", e.workflow_version as "workflowVersion",
      w.paused_reason as "workflowPausedReason",
      e.status, e.reason, e.trace::text as trace, e.deliveries_open as open, e.deliveries_done as delivered,
      e.deliveries_failed as failed, ${milliseconds('e.created_at')} as "createdAtMs",
      ${milliseconds('e.completed_at')} as "completedAtMs", e.event_id as "eventId", h.entity_type as "entityType",
      h.entity_id as "entityId", h.operation, h.actor, ${milliseconds('h.occurred_at')} as "occurredAtMs"
    from (${options.ids}) wanted
    join tocsin.executions e on e.id = wanted.id
    join tocsin.workflows w on w.id = e.workflow_id
    left join lateral (
      select h.entity_type, h.entity_id, h.operation, h.actor, h.occurred_at
      from tocsin.event_history h
      where h.id = e.event_id
        and h.tenant_id = e.tenant_id
    ) h on true
    where e.tenant_id = ${options.tenantId}
    order by e.id desc`);
  return result.rows;
}

function newestIds(query: ExecutionQuery, of: { workflowId: SQL; limit: number }): SQL {
  return sql`
    select e.id
    from tocsin.executions e
    where ${isWanted(query)}
      and e.workflow_id = ${of.workflowId}
    order by e.id desc
    limit ${of.limit}`;
}

/**
 * An execution has the moment of its event in its id: that is how the executions of an event are found. The bounds are computed
 * apart (`offset 0`): row level security does not let an index be searched by an expression that might tell what it is given.
 */
function idsAboutEntity(query: ExecutionQuery): SQL {
  const { tenantId, workflowId, entityType, entityId } = query;
  return sql`
    select found.id
    from tocsin.event_history h
    cross join lateral (
      select (left(h.id::text, 13) || '-0000-0000-000000000000')::uuid as lowest,
        (left(h.id::text, 13) || '-ffff-ffff-ffffffffffff')::uuid as highest
      offset 0
    ) bound
    cross join lateral (
      select e.id
      from tocsin.executions e
      where e.id between bound.lowest and bound.highest
        and e.event_id = h.id
        and ${isWanted(query)}
        and (${workflowId}::uuid is null or e.workflow_id = ${workflowId}::uuid)
    ) found
    where h.tenant_id = ${tenantId}
      and (${entityType}::text is null or h.entity_type = ${entityType})
      and (${entityId}::text is null or h.entity_id = ${entityId})
      ${query.from ? sql`and h.id >= tocsin.id_at(${query.from.toISOString()})` : sql``}
      ${query.to ? sql`and h.id < tocsin.id_at(${query.to.toISOString()})` : sql``}`;
}

function isWanted({ tenantId, statuses, from, to, beforeId }: ExecutionQuery): SQL {
  const conditions = [
    sql`e.tenant_id = ${tenantId}`,
    statuses && sql`e.status = any(${sql.param(statuses)}::text[])`,
    from && sql`e.id >= tocsin.id_at(${from.toISOString()})`,
    to && sql`e.id < tocsin.id_at(${to.toISOString()})`,
    beforeId === null ? null : sql`e.id < ${beforeId}::uuid`,
  ].filter((condition) => condition !== null);
  return sql.join(conditions, sql` and `);
}

function milliseconds(column: string): SQL {
  return sql.raw(`(extract(epoch from ${column}) * 1000)::float8`);
}
