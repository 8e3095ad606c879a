import type { Runner } from './connection.ts';
import type { StoredEvent } from './read-events.ts';

/** An event of the outbox, locked by the transaction that claimed it. */
export type ClaimedEvent = StoredEvent & {
  readonly position: string;
  /** An image is large and stands as null: `readLargeEvent` brings it. */
  readonly isLarge: boolean;
  readonly attempts: number;
};

/** Images above this many bytes are read one event at a time, so that a batch of big rows does not fill the memory. */
const largeBytes = 65_536;

/** What is stored in no more than this is not large, even if it was compressed: spares most images a conversion to text. */
const smallBytes = 1_000;

/** SQL that says whether an image may come with its batch; null when there is none. */
function fits(image: 'payload' | 'previous'): string {
  return `(pg_column_size(${image}) <= ${smallBytes} or octet_length(${image}::text) <= ${largeBytes})`;
}

const claimText = `
  select position, id, tenant_id as "tenantId", source, entity_type as "entityType", entity_id as "entityId", operation,
    case when ${fits('payload')} then payload::text end as payload,
    case when ${fits('previous')} then previous::text end as previous,
    not (coalesce(${fits('payload')}, true) and coalesce(${fits('previous')}, true)) as "isLarge",
    changed, actor, trace_context as "traceContext", idempotency_key as "idempotencyKey",
    (extract(epoch from occurred_at) * 1000)::float8 as "occurredAtMs", attempts
  from tocsin.events
  where position > $1
    and (not_before is null or not_before <= now())
  order by position
  limit $2
  for update skip locked`;

/**
 * Locks up to `limit` events with positions above `after` until the transaction ends; others skip them.
 *
 * Positions are given at insert and become visible at commit, so a lower one can appear later: `after` is an optimisation
 * for a drain under load (it skips the dead rows of what was drained), never a cursor. Claim with 0 before sleeping.
 */
export async function claimEvents(runner: Runner, options: { after: string; limit: number }): Promise<ClaimedEvent[]> {
  const result = await runner.query<ClaimedEvent>({
    name: 'tocsin_claim_events',
    text: claimText,
    values: [options.after, options.limit],
  });
  return result.rows;
}

/** Locks these events, if they still wait. */
export async function claimEventsAt(runner: Runner, positions: readonly string[]): Promise<ClaimedEvent[]> {
  const result = await runner.query<ClaimedEvent>(
    claimText.replace('position > $1', 'position = any($1::bigint[])').replace('limit $2', ''),
    [positions],
  );
  return result.rows;
}

/** The images of a large event, as JSON text. */
export async function readLargeEvent(
  runner: Runner,
  position: string,
): Promise<{ payload: string | null; previous: string | null }> {
  const result = await runner.query<{ payload: string | null; previous: string | null }>(
    `select payload::text as payload, previous::text as previous
     from tocsin.events
     where position = $1`,
    [position],
  );
  return result.rows[0] ?? { payload: null, previous: null };
}
