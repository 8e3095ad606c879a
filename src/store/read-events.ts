import { sql } from 'drizzle-orm';
import { promptly, type Runner } from './connection.ts';
import type { Orm } from './database.ts';
import { idRange } from './id-range.ts';

/** An event as it is stored. */
export type StoredEvent = {
  readonly id: string;
  readonly tenantId: string;
  readonly source: 'db' | 'domain';
  readonly entityType: string;
  readonly entityId: string;
  readonly operation: string;
  /** JSON text; null when there is none. */
  readonly payload: string | null;
  readonly previous: string | null;
  readonly changed: string[] | null;
  readonly actor: string | null;
  readonly traceContext: string | null;
  readonly idempotencyKey: string | null;
  readonly causation: string | null;
  /** Milliseconds since 1970. */
  readonly occurredAtMs: number;
};

const columns = `
  id, tenant_id as "tenantId", source, entity_type as "entityType", entity_id as "entityId", operation,
  payload::text as payload, previous::text as previous, changed, actor, trace_context as "traceContext",
  idempotency_key as "idempotencyKey", causation, (extract(epoch from occurred_at) * 1000)::float8 as "occurredAtMs"`;

/** One event of a tenant's history; null when it is no longer kept. */
export async function readTenantEvent(orm: Orm, key: { tenantId: string; id: string }): Promise<StoredEvent | null> {
  const result = await orm.execute<StoredEvent>(sql`
    select ${sql.raw(columns)}
    from tocsin.event_history
    where id = ${key.id}
      and tenant_id = ${key.tenantId}`);
  return result.rows[0] ?? null;
}

/** What planning an execution begins with. */
export type PlanningSource = {
  /** Null when it is no longer kept. */
  readonly event: StoredEvent | null;
  /**
   * Deliveries of it stand. Asked by who has its lease, the answer no holds until they write some: nobody
   * else may.
   */
  readonly hasDeliveries: boolean;
};

/** Leased executions with what planning each of them begins with, looked up in one statement. */
export async function readPlanningSources<Execution extends { readonly id: string; readonly eventId: string }>(
  runner: Runner,
  executions: readonly Execution[],
): Promise<(Execution & PlanningSource)[]> {
  if (executions.length === 0) return [];
  const ranges = executions.map(({ id }) => idRange(id, id));
  const result = await runner.query<{ place: number; hasDeliveries: boolean } & (StoredEvent | { id: null })>({
    ...promptly,
    name: 'tocsin_planning_sources',
    // Each is looked up (`limit 1`), which no estimate of the planner can make slower.
    text: `
      select x.place::int as place, standing.one is not null as "hasDeliveries", event.*
      from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::uuid[])
        with ordinality as x (id, event_id, lowest, highest, place)
      left join lateral (
        select ${columns}
        from tocsin.event_history h
        where h.id = x.event_id
        limit 1
      ) event on true
      left join lateral (
        select 1 as one
        from tocsin.deliveries d
        where d.execution_id = x.id
          and d.id between x.lowest and x.highest
        limit 1
      ) standing on true
      order by x.place`,
    values: [
      executions.map(({ id }) => id),
      executions.map(({ eventId }) => eventId),
      ranges.map(({ lowest }) => lowest),
      ranges.map(({ highest }) => highest),
    ],
  });
  return result.rows.map(({ place, hasDeliveries, ...event }) => ({
    ...(executions[place - 1] as Execution),
    hasDeliveries,
    event: event.id === null ? null : event,
  }));
}

/** What an execution is of: its workflow version, and its event, null when that is no longer kept. */
export type ExecutionSource = {
  readonly workflowId: string;
  readonly workflowVersion: number;
  readonly event: StoredEvent | null;
};

/** What each of these executions is of, by its id, in one statement. Each is looked up, which no estimate can make slower. */
export async function readExecutionSources(
  runner: Runner,
  executionIds: readonly string[],
): Promise<Map<string, ExecutionSource>> {
  if (executionIds.length === 0) return new Map();
  const result = await runner.query<
    Omit<ExecutionSource, 'event'> & { executionId: string } & (StoredEvent | { id: null })
  >({
    ...promptly,
    name: 'tocsin_execution_sources',
    text: `
      select x."executionId", x."workflowId", x."workflowVersion", event.*
      from unnest($1::uuid[]) as asked (id)
      cross join lateral (
        select id as "executionId", workflow_id as "workflowId", workflow_version as "workflowVersion", event_id
        from tocsin.executions
        where id = asked.id
        limit 1
      ) x
      left join lateral (
        select ${columns}
        from tocsin.event_history h
        where h.id = x.event_id
        limit 1
      ) event on true`,
    values: [executionIds],
  });
  return new Map(
    result.rows.map(({ executionId, workflowId, workflowVersion, ...event }) => [
      executionId,
      { workflowId, workflowVersion, event: event.id === null ? null : event },
    ]),
  );
}
