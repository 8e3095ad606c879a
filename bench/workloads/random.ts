/** A source of chance that says the same on every machine (mulberry32). */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  /** From 0, below 1. */
  share(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** A whole number from 0, below `limit`. */
  below(limit: number): number {
    return Math.floor(this.share() * limit);
  }

  /** One of them. */
  pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)] as T;
  }

  /** So many of them, each at most once, in the order they stand. */
  some<T>(values: readonly T[], count: number): T[] {
    const chosen = values
      .map((value, index) => ({ value, index, rank: this.share() }))
      .sort((one, other) => one.rank - other.rank)
      .slice(0, count);
    return chosen.sort((one, other) => one.index - other.index).map(({ value }) => value);
  }
}
