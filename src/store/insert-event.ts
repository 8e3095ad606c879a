import { type SQL, sql } from 'drizzle-orm';
import { idleLockKey } from '../model/wake-up.ts';
import type { Orm } from './database.ts';

/** A domain event to be stored. Images are JSON text. */
export type NewEvent = {
  readonly tenantId: string;
  readonly entityType: string;
  readonly entityId: string;
  readonly operation: string;
  readonly payload: string;
  readonly previous: string | null;
  readonly actor: string | null;
  readonly traceContext: string | null;
  readonly idempotencyKey: string | null;
  /** Null: now, by the database's clock. */
  readonly occurredAt: Date | null;
};

/**
 * Stores a domain event in the outbox, in the transaction of `tx`, and wakes a sleeping drain at its commit. An idempotency
 * key that stands already answers the event it stands for; a transaction that stored it and is still open is waited for.
 */
export async function insertEvent(tx: Orm, event: NewEvent): Promise<{ eventId: string; duplicate: boolean }> {
  const { tenantId, idempotencyKey } = event;
  if (idempotencyKey === null) return { eventId: await writeEvent(tx, event), duplicate: false };
  const taken = await tx.execute<{ event_id: string }>(sql`
    insert into tocsin.event_keys (tenant_id, idempotency_key, event_id)
    values (${tenantId}, ${idempotencyKey}, tocsin.new_id())
    on conflict (tenant_id, idempotency_key) do nothing
    returning event_id`);
  const eventId = taken.rows[0]?.event_id;
  if (eventId !== undefined) return { eventId: await writeEvent(tx, event, eventId), duplicate: false };
  const first = await tx.execute<{ event_id: string }>(sql`
    select event_id
    from tocsin.event_keys
    where tenant_id = ${tenantId}
      and idempotency_key = ${idempotencyKey}`);
  const known = first.rows[0]?.event_id;
  // In a repeatable read transaction the other's row cannot be seen: the caller has to begin again.
  if (known === undefined) throw new Error(`event with key "${idempotencyKey}" was stored at the same time: try again`);
  return { eventId: known, duplicate: true };
}

async function writeEvent(tx: Orm, event: NewEvent, id?: string): Promise<string> {
  const written = await tx.execute<{ id: string }>(sql`
    with written as (
      insert into tocsin.events
        (id, tenant_id, source, entity_type, entity_id, operation, payload, previous, changed, actor, trace_context,
         idempotency_key, occurred_at)
      values (
        ${id === undefined ? sql`tocsin.new_id()` : sql`${id}::uuid`}, ${event.tenantId}, 'domain', ${event.entityType},
        ${event.entityId}, ${event.operation}, ${event.payload}::json, ${event.previous}::json, ${changedFields(event)},
        ${event.actor}, ${event.traceContext}, ${event.idempotencyKey},
        ${event.occurredAt === null ? sql`clock_timestamp()` : sql`${event.occurredAt.toISOString()}::timestamptz`})
      returning id
    )
    select id, case when not pg_try_advisory_xact_lock_shared(${idleLockKey}) then tocsin.wake_up() end
    from written`);
  const row = written.rows[0];
  if (!row) throw new Error('storing an event answered no id');
  return row.id;
}

/** The fields whose values differ from those before; as for a row, only updates have some. */
function changedFields({ operation, payload, previous }: NewEvent): SQL {
  if (operation !== 'update' || previous === null) return sql`null::text[]`;
  return sql`array(
          select key
          from jsonb_each(${payload}::jsonb) after
            full join jsonb_each(${previous}::jsonb) before using (key)
          where after.value is distinct from before.value
          order by key)`;
}
