import type { ClaimedEvent } from '../store/claim-events.ts';
import type { Runner } from '../store/connection.ts';
import { eventsBeforeTheirTurn, indexEventOrder } from '../store/event-order.ts';

/** How long an event waits that came before its turn, until it is looked at again. */
export const turnDelayMs = 250;

/**
 * Which events of a batch have to wait because an earlier one about the same entity is not matched yet, so that what they lead
 * to does not overtake it. `ordered` are those that start a workflow which orders its deliveries; nothing is asked for others.
 */
export async function holdBack(
  runner: Runner,
  options: { claimed: readonly ClaimedEvent[]; ordered: ReadonlySet<string>; orderIndex: OrderIndex },
): Promise<ReadonlySet<string>> {
  const { claimed, ordered, orderIndex } = options;
  const asked = claimed
    .filter(({ position, entityId }) => ordered.has(position) && entityId !== '')
    // What was claimed for others first stands first.
    .toSorted((one, other) => (BigInt(one.position) < BigInt(other.position) ? -1 : 1));
  if (asked.length === 0) return new Set();
  orderIndex.want();
  const together = claimed.map(({ position }) => position);
  // If the last one of an entity is not before its turn, no other one is.
  const last = new Map(asked.map((event) => [entityOf(event), event]));
  const heldLast = new Set(await eventsBeforeTheirTurn(runner, [...last.values()], together));
  if (heldLast.size === 0) return heldLast;
  const doubtful = asked.filter((event) => heldLast.has(last.get(entityOf(event))?.position ?? ''));
  const held = new Set(await eventsBeforeTheirTurn(runner, doubtful, together));
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

/** When the index could not be made, it is tried again after this. */
const indexAgainMs = 30_000;

/** Has the index made that `holdBack` finds earlier events by, in a database where workflows order their deliveries. */
export class OrderIndex {
  readonly #runner: Runner;
  #nextTryAt = 0;

  constructor(runner: Runner) {
    this.#runner = runner;
  }

  /** Somebody needs it: it is made beside the work, and tried for until it stands. */
  want(): void {
    if (performance.now() < this.#nextTryAt) return;
    this.#nextTryAt = performance.now() + indexAgainMs;
    indexEventOrder(this.#runner).then(
      (stands) => {
        if (stands) this.#nextTryAt = Number.POSITIVE_INFINITY;
      },
      // Order does not depend on it, and what is the matter with the database is said elsewhere.
      () => undefined,
    );
  }
}

function entityOf({ tenantId, entityType, entityId }: ClaimedEvent): string {
  return JSON.stringify([tenantId, entityType, entityId]);
}
