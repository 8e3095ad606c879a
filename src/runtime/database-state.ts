import { type DatabaseTrouble, databaseTrouble } from '../store/database-trouble.ts';
import type { Logger } from './logger.ts';

/** Loops that fail look again within five seconds: trouble that none has met for longer is over. */
const quietMs = 6_000;

/**
 * Whether the database takes the worker's work. Trouble that nobody here can mend - it is read-only, full, away - is met by
 * every loop again and again; it is said once when it begins and once when it is over, and `/healthz` shows it meanwhile.
 */
export class DatabaseState {
  readonly #logger: Logger;
  #trouble: (DatabaseTrouble & { readonly lastAt: number }) | null = null;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** What is the matter; null when nothing is. */
  get trouble(): string | null {
    return this.#trouble?.sentence ?? null;
  }

  /** Notes what a loop failed with; false when it is no trouble of the database and somebody else has to say it. */
  failed(error: Error): boolean {
    const trouble = databaseTrouble(error);
    if (trouble === null) return false;
    // That connections are lost says less than what is known already.
    const isKnown = trouble.kind === this.#trouble?.kind || (trouble.kind === 'unreachable' && this.#trouble !== null);
    if (!isKnown) this.#logger.error({ error: error.message }, trouble.sentence);
    this.#trouble = { ...(isKnown && this.#trouble ? this.#trouble : trouble), lastAt: performance.now() };
    return true;
  }

  /** Notes that the database took a write. */
  wrote(): void {
    if (this.#trouble === null || performance.now() - this.#trouble.lastAt < quietMs) return;
    this.#trouble = null;
    this.#logger.info({}, 'the database takes work again');
  }
}
