export type ClaimAheadOptions = {
  /** No more than this many. */
  readonly most: number;
  /** What is claimed ahead begins within this time at the pace of the attempts before, ms. Default 50. */
  readonly withinMs?: number;
  /** Time of this process, ms; default `performance.now`. */
  readonly now?: () => number;
};

/**
 * How many deliveries to lease beyond those that can begin at once, so that quick ones do not wait for the claim of the next.
 * As many as attempts have ended of late: where they take long none is leased that another process could begin sooner.
 */
export class ClaimAhead {
  readonly #options: Required<ClaimAheadOptions>;
  #ended = 0;
  #since: number;
  #count = 0;

  constructor(options: ClaimAheadOptions) {
    this.#options = { withinMs: 50, now: () => performance.now(), ...options };
    this.#since = this.#options.now();
  }

  /** As it was at the last claim. */
  get count(): number {
    return this.#count;
  }

  /** An attempt has ended that was really made. */
  ended(): void {
    this.#ended += 1;
  }

  /** Before a claim: decides anew, by what has ended since the claim before. */
  decide(): void {
    const { most, withinMs, now } = this.#options;
    const elapsedMs = Math.max(1, now() - this.#since);
    this.#count = Math.min(most, Math.floor((this.#ended / elapsedMs) * withinMs));
    this.#ended = 0;
    this.#since = now();
  }
}
