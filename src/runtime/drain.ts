import { EventEmitter, once } from 'node:events';
import type { EventProcessor } from '../engine/event-processor.ts';
import { LowWaterMark } from '../engine/low-water-mark.ts';
import { connect, idleInTransactionMs } from '../store/connection.ts';
import type { Database } from '../store/database.ts';
import { Caution } from './caution.ts';
import { DrainLane } from './drain-lane.ts';
import { FairClaims } from './fair-claims.ts';
import { StartClaims } from './start-claims.ts';

export type DrainOptions = {
  readonly database: Database;
  readonly processor: EventProcessor;
  /** Connections that drain at once. Default 2. */
  readonly lanes?: number;
  /** Events per claim. Default 500. */
  readonly batchSize?: number;
  /** Longest sleep, ms: the safety net when no NOTIFY arrives. Default 1,000. */
  readonly pollMs?: number;
  /** How long an idle lane looks again before it sleeps, ms. Default 3. */
  readonly lingerMs?: number;
  /** False behind a transaction pooler, where neither NOTIFY nor session locks work: then it polls. Default true. */
  readonly useNotify?: boolean;
  /** A look at the start of the outbox that takes longer is costly (see `LowWaterMark`), ms. Default 10. */
  readonly costlyLookMs?: number;
};

type LaneOptions = {
  /** A statement that takes longer has failed, ms. */
  readonly withinMs: number;
  readonly helps: boolean;
  readonly onError: (error: Error) => void;
};

type DrainEvents = { drained: [count: number]; asleep: []; failed: [error: Error] };

/** A position that was given out this long ago is visible, or its transaction is a slow one. */
const positionsSettleMs = 1_000;
/** While transactions are open that wrote events without notifying, the drain looks again: after 1 ms, 2, 4, up to 20. */
const openWritersPollMs = { first: 1, longest: 20 };
const longestErrorDelayMs = 5_000;
/**
 * A lane whose connection does not answer within the first gets another: so a connection that swallows packets is noticed. One
 * that does not answer from the start is followed by one that has twice as long, up to the second: a database that is only
 * slow must not be asked for the same in vain for ever.
 */
const answerWithinMs = { first: 10_000, longest: 60_000 };

/**
 * Drains the outbox until stopped: several lanes while there is work; when there is none one of them advertises that it
 * sleeps (see `model/wake-up.ts`) and all wait for `wake()` or the poll interval. A lane whose connection dies gets a new one.
 */
export class Drain extends EventEmitter<DrainEvents> {
  readonly #options: Required<DrainOptions>;
  readonly #fairness: FairClaims;
  readonly #lowWater: LowWaterMark;
  readonly #caution = new Caution();
  readonly #startClaims = new StartClaims();
  /** Wakes the sentinel. */
  readonly #bell = new EventEmitter<{ ring: [] }>();
  /** Calls the other lanes to help. */
  readonly #backlog = new EventEmitter<{ ring: [] }>();
  #stopping = new AbortController();
  #lanes: Promise<void>[] = [];
  #isWoken = false;

  constructor(options: DrainOptions) {
    super();
    this.#options = {
      lanes: 2,
      batchSize: 500,
      pollMs: 1_000,
      lingerMs: 3,
      useNotify: true,
      costlyLookMs: 10,
      ...options,
    };
    for (const name of ['lanes', 'batchSize', 'pollMs'] as const) {
      if (!(this.#options[name] >= 1)) throw new Error(`drain: ${name} must be at least 1, not ${this.#options[name]}`);
    }
    this.#backlog.setMaxListeners(0);
    this.#fairness = new FairClaims({ batchSize: this.#options.batchSize });
    this.#lowWater = new LowWaterMark({ settleMs: positionsSettleMs, costlyMs: this.#options.costlyLookMs });
  }

  start(): void {
    if (this.#lanes.length > 0) return;
    this.#stopping = new AbortController();
    this.#lanes = Array.from({ length: this.#options.lanes }, (_, index) => this.#runLane(index));
  }

  /** Stops claiming; batches under way are committed first. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#lanes);
    this.#lanes = [];
  }

  /** There may be events: a NOTIFY came, or LISTEN was connected anew. */
  wake(): void {
    this.#isWoken = true;
    this.#bell.emit('ring');
  }

  /** A worker ended in the middle of its work: the next events are matched with care. `onDone` is called when that was enough. */
  beCareful(onDone: () => void): void {
    this.#caution.raise(onDone);
    this.wake();
  }

  /** Drains what is there through a connection of its own; answers how many events were matched. For tests. */
  async runOnce(): Promise<number> {
    const lane = await this.connectLane();
    try {
      return await lane.drain();
    } finally {
      await lane.close();
    }
  }

  /**
   * A lane beside those that `start` runs, the first or one that helps; it drains what is there when it is told to. For tests and
   * measurements.
   */
  async connectLane({ helps = false } = {}): Promise<{ drain: () => Promise<number>; close: () => Promise<void> }> {
    const lane = await this.#openLane({
      withinMs: answerWithinMs.longest,
      helps,
      onError: () => undefined,
    });
    return { drain: () => lane.drain(new AbortController().signal), close: () => lane.close() };
  }

  async #openLane({ withinMs, helps, onError }: LaneOptions): Promise<DrainLane> {
    const { database, processor, lingerMs } = this.#options;
    const connection = await connect(database, {
      applicationName: 'tocsin drain',
      answerWithinMs: withinMs,
      onError,
    });
    // A session whose client is gone without a word holds its events locked: nobody else would take them.
    await connection.query(`set idle_in_transaction_session_timeout = ${idleInTransactionMs}`);
    // A plan that scans what was drained costs more with every event; the primary key is always right.
    await connection.query('set enable_seqscan = off');
    // The same few statements again and again: none is worth planning anew for its parameters.
    await connection.query('set plan_cache_mode = force_generic_plan');
    const fairness = this.#fairness;
    const lowWater = this.#lowWater;
    const caution = this.#caution;
    const startClaims = this.#startClaims;
    return new DrainLane(connection, {
      processor,
      fairness,
      lowWater,
      caution,
      startClaims,
      lingerMs,
      helps,
      onBacklog: () => this.#backlog.emit('ring'),
    });
  }

  /** One lane for as long as the drain runs; a connection that fails is replaced, with growing waits. */
  async #runLane(index: number): Promise<void> {
    const { signal } = this.#stopping;
    let failures = 0;
    let withinMs = answerWithinMs.first;
    while (!signal.aborted) {
      let lane: DrainLane | undefined;
      let openedAt = 0;
      try {
        lane = await this.#openLane({ withinMs, helps: index > 0, onError: (error) => this.emit('failed', error) });
        openedAt = performance.now();
        if (index === 0) await this.#runSentinel(lane, signal);
        else await this.#runHelper(lane, signal);
      } catch (error) {
        this.emit('failed', error instanceof Error ? error : new Error(String(error), { cause: error }));
        const workedMs = lane ? performance.now() - openedAt : 0;
        // One that opens and fails at once waits longer each time, as one that does not open.
        if (workedMs > longestErrorDelayMs) failures = 0;
        const wasSlowFromTheStart = workedMs >= withinMs && workedMs < 1.5 * withinMs;
        withinMs = wasSlowFromTheStart ? Math.min(2 * withinMs, answerWithinMs.longest) : answerWithinMs.first;
        await ring(new EventEmitter(), Math.min(100 * 2 ** failures, longestErrorDelayMs), signal);
        failures += 1;
      } finally {
        await lane?.close().catch(() => undefined);
      }
    }
  }

  /** The first lane: drains, and is the one that goes to sleep. */
  async #runSentinel(lane: DrainLane, signal: AbortSignal): Promise<void> {
    let openWritersMs = openWritersPollMs.first;
    while (!signal.aborted) {
      this.#isWoken = false;
      const drained = await lane.drain(signal);
      if (drained > 0) this.emit('drained', drained);
      if (signal.aborted || (await lane.linger())) continue;
      if (!this.#options.useNotify) {
        await this.#rest(this.#options.pollMs, signal);
        continue;
      }
      const state = await lane.fallAsleep();
      if (state === 'events') continue;
      if (state === 'asleep' && !this.#isWoken) this.emit('asleep');
      const isStillOpen = state === 'writers' && drained === 0;
      openWritersMs = isStillOpen ? Math.min(2 * openWritersMs, openWritersPollMs.longest) : openWritersPollMs.first;
      await this.#rest(state === 'writers' ? openWritersMs : this.#options.pollMs, signal);
    }
  }

  /** The other lanes help while there is work and wait for the bell otherwise. */
  async #runHelper(lane: DrainLane, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // Going carefully is for one lane: the less is in hand when the process ends, the better.
      const drained = this.#caution.isRaised ? 0 : await lane.drain(signal);
      if (drained > 0) this.emit('drained', drained);
      await ring(this.#backlog, this.#options.pollMs, signal);
    }
  }

  async #rest(ms: number, signal: AbortSignal): Promise<void> {
    const restMs = Math.min(ms, this.#fairness.restMs, this.#lowWater.restMs);
    if (!this.#isWoken) await ring(this.#bell, restMs, signal);
  }
}

/** Until the bell rings, the time is up or the signal is aborted. */
async function ring(bell: EventEmitter<{ ring: [] }>, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  const ended = AbortSignal.any([signal, AbortSignal.timeout(ms)]);
  await once(bell, 'ring', { signal: ended }).catch(() => undefined);
}
