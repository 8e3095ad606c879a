/** A change of one entity, as the event it must come to says it. */
export type Change = {
  readonly tenantId: string;
  readonly entityType: string;
  readonly entityId: string;
  readonly operation: string;
};

/** How a writer's transaction ended, as far as the writer knows. */
export type WriterOutcome = 'committed' | 'rolled_back' | 'unknown';

/** What writers did: the other side of "every committed change has one event". */
export class WriterLedger {
  readonly #counts = new Map<string, { readonly change: Change; committed: number; unknown: number }>();
  /** Ids that were answered for domain events that were stored. */
  readonly eventIds = new Set<string>();

  /** Notes a change and how its transaction ended; `eventId` is what a dispatch answered. */
  note(change: Change, outcome: WriterOutcome, eventId?: string): void {
    const key = JSON.stringify([change.tenantId, change.entityType, change.entityId, change.operation]);
    const entry = this.#counts.get(key) ?? { change, committed: 0, unknown: 0 };
    if (outcome !== 'rolled_back') entry[outcome] += 1;
    this.#counts.set(key, entry);
    if (eventId !== undefined) this.eventIds.add(eventId);
  }

  /** Each change with how many events it has for certain, and how many it may have more. */
  get entries(): readonly (Change & { readonly committed: number; readonly unknown: number })[] {
    return [...this.#counts.values()].map(({ change, committed, unknown }) => ({ ...change, committed, unknown }));
  }
}
