/** Others count as there for this long after a row of theirs. */
const othersStayMs = 60_000;

/** Whether several tenants have rows of late: only then is anything kept for others than the one whose turn it is. */
export class OtherTenants {
  readonly #now: () => number;
  #lastTenant: string | null = null;
  #seenAt = Number.NEGATIVE_INFINITY;

  /** @param now time of this process, ms */
  constructor(now: () => number) {
    this.#now = now;
  }

  get areThere(): boolean {
    return this.#now() - this.#seenAt < othersStayMs;
  }

  /** These were claimed or leased, in this order. */
  meet(rows: readonly { readonly tenantId: string }[]): void {
    for (const { tenantId } of rows) {
      if (tenantId === this.#lastTenant) continue;
      if (this.#lastTenant !== null) this.#seenAt = this.#now();
      this.#lastTenant = tenantId;
    }
  }
}
