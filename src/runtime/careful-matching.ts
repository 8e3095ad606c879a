import type { PreparedBatch } from '../engine/event-processor.ts';
import type { Reason } from '../model/reason.ts';
import { type ClaimedEvent, claimEventsAt } from '../store/claim-events.ts';
import { type Connection, landed } from '../store/connection.ts';
import { giveUpEvent, postponeEvent } from '../store/finish-events.ts';
import { countAttempt, countFirstAttempts, takeBackAttempts } from '../store/suspect-events.ts';
import type { Caution } from './caution.ts';

/** How often an event is tried before it becomes a dead letter, and the wait after the first failure (doubling). */
const maxAttempts = 5;
const firstRetryMs = 1_000;
/** Small enough to be taken one by one if one of them ends the process. */
const carefulBatch = 100;

/**
 * Matches events of which one may be poison: it throws, or it ends the process.
 *
 * One that throws is found by trying each in a transaction of its own. One that ends the process (a crash in native code, no
 * more memory) takes everything along that the process had in hand, and nothing of it is stored: so after a process has ended
 * without a word, attempts are counted before they are made - of events that were never tried a batch at a time, of those
 * whose attempt was counted and came to nothing one at a time. The poison runs out of attempts; what shared a batch with it
 * is matched on its own.
 */
export class CarefulMatching {
  readonly #connection: Connection;
  readonly #options: CarefulMatchingOptions;

  constructor(connection: Connection, options: CarefulMatchingOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /**
   * Matches the next events in line that were never tried, their attempts counted; answers how many there were. `waiting` are
   * tenants whose events stay in the outbox; others that turn out to are added.
   */
  async matchNext(waiting: Set<string>): Promise<number> {
    const positions = await countFirstAttempts(this.#connection, { limit: carefulBatch, without: [...waiting] });
    if (positions.length === 0) return 0;
    try {
      for (const tenant of await this.#match(positions, { isCounted: true })) waiting.add(tenant);
    } catch (error) {
      if (!isOfTheEvent(error)) throw error;
      for (const position of positions) await this.#matchOne(position, { isCounted: true });
    }
    return positions.length;
  }

  /** Matches an event that was tried before, its attempt counted, and no other such event of this process beside it. */
  async matchSuspect({ position, attempts }: { position: string; attempts: number }): Promise<void> {
    await this.#options.caution.alone(async () => {
      // A failure at the last attempt is recorded by whoever made it.
      if (attempts >= maxAttempts) return this.#settle(position, () => ({ failure: 'worker_crashed', attempts }));
      const delayMs = firstRetryMs * 2 ** (attempts - 1);
      if (await countAttempt(this.#connection, { position, attempts, delayMs })) {
        await this.#matchOne(position, { isCounted: true });
      }
    });
  }

  /** After a batch failed: each event in a transaction of its own, so that a poisonous one harms no other. */
  async matchOneByOne(positions: readonly string[]): Promise<void> {
    for (const position of positions) await this.#matchOne(position, { isCounted: false });
  }

  async #matchOne(position: string, { isCounted }: Counted): Promise<void> {
    try {
      await this.#match([position], { isCounted });
    } catch (error) {
      if (!isOfTheEvent(error)) throw error;
      const message = error instanceof Error ? error.message : String(error);
      await this.#settle(position, (before) => {
        const attempts = isCounted ? before : before + 1;
        return { failure: `${'event_unreadable' satisfies Reason}: ${message}`.slice(0, 1_000), attempts };
      });
    }
  }

  /** Matches these events, as far as nobody else holds them, in one transaction; answers the tenants whose events have to wait. */
  async #match(positions: readonly string[], { isCounted }: Counted): Promise<string[]> {
    const connection = this.#connection;
    try {
      const [, events] = await landed([connection.query('begin'), claimEventsAt(connection, positions)]);
      if (events.length === 0) {
        await connection.query('commit');
        return [];
      }
      const prepared = await this.#options.prepare(events);
      const waiting = (prepared.waiting ?? []).map(({ tenantId }) => tenantId);
      const writes = [...prepared.write(connection)];
      if (isCounted) {
        const taken = events.map(({ position }) => position);
        writes.push(takeBackAttempts(connection, taken));
      }
      await landed([...writes, connection.query('commit')]);
      prepared.committed();
      return waiting;
    } catch (error) {
      await connection.query('rollback');
      throw error;
    }
  }

  /** After a failed attempt: gives the event up, or lets it wait. */
  async #settle(position: string, failed: (attempts: number) => { failure: string; attempts: number }): Promise<void> {
    const connection = this.#connection;
    await connection.query('begin');
    const [event] = await claimEventsAt(connection, [position]);
    if (event) {
      const { failure, attempts } = failed(event.attempts);
      if (attempts >= maxAttempts) await giveUpEvent(connection, { position, failure, attempts });
      else await postponeEvent(connection, { position, attempts, delayMs: firstRetryMs * 2 ** (attempts - 1) });
    }
    await connection.query('commit');
  }
}

export type CarefulMatchingOptions = {
  readonly prepare: (events: readonly ClaimedEvent[]) => Promise<PreparedBatch>;
  readonly caution: Caution;
};

/** Whether the attempt was counted before it was made. */
type Counted = { readonly isCounted: boolean };

/** Classes of SQLSTATE that are about the data: data exception, integrity constraint violation. */
const dataClasses = ['22', '23'];

/**
 * Whether an error is about an event, and not about the database or the way to it: a full disk, a lock, a timeout or a lost
 * connection costs no event an attempt, the lane tries again.
 */
export function isOfTheEvent(error: unknown): boolean {
  if (!(error instanceof Error)) return true;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : null;
  if (code !== null) return dataClasses.includes(code.slice(0, 2));
  return !/timeout|terminated|not queryable|connection/i.test(error.message);
}
