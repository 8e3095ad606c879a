import { OtherTenants } from '../engine/other-tenants.ts';

export type FairPlacesOptions = {
  readonly places: number;
  /** Time of this process, ms; default `performance.now`. */
  readonly now?: () => number;
};

/** Whose attempts may begin: while others are there, no tenant has more than half of the places. */
export class FairPlaces {
  readonly #places: number;
  readonly #others: OtherTenants;
  readonly #taken = new Map<string, number>();

  constructor({ places, now = () => performance.now() }: FairPlacesOptions) {
    this.#places = places;
    this.#others = new OtherTenants(now);
  }

  /** These were leased. */
  meet(deliveries: readonly { readonly tenantId: string }[]): void {
    this.#others.meet(deliveries);
  }

  hasPlaceFor(tenantId: string): boolean {
    const most = this.#others.areThere ? Math.ceil(this.#places / 2) : this.#places;
    return (this.#taken.get(tenantId) ?? 0) < most;
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
