/**
 * Where claims from a queue begin, so that they need not pass by all that was worked off before. What is worked off leaves dead
 * index entries, and while a forgotten transaction holds an old snapshot nothing removes them: a claim from the start then takes
 * longer with every row that was ever claimed.
 *
 * Places (positions of events, moments when rows are due) are given out before the row is committed, so a row can appear below
 * the mark. Two things find it:
 *
 * - The mark is behind by `settleMs`: a place counts as passed when nothing below it was to be seen then, and still is not.
 * - Looks from the start go on, each second, or for a twentieth of the time when they take longer than that allows. The mark
 *   goes down to what they find.
 *
 * As long as a look from the start is quick there is no mark at all, and every claim begins at the start.
 */
export type LowWaterMarkOptions = {
  /** For so long a place that was given out may not be visible yet, ms. */
  readonly settleMs: number;
  /** A look from the start that takes longer than this is costly, ms. Default 10. */
  readonly costlyMs?: number;
  /** Time of this process, ms; default `performance.now`. */
  readonly now?: () => number;
};

/** What a look found: the first row that is there, whoever holds it; else the place that is given out next. */
export type Look = {
  readonly after: bigint;
  readonly first: bigint | null;
  readonly next: bigint;
  /** On the server. */
  readonly lastedMs: number;
};

const lookEveryMs = 1_000;
/** Of the time, what looks from the start may take: one part in so many. */
const lookShare = 20;

type Mark = { readonly place: bigint; readonly atMs: number };

/** One for each queue and process; what claims find is theirs, this only says where they begin. */
export class LowWaterMark {
  readonly #options: Required<LowWaterMarkOptions>;
  #passed = 0n;
  #candidate: Mark | null = null;
  #isCostly = false;
  #nextLookAt = 0;
  #nextWholeLookAt = 0;
  #isLooking = false;

  constructor(options: LowWaterMarkOptions) {
    this.#options = { costlyMs: 10, now: () => performance.now(), ...options };
  }

  /** Claims begin behind this place; 0: at the start. */
  get start(): bigint {
    return this.#isCostly ? this.#passed : 0n;
  }

  /** How long it is until a look from the start is due, ms; endless while every claim begins there. */
  get restMs(): number {
    return this.#isCostly
      ? Math.max(1, Math.ceil(this.#nextWholeLookAt - this.#options.now()))
      : Number.POSITIVE_INFINITY;
  }

  /** Where to look for the first row now: answer with `looked`, or `failed`. Null: not yet, or somebody is looking. */
  wantsLook(): bigint | null {
    const now = this.#options.now();
    const isWhole = now >= this.#nextWholeLookAt;
    // While nothing was passed every look is one from the start.
    const isEarly = !isWhole && (this.#passed === 0n || now < this.#nextLookAt);
    if (this.#isLooking || isEarly) return null;
    this.#isLooking = true;
    this.#nextLookAt = now + lookEveryMs;
    return isWhole ? 0n : this.#passed;
  }

  /** The look failed after so long, ms: it is not made again and again, and claims need not wait for it. */
  failed(lastedMs: number): void {
    this.#isLooking = false;
    this.#isCostly ||= lastedMs > this.#options.costlyMs;
    this.#nextWholeLookAt = Math.max(this.#nextWholeLookAt, this.#options.now() + lastedMs * lookShare);
  }

  looked({ after, first, next, lastedMs }: Look): void {
    const now = this.#options.now();
    this.#isLooking = false;
    if (after === 0n) {
      this.#isCostly = lastedMs > this.#options.costlyMs;
      this.#nextWholeLookAt = now + Math.max(lookEveryMs, lastedMs * lookShare);
    }
    const place = (first ?? next) - 1n;
    if (place < this.#passed) this.#passed = place;
    if (this.#candidate === null || place < this.#candidate.place) {
      this.#candidate = { place, atMs: now };
    } else if (now - this.#candidate.atMs >= this.#options.settleMs) {
      this.#passed = this.#candidate.place;
      this.#candidate = { place, atMs: now };
    }
  }
}
