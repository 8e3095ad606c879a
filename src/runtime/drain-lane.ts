import { setTimeout as wait } from 'node:timers/promises';
import type { EventProcessor, PreparedBatch } from '../engine/event-processor.ts';
import type { LowWaterMark } from '../engine/low-water-mark.ts';
import { idleLockKey } from '../model/wake-up.ts';
import {
  type ClaimedEvent,
  claimEvents,
  claimEventsBeyondOthers,
  claimEventsWithout,
  definitionsVersionOf,
  isAnyEventFree,
  readLastPosition,
  readOutboxBounds,
} from '../store/claim-events.ts';
import { type Connection, landed } from '../store/connection.ts';
import { CarefulMatching, isOfTheEvent } from './careful-matching.ts';
import type { Caution } from './caution.ts';
import type { ClaimingLane, ClaimPlan, FairClaims } from './fair-claims.ts';
import type { StartClaims } from './start-claims.ts';

export type DrainLaneOptions = {
  readonly processor: EventProcessor;
  /** Whether to go carefully, because a worker ended in the middle of its work; shared by the lanes. */
  readonly caution: Caution;
  /** What to claim, so that no tenant keeps the others waiting; shared by the lanes. */
  readonly fairness: FairClaims;
  /** Where claims from the start begin; shared by the lanes. */
  readonly lowWater: LowWaterMark;
  /** When to claim from the start again; shared by the lanes. */
  readonly startClaims: StartClaims;
  /** After an empty claim the lane claims again every millisecond for this long before it sleeps. */
  readonly lingerMs: number;
  /** A claim was full, or a batch takes long: there is more than one lane can take. */
  readonly onBacklog: () => void;
  /** Whether it helps another lane: then it goes only for what that one would not take alone. */
  readonly helps: boolean;
};

/**
 * A lane that keeps up claims again from so many positions back: what was committed after a later position is then seen with
 * the next claim. To pass by what was drained there costs little, and nothing while there is a backlog.
 */
const lookBackPositions = 500n;
/** A transaction costs as much as so many events, or a few more: two lanes that share fewer cost more than one and gain nothing. */
const worthALane = 10;
/** While a batch takes longer, other lanes are called to go on with what comes, ms. */
const longBatchMs = 50;

/**
 * One connection that drains the outbox. A batch is one flight: the writes of the batch before, its commit, and the claim
 * of the next travel together.
 *
 * The claim starts at the highest position claimed so far (see `claimEvents`), or a little below; a claim from the start (see
 * `LowWaterMark`) is made before sleeping, and every 250 ms by one of the lanes. While a tenant has a backlog, events of others go
 * first (see `FairClaims`), in batches of their own.
 */
export class DrainLane {
  readonly #connection: Connection;
  readonly #options: DrainLaneOptions;
  readonly #lane: ClaimingLane = { after: '0', restarts: 0 };
  #drained = 0;
  #wasExpress = false;
  #holdsIdleLock = false;
  readonly #careful: CarefulMatching;

  constructor(connection: Connection, options: DrainLaneOptions) {
    this.#connection = connection;
    this.#options = options;
    const prepare = (events: readonly ClaimedEvent[]) => this.#prepare(events);
    this.#careful = new CarefulMatching(connection, { prepare, caution: options.caution });
  }

  /**
   * Drains until a claim from the start finds nothing (one that helps: until one finds little), or `signal` is aborted. Answers
   * how many events were matched.
   */
  async drain(signal: AbortSignal): Promise<number> {
    const { fairness, caution, helps, startClaims } = this.#options;
    this.#drained = 0;
    try {
      if (caution.isRaised) await this.#drainCarefully(signal);
      let batch = await this.#begin('0');
      for (;;) {
        if (batch.events.length === 0) {
          if (batch.isEnd || signal.aborted) break;
          batch = await this.#claim(batch.plan.isWalk ? this.#lane.after : '0');
          continue;
        }
        if (batch.isFull) this.#options.onBacklog();
        if (signal.aborted || caution.isRaised || (helps && batch.isLittle)) {
          await this.#handle(batch, null);
          return this.#drained;
        }
        const isFromStart = startClaims.begin();
        if (batch.upTo !== null) this.#lane.after = batch.isFull ? batch.upTo : lookBack(batch.upTo);
        const startedAt = performance.now();
        batch = await this.#handle(batch, isFromStart ? '0' : this.#lane.after);
        if (isFromStart) startClaims.ended(performance.now() - startedAt);
      }
      await this.#connection.query('commit');
      return this.#drained;
    } finally {
      fairness.leave(this.#lane);
    }
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

  #isAnyEventFree(): Promise<boolean> {
    const { after, without } = this.#options.fairness.awake;
    return isAnyEventFree(this.#connection, { after: this.#fromMark(after), without });
  }

  async #begin(after: string): Promise<Batch> {
    const claimed = landed([this.#connection.query('begin'), this.#claim(after)]);
    this.#wakeUp();
    return (await claimed)[1];
  }

  /** Takes the advertisement back: writers no longer notify. Sent behind the claim, which need not wait for it. */
  #wakeUp(): void {
    if (!this.#holdsIdleLock) return;
    this.#holdsIdleLock = false;
    // Fails only with the connection, and then so does what comes next.
    this.#connection.query('select pg_advisory_unlock($1)', [idleLockKey]).catch(() => undefined);
  }

  /** Claims in the transaction that is open. */
  async #claim(after: string): Promise<Batch> {
    const { fairness, lowWater } = this.#options;
    const plan = fairness.plan(this.#lane, after);
    const startedAt = performance.now();
    const { start } = lowWater;
    const wantsWalk = fairness.wantsWalk;
    // What is claimed beside express events that go alone would be claimed for nothing.
    const unlessHolding = plan.express !== null && !this.#wasExpress;
    const [express, last, inOrder, bounds] = await landed([
      this.#claimExpress(plan.express),
      plan.express ? readLastPosition(this.#connection) : Promise.resolve(null),
      this.#claimInOrder(plan.inOrder, unlessHolding),
      wantsWalk ? readOutboxBounds(this.#connection, this.#fromMark('0')) : Promise.resolve(null),
      this.#lookForFirst(),
    ]);
    const made = unlessHolding && express.length > 0 ? { ...plan, inOrder: null } : plan;
    fairness.claimed(made, { express, inOrder, last, lastedMs: performance.now() - startedAt });
    if (bounds) fairness.beginWalk(this.#lane, bounds);
    const batch = this.#batchOf(made, { express, inOrder });
    // Something appeared below where this claim began.
    return lowWater.start < start ? { ...batch, isEnd: false } : batch;
  }

  /** The start, as far up as nothing waits below it. */
  #fromMark(after: string): string {
    return after === '0' ? String(this.#options.lowWater.start) : after;
  }

  /** Keeps the low-water mark where it belongs. */
  async #lookForFirst(): Promise<void> {
    const { lowWater } = this.#options;
    const after = lowWater.wantsLook();
    if (after === null) return;
    const startedAt = performance.now();
    try {
      const { first, last, lastedMs } = await readOutboxBounds(this.#connection, String(after));
      lowWater.looked({ after, first: first === null ? null : BigInt(first), next: BigInt(last) + 1n, lastedMs });
    } catch (error) {
      lowWater.failed(performance.now() - startedAt);
      throw error;
    }
  }

  async #claimExpress(claim: ClaimPlan['express']): Promise<ClaimedEvent[]> {
    if (claim === null) return [];
    const { range, without: tenants, limit } = claim;
    return claimEventsWithout(this.#connection, { ...range, tenants, limit });
  }

  async #claimInOrder(claim: ClaimPlan['inOrder'], unlessHolding: boolean): Promise<ClaimedEvent[]> {
    if (claim === null) return [];
    const { without: tenants, limit } = claim;
    const after = this.#fromMark(claim.after);
    if (tenants.length === 0) {
      const claimed = claim.after === '0' ? claimEvents : claimEventsBeyondOthers;
      return claimed(this.#connection, { after, limit, unlessHolding });
    }
    return claimEventsWithout(this.#connection, { after, upTo: null, tenants, limit, unlessHolding });
  }

  /**
   * Express events are handled alone: what others wait for is then over soon. Not twice in a row, so that neither keeps the other
   * waiting.
   */
  #batchOf(plan: ClaimPlan, claimed: { express: readonly ClaimedEvent[]; inOrder: readonly ClaimedEvent[] }): Batch {
    const { express, inOrder } = claimed;
    const isExpress = express.length > 0 && inOrder.length === 0;
    this.#wasExpress = isExpress;
    const isFull = inOrder.length === plan.inOrder?.limit;
    const isWalking = plan.isWalk || this.#options.fairness.isWalking(this.#lane);
    return {
      plan,
      events: express.length === 0 ? inOrder : distinct(isExpress ? express : [...express, ...inOrder]),
      upTo: isExpress ? null : (inOrder.at(-1)?.position ?? null),
      isFull,
      isLittle: plan.express === null && !isFull && inOrder.length < worthALane,
      isEnd: !isWalking && (plan.inOrder === null || plan.inOrder.after === '0'),
    };
  }

  async #drainCarefully(signal: AbortSignal): Promise<void> {
    const { caution } = this.#options;
    this.#wakeUp();
    const waiting = new Set<string>();
    while (caution.isRaised && !signal.aborted) caution.passed(await this.#careful.matchNext(waiting));
  }

  /** Writes what the batch comes to, commits, and claims the next one behind `next` (null: claims nothing more). */
  async #handle(batch: Batch, next: string | null): Promise<Batch> {
    const suspects = batch.events.filter(({ attempts }) => attempts > 0);
    if (suspects.length > 0) return this.#handleApart(batch, { suspects, next });
    const callingForHelp = setInterval(this.#options.onBacklog, longBatchMs);
    try {
      const prepared = await this.#prepare(batch.events);
      const writes = prepared.write(this.#connection);
      const commit = this.#connection.query(next === null ? 'commit' : 'commit and chain');
      const following = next === null ? [] : [this.#claim(next)];
      const written = landed([...writes, commit]).then(() => prepared.committed());
      const results = await landed([written, ...following]);
      return next === null ? nothing(batch) : (results.at(-1) as Batch);
    } catch (error) {
      await this.#connection.query('rollback');
      if (!isOfTheEvent(error)) throw error;
      await this.#careful.matchOneByOne(batch.events.map(({ position }) => position));
      return next === null ? nothing(batch) : this.#begin('0');
    } finally {
      clearInterval(callingForHelp);
    }
  }

  /** Decides what to write; tenants that used up a quota are left alone from now on. */
  async #prepare(events: readonly ClaimedEvent[]): Promise<PreparedBatch> {
    const version = definitionsVersionOf(events);
    const prepared = await this.#options.processor.prepare(this.#connection, events, version);
    const { waiting = [], committed } = prepared;
    for (const tenant of waiting) this.#options.fairness.wait(tenant);
    const matched = events.length - waiting.reduce((sum, tenant) => sum + tenant.events, 0);
    return {
      ...prepared,
      committed: () => {
        this.#drained += matched;
        committed();
      },
    };
  }

  /** Events that were tried before are matched alone, after the others of their batch. */
  async #handleApart(
    batch: Batch,
    { suspects, next }: { suspects: readonly ClaimedEvent[]; next: string | null },
  ): Promise<Batch> {
    const events = batch.events.filter(({ attempts }) => attempts === 0);
    if (events.length > 0) await this.#handle({ ...batch, events }, null);
    else await this.#connection.query('rollback');
    for (const suspect of suspects) await this.#careful.matchSuspect(suspect);
    return next === null ? nothing(batch) : this.#begin('0');
  }
}

type Batch = {
  readonly plan: ClaimPlan;
  readonly events: readonly ClaimedEvent[];
  /** The highest position that was claimed in order; null when that is as it was. */
  readonly upTo: string | null;
  /** The claim in order was full: there is more than one lane can take. */
  readonly isFull: boolean;
  /** One lane takes as much alone. */
  readonly isLittle: boolean;
  /** Nothing else waits, if there are no events in it. */
  readonly isEnd: boolean;
};

function lookBack(position: string): string {
  const from = BigInt(position) - lookBackPositions;
  return String(from > 0n ? from : 0n);
}

function nothing(batch: Batch): Batch {
  return { ...batch, events: [] };
}

/** Both claims may find the same, and a transaction does not skip what it has locked itself. */
function distinct(events: readonly ClaimedEvent[]): ClaimedEvent[] {
  return [...new Map(events.map((event) => [event.position, event])).values()];
}
