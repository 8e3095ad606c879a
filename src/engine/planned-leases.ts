import { executionId } from '../model/derived-id.ts';
import type { ClaimedDelivery } from '../store/pending-deliveries.ts';
import type { NewDelivery } from '../store/write-plan.ts';
import type { DeliverySource } from './attempt-delivery.ts';
import type { Match } from './match-batch.ts';
import type { QuotaBook } from './quota-book.ts';

/** How many attempts a process could begin now. */
export type Places = {
  /** Whoever they are of: none while anything else is due. */
  readonly free: number;
  /** Beside the backlog of others: places that those may not take. */
  readonly beside: number;
  /** Tenants of which deliveries are leased here and have not begun. */
  readonly ahead: ReadonlySet<string>;
  /** Of these queues; null: of all. */
  readonly queues: readonly string[] | null;
};

export type PlannedLeasesOptions = {
  readonly quotas: QuotaBook;
  /** Action types this process knows. */
  readonly actionTypes: () => readonly string[];
  /** Tenants of which deliveries in these queues are due; null when that is not known of all. */
  readonly stillInLine: (queues: readonly string[] | null) => ReadonlySet<string> | null;
};

const nobody: ReadonlySet<string> = new Set();

/**
 * Deliveries that are leased by the statement that plans them, so that their first attempts begin right after the commit, without a
 * claim. The row is what a claim would have made of it: the attempt counted before it is made, a token that fences it, a lease
 * after which others take it over.
 *
 * What a claim weighs is not weighed here. So it is done only while nothing can be at stake: this process has places and nothing
 * else is due (`Places`), nobody has a quota of deliveries, and none of the batch keeps an order. Else all of the batch waits for
 * a claim. Beside a backlog the same goes for the deliveries of tenants of which nothing is due, nor leased and waiting for a place:
 * a claim would let them go first.
 */
export class PlannedLeases {
  readonly #options: PlannedLeasesOptions;
  readonly #sources = new WeakMap<ClaimedDelivery, DeliverySource>();
  #places: (() => Places) | null = null;

  constructor(options: PlannedLeasesOptions) {
    this.#options = options;
  }

  /** Asks from now on how many attempts could begin; null: none are taken. */
  offer(places: (() => Places) | null): void {
    this.#places = places;
  }

  /** Those of the deliveries to lease: all that wait, all of tenants that are not in line, or none. */
  pick(deliveries: readonly NewDelivery[]): readonly NewDelivery[] {
    const { quotas, actionTypes, stillInLine } = this.#options;
    const waiting = this.#places === null ? [] : deliveries.filter(({ status }) => status === 'pending');
    if (waiting.length === 0 || this.#places === null) return [];
    const { free, beside, ahead, queues } = this.#places();
    const inLine = free > 0 ? nobody : stillInLine(queues);
    if (inLine === null || quotas.anybodyHas('deliveriesPerMinute')) return [];
    const first = free > 0 ? nobody : new Set([...inLine, ...ahead]);
    const pending = waiting.filter(({ tenantId }) => !first.has(tenantId));
    if (pending.length > (first.size > 0 ? beside : free)) return [];
    const known = actionTypes();
    const canBeginNow = ({ place, queue, actionType }: NewDelivery) =>
      place === null && known.includes(actionType) && (queues === null || queues.includes(queue));
    return pending.every(canBeginNow) ? pending : [];
  }

  /** Keeps what the leased deliveries are of, which was just matched. */
  remember(leased: readonly ClaimedDelivery[], matches: readonly Match[]): void {
    const sources = new Map<string, DeliverySource>(
      matches.map(({ event, workflow }) => [
        executionId(event.id, workflow.workflowId, workflow.version),
        { event, workflow },
      ]),
    );
    for (const delivery of leased) {
      const source = sources.get(delivery.executionId);
      if (source) this.#sources.set(delivery, source);
    }
  }

  /** What a delivery is of, if it was leased as it was planned. */
  sourceOf(delivery: ClaimedDelivery): DeliverySource | undefined {
    return this.#sources.get(delivery);
  }
}
