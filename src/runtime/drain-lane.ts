import { setTimeout as wait } from 'node:timers/promises';
import type { EventProcessor } from '../engine/event-processor.ts';
import { idleLockKey } from '../model/wake-up.ts';
import { type ClaimedEvent, claimEvents, claimEventsAt } from '../store/claim-events.ts';
import { type Connection, landed } from '../store/connection.ts';
import { giveUpEvent, postponeEvent } from '../store/finish-events.ts';
import { readDefinitionsVersion } from '../store/load-definitions.ts';

export type DrainLaneOptions = {
  readonly processor: EventProcessor;
  readonly batchSize: number;
  /** After an empty claim the lane claims again every millisecond for this long before it sleeps. */
  readonly lingerMs: number;
  /** A claim was full: there is more than one lane can take. */
  readonly onBacklog: () => void;
};

/** How often an event is tried before it becomes a dead letter, and the wait after the first failure (doubling). */
const maxEventAttempts = 5;
const firstRetryMs = 1_000;

/** The lower positions are looked at again this often, and never for more than a twentieth of the time. */
const fullClaimEveryMs = 250;
const fullClaimShare = 20;

/**
 * One connection that drains the outbox. A batch is one flight: the writes of the batch before, its commit, and the claim
 * of the next travel together.
 *
 * The claim starts at the highest position claimed so far (see `claimEvents`); a claim from the start is made before
 * sleeping and every 250 ms.
 */
export class DrainLane {
  readonly #connection: Connection;
  readonly #options: DrainLaneOptions;
  #floor = '0';
  #nextFullClaimAt = 0;
  #holdsIdleLock = false;

  constructor(connection: Connection, options: DrainLaneOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  /** Drains until a claim from the start finds nothing, or `signal` is aborted. Answers how many events were matched. */
  async drain(signal: AbortSignal): Promise<number> {
    let drained = 0;
    let isFull = true;
    let batch = await this.#begin('0');
    for (;;) {
      if (batch.events.length === 0) {
        if (isFull || signal.aborted) break;
        isFull = true;
        batch = await this.#reclaim('0');
        continue;
      }
      drained += batch.events.length;
      if (batch.events.length === this.#options.batchSize) this.#options.onBacklog();
      if (signal.aborted) {
        await this.#handle(batch, null);
        return drained;
      }
      isFull = performance.now() >= this.#nextFullClaimAt;
      this.#floor = isFull ? '0' : (batch.events.at(-1) as ClaimedEvent).position;
      const startedAt = performance.now();
      batch = await this.#handle(batch, this.#floor);
      if (isFull) this.#scheduleFullClaim(performance.now() - startedAt);
    }
    await this.#connection.query('commit');
    return drained;
  }

  /** Claims again and again for the linger time; true as soon as there is something to drain. */
  async linger(): Promise<boolean> {
    const until = performance.now() + this.#options.lingerMs;
    while (performance.now() < until) {
      await wait(1);
      if (await this.#isAnyEventFree()) return true;
    }
    return false;
  }

  /**
   * Advertises that this drain sleeps, so that writers notify. `drain` takes it back.
   *
   * @returns `asleep` when advertised and nothing waits; `events` when something came meanwhile; `others` when another drain
   * sleeps already (its NOTIFY wakes all); `writers` when transactions that wrote events without notifying are still open
   */
  async fallAsleep(): Promise<'asleep' | 'events' | 'others' | 'writers'> {
    const [lock, isAnyFree] = await landed([
      this.#connection.query('select pg_try_advisory_lock($1) as taken', [idleLockKey]),
      this.#isAnyEventFree(),
    ]);
    this.#holdsIdleLock = lock.rows[0].taken;
    if (isAnyFree) return 'events';
    if (this.#holdsIdleLock) return 'asleep';
    const shared = await this.#connection.query('select pg_try_advisory_lock_shared($1) as taken', [idleLockKey]);
    if (!shared.rows[0].taken) return 'others';
    await this.#connection.query('select pg_advisory_unlock_shared($1)', [idleLockKey]);
    return 'writers';
  }

  async close(): Promise<void> {
    await this.#connection.end();
  }

  /** Whether an event waits that nobody holds. */
  async #isAnyEventFree(): Promise<boolean> {
    const result = await this.#connection.query({
      name: 'tocsin_any_event',
      text: `
        select 1
        from tocsin.events
        where not_before is null or not_before <= now()
        limit 1
        for update skip locked`,
    });
    return result.rows.length > 0;
  }

  #scheduleFullClaim(lastedMs: number): void {
    this.#nextFullClaimAt = performance.now() + Math.max(fullClaimEveryMs, lastedMs * fullClaimShare);
  }

  async #begin(after: string): Promise<Batch> {
    const claimed = landed([this.#connection.query('begin'), ...this.#claim(after)]);
    this.#wakeUp();
    const [, events, version] = await claimed;
    return { events, version };
  }

  /** Takes the advertisement back: writers no longer notify. Sent behind the claim, which need not wait for it. */
  #wakeUp(): void {
    if (!this.#holdsIdleLock) return;
    this.#holdsIdleLock = false;
    // Fails only with the connection, and then so does what comes next.
    this.#connection.query('select pg_advisory_unlock($1)', [idleLockKey]).catch(() => undefined);
  }

  /** Claims more in the transaction that is open. */
  async #reclaim(after: string): Promise<Batch> {
    const [events, version] = await landed(this.#claim(after));
    return { events, version };
  }

  #claim(after: string): [Promise<ClaimedEvent[]>, Promise<number>] {
    return [
      claimEvents(this.#connection, { after, limit: this.#options.batchSize }),
      readDefinitionsVersion(this.#connection),
    ];
  }

  /** Writes what the batch comes to, commits, and claims the next one behind `next` (null: claims nothing more). */
  async #handle(batch: Batch, next: string | null): Promise<Batch> {
    try {
      const prepared = await this.#options.processor.prepare(this.#connection, batch.events, batch.version);
      const writes = prepared.write(this.#connection);
      const commit = this.#connection.query('commit');
      const following = next === null ? [] : [this.#connection.query('begin'), ...this.#claim(next)];
      const written = landed([...writes, commit]).then(() => prepared.committed());
      const results = await landed([written, ...following]);
      const [events, version] = results.slice(-2) as [ClaimedEvent[], number];
      return next === null ? { events: [], version: batch.version } : { events, version };
    } catch (error) {
      await this.#connection.query('rollback');
      if (!isOfTheEvent(error)) throw error;
      await this.#handleOneByOne(batch);
      return next === null ? { events: [], version: batch.version } : this.#begin('0');
    }
  }

  /** After a batch failed: each event in a transaction of its own, so that a poisonous one harms no other. */
  async #handleOneByOne(batch: Batch): Promise<void> {
    for (const { position } of batch.events) {
      await this.#connection.query('begin');
      try {
        const [event] = await claimEventsAt(this.#connection, [position]);
        if (event) {
          const prepared = await this.#options.processor.prepare(this.#connection, [event], batch.version);
          await landed([...prepared.write(this.#connection), this.#connection.query('commit')]);
          prepared.committed();
        } else {
          await this.#connection.query('commit');
        }
      } catch (error) {
        await this.#connection.query('rollback');
        if (!isOfTheEvent(error)) throw error;
        await this.#putOff(position, error);
      }
    }
  }

  async #putOff(position: string, error: unknown): Promise<void> {
    await this.#connection.query('begin');
    const [event] = await claimEventsAt(this.#connection, [position]);
    if (event) {
      const attempts = event.attempts + 1;
      const message = error instanceof Error ? error.message : String(error);
      if (attempts >= maxEventAttempts) {
        await giveUpEvent(this.#connection, {
          position,
          failure: `event_unreadable: ${message}`.slice(0, 1000),
          attempts,
        });
      } else {
        await postponeEvent(this.#connection, { position, attempts, delayMs: firstRetryMs * 2 ** (attempts - 1) });
      }
    }
    await this.#connection.query('commit');
  }
}

/** Classes of SQLSTATE that are about the data: data exception, integrity constraint violation. */
const dataClasses = ['22', '23'];

/**
 * Whether an error is about an event, and not about the database or the way to it: a full disk, a lock, a timeout or a lost
 * connection costs no event an attempt, the lane tries again.
 */
function isOfTheEvent(error: unknown): boolean {
  if (!(error instanceof Error)) return true;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : null;
  if (code !== null) return dataClasses.includes(code.slice(0, 2));
  return !/timeout|terminated|not queryable|connection/i.test(error.message);
}

type Batch = { readonly events: readonly ClaimedEvent[]; readonly version: number };
