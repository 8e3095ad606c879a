import { sql } from 'drizzle-orm';
import { promptly, type Runner } from './connection.ts';
import type { Orm } from './database.ts';

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

/** One event of the history, of whatever tenant; null when it is no longer kept. */
export async function readStoredEvent(runner: Runner, id: string): Promise<StoredEvent | null> {
  const result = await runner.query<StoredEvent>({
    ...promptly,
    name: 'tocsin_stored_event',
    text: `
      select ${columns}
      from tocsin.event_history
      where id = $1`,
    values: [id],
  });
  return result.rows[0] ?? null;
}

/** Which event and workflow version each of these executions is of. */
export async function readExecutionOrigins(
  runner: Runner,
  executionIds: readonly string[],
): Promise<Map<string, { eventId: string; workflowId: string; workflowVersion: number }>> {
  const result = await runner.query<{ id: string; eventId: string; workflowId: string; workflowVersion: number }>({
    ...promptly,
    name: 'tocsin_execution_origins',
    text: `
      select id, event_id as "eventId", workflow_id as "workflowId", workflow_version as "workflowVersion"
      from tocsin.executions
      where id = any($1::uuid[])`,
    values: [executionIds],
  });
  return new Map(result.rows.map((row) => [row.id, row]));
}
