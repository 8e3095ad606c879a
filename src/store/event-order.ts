import { bigintArray, textArray } from './array-parameter.ts';
import type { Runner } from './connection.ts';

/** An event that was claimed, and what it is about. */
export type EntityEvent = {
  readonly position: string;
  readonly tenantId: string;
  readonly entityType: string;
  readonly entityId: string;
};

/** What the index on entities goes by (`tocsin.index_event_order`). */
function entityHash(table: string): string {
  const text = ['tenant_id', 'entity_type', 'entity_id'].map((column) => `${table}.${column}`).join(' || chr(31) || ');
  return `hashtextextended(${text}, 0)`;
}

/**
 * Which of these events came before their turn: an earlier one about the same entity is still in the outbox - another worker
 * has it in hand, or it failed and waits - and not among `together`, which are matched in the same transaction.
 *
 * With the index that `indexEventOrder` makes it takes a look into it for each event; without it, it reads all that waits before them.
 */
export async function eventsBeforeTheirTurn(
  runner: Runner,
  events: readonly EntityEvent[],
  together: readonly string[],
): Promise<string[]> {
  const result = await runner.query<{ position: string }>({
    name: 'tocsin_events_before_their_turn',
    text: `
      select claimed.position
      from unnest($1::bigint[], $2::text[], $3::text[], $4::text[])
        as claimed (position, tenant_id, entity_type, entity_id)
      where exists (
        select
        from tocsin.events earlier
        where ${entityHash('earlier')} = ${entityHash('claimed')}
          and earlier.tenant_id = claimed.tenant_id
          and earlier.entity_type = claimed.entity_type
          and earlier.entity_id = claimed.entity_id
          and earlier.position < claimed.position
          and earlier.position < $5
          and earlier.position <> all($6::bigint[])
      )`,
    values: [
      bigintArray(events.map(({ position }) => position)),
      textArray(events.map(({ tenantId }) => tenantId)),
      textArray(events.map(({ entityType }) => entityType)),
      textArray(events.map(({ entityId }) => entityId)),
      String(events.reduce((last, { position }) => (BigInt(position) > last ? BigInt(position) : last), 0n)),
      bigintArray(together),
    ],
  });
  return result.rows.map(({ position }) => position);
}

/** A writer that has to wait for the index waits no longer, ms. */
const indexLockMs = 200;

/**
 * Makes the index that finds the events of an entity, for as long as the database stands: only where a workflow orders its
 * deliveries, because it costs every writer. Answers false when it has to be tried again: the outbox is not small, or in use.
 */
export async function indexEventOrder(runner: Runner): Promise<boolean> {
  const result = await runner.query<{ stands: boolean }>('select tocsin.index_event_order($1) as stands', [
    indexLockMs,
  ]);
  return result.rows[0]?.stands ?? false;
}

/** Leaves events in the outbox for a while; it costs them no attempt. */
export async function letEventsWait(
  runner: Runner,
  { positions, delayMs }: { positions: readonly string[]; delayMs: number },
): Promise<void> {
  if (positions.length === 0) return;
  await runner.query(
    `update tocsin.events
     set not_before = now() + $2 * interval '1 millisecond'
     where position = any($1::bigint[])`,
    [positions, delayMs],
  );
}
