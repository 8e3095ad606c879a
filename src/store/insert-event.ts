import { sql } from 'drizzle-orm';
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
  /** `model/causation.ts` */
  readonly causation: string | null;
};

/**
 * Stores a domain event in the outbox, in the transaction of `tx`, and wakes a sleeping drain at its commit. An idempotency
 * key that stands already answers the event it stands for; a transaction that stored it and is still open is waited for. The
 * caller needs nothing but the right to call `tocsin.dispatch_event`.
 *
 * @param options.maxPayloadBytes the quota of a tenant that has none of its own
 * @returns `eventId` null when the images are larger than the tenant's quota, `mostBytes`: nothing is stored
 * @throws when a repeatable read transaction cannot see the event that has the key: the caller has to begin again
 */
export async function insertEvent(
  tx: Orm,
  event: NewEvent,
  options: { maxPayloadBytes: number | null },
): Promise<{ eventId: string; duplicate: boolean } | { eventId: null; mostBytes: number }> {
  const result = await tx.execute<{ eventId: string | null; duplicate: boolean; mostBytes: number }>(sql`
    select event_id as "eventId", duplicate, most_bytes as "mostBytes"
    from tocsin.dispatch_event(
      ${event.tenantId}, ${event.entityType}, ${event.entityId}, ${event.operation}, ${event.payload}, ${event.previous},
      ${event.actor}, ${event.traceContext}, ${event.idempotencyKey}, ${event.occurredAt?.toISOString() ?? null},
      ${event.causation}, ${options.maxPayloadBytes})`);
  const { eventId, duplicate, mostBytes } = result.rows[0] as (typeof result.rows)[number];
  return eventId === null ? { eventId, mostBytes } : { eventId, duplicate };
}
