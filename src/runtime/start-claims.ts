/** The lower positions are looked at again this often, and never for more than a twentieth of the time. */
const everyMs = 250;
const share = 20;

/**
 * When a lane that goes on claims from the start of the outbox: each such claim steps over what all lanes hold, and one lane finds
 * what any of them would. One for all lanes of a drain.
 */
export class StartClaims {
  readonly #now: () => number;
  #nextAt = 0;

  constructor(options: { readonly now?: () => number } = {}) {
    this.#now = options.now ?? (() => performance.now());
  }

  /** Whether the next claim of the lane is to begin at the start; then say `ended` after it. The others leave it to this lane, for a while. */
  begin(): boolean {
    const now = this.#now();
    if (now < this.#nextAt) return false;
    this.#nextAt = now + everyMs;
    return true;
  }

  /** The claim and what it travelled with took so long, ms. */
  ended(lastedMs: number): void {
    this.#nextAt = Math.max(this.#nextAt, this.#now() + Math.max(everyMs, lastedMs * share));
  }
}
