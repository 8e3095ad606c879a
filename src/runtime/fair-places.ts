export type FairPlacesOptions = {
  readonly places: number;
  /** Time of this process, ms; default `performance.now`. */
  readonly now?: () => number;
};

/** Others count as there for this long after a delivery of theirs. */
const othersStayMs = 60_000;

/** Whose attempts may begin: while others are there, no tenant has more than half of the places. */
export class FairPlaces {
  readonly #options: Required<FairPlacesOptions>;
  readonly #taken = new Map<string, number>();
  #lastTenant: string | null = null;
  #othersSeenAt = Number.NEGATIVE_INFINITY;

  constructor(options: FairPlacesOptions) {
    this.#options = { now: () => performance.now(), ...options };
  }

  /** A delivery of this tenant was leased. */
  meet(tenantId: string): void {
    if (tenantId === this.#lastTenant) return;
    if (this.#lastTenant !== null) this.#othersSeenAt = this.#options.now();
    this.#lastTenant = tenantId;
  }

  hasPlaceFor(tenantId: string): boolean {
    const { places, now } = this.#options;
    const areOthersThere = now() - this.#othersSeenAt < othersStayMs;
    return (this.#taken.get(tenantId) ?? 0) < (areOthersThere ? Math.ceil(places / 2) : places);
  }

  take(tenantId: string): void {
    this.#taken.set(tenantId, (this.#taken.get(tenantId) ?? 0) + 1);
  }

  leave(tenantId: string): void {
    const taken = (this.#taken.get(tenantId) ?? 0) - 1;
    if (taken > 0) this.#taken.set(tenantId, taken);
    else this.#taken.delete(tenantId);
  }
}
