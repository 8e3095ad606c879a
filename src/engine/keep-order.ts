import type { ClaimedEvent } from '../store/claim-events.ts';
import type { Runner } from '../store/connection.ts';
import { eventsBeforeTheirTurn } from '../store/event-order.ts';

/** How long an event waits that came before its turn, until it is looked at again. */
export const turnDelayMs = 250;

/**
 * Which events of a batch have to wait because an earlier one about the same entity is not matched yet, so that what they lead
 * to does not overtake it. `ordered` are those that start a workflow which orders its deliveries; nothing is asked for others.
 */
export async function holdBack(
  runner: Runner,
  { claimed, ordered }: { claimed: readonly ClaimedEvent[]; ordered: ReadonlySet<string> },
): Promise<ReadonlySet<string>> {
  const asked = claimed.filter(({ position, entityId }) => ordered.has(position) && entityId !== '');
  if (asked.length === 0) return new Set();
  const together = claimed.map(({ position }) => position);
  const held = new Set(await eventsBeforeTheirTurn(runner, asked, together));
  if (held.size === 0) return held;
  // What comes after one that waits, waits too.
  const firstHeld = new Map<string, bigint>();
  for (const event of asked) {
    const position = BigInt(event.position);
    const first = firstHeld.get(entityOf(event));
    if (held.has(event.position) && (first === undefined || position < first)) firstHeld.set(entityOf(event), position);
  }
  for (const event of asked) {
    const first = firstHeld.get(entityOf(event));
    if (first !== undefined && BigInt(event.position) > first) held.add(event.position);
  }
  return held;
}

function entityOf({ tenantId, entityType, entityId }: ClaimedEvent): string {
  return JSON.stringify([tenantId, entityType, entityId]);
}
