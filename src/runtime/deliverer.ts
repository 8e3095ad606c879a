import { EventEmitter, once } from 'node:events';
import type { ClaimedDelivery } from '../store/pending-deliveries.ts';
import type { AttemptRecord } from '../store/record-attempts.ts';

/** What the deliverer needs of the engine and the store. */
export type DeliveryWork = {
  /** Leases up to `limit` due deliveries; `held` are those under way. */
  readonly claim: (limit: number, held: readonly ClaimedDelivery[]) => Promise<readonly ClaimedDelivery[]>;
  /** One attempt of each: promises that do not reject. */
  readonly attempt: (
    claimed: readonly ClaimedDelivery[],
    signal: AbortSignal,
  ) => Promise<readonly Promise<AttemptRecord>[]>;
  readonly record: (records: readonly AttemptRecord[]) => Promise<void>;
  readonly renew: (held: readonly ClaimedDelivery[]) => Promise<void>;
  /** Undoes a claim whose attempts were not started. */
  readonly giveBack: (held: readonly ClaimedDelivery[]) => Promise<void>;
};

export type DelivererOptions = {
  readonly work: DeliveryWork;
  /** Attempts at once. Default 50. */
  readonly concurrency?: number;
  /** Longest rest when nothing is due, ms. Default 500. */
  readonly pollMs?: number;
  /** How long a lease lasts, ms; renewed each third of it while the attempt runs. Default 30,000. */
  readonly leaseMs?: number;
  /** On `stop`, attempts that run get this long before they are aborted and given back, ms. Default 8,000. */
  readonly graceMs?: number;
};

type DelivererEvents = { recorded: [records: readonly AttemptRecord[]]; failed: [error: Error] };

const longestErrorDelayMs = 5_000;
/** Claims and records come in handfuls: each costs as much as several deliveries. One that is not full waits so long, ms. */
const claimPatienceMs = 20;
const recordPatienceMs = 5;
/** A record that fails this often in a row is let go: its lease ends and the attempt is made again. */
const maxRecordFailures = 8;

/**
 * Makes deliveries until stopped: keeps up to `concurrency` attempts under way, records outcomes in batches as they come,
 * renews the leases of attempts that take long. A delivery whose worker dies is taken over when its lease ends.
 */
export class Deliverer extends EventEmitter<DelivererEvents> {
  readonly #options: Required<DelivererOptions>;
  readonly #bell = new EventEmitter<{ ring: [] }>();
  /** Leased: under way, or not recorded yet. */
  readonly #held = new Map<string, ClaimedDelivery>();
  readonly #underWay = new Map<string, ClaimedDelivery>();
  #claimedAt = Number.NEGATIVE_INFINITY;
  /** Places that a claim under way asked for. */
  #claiming = 0;
  /** The last claim found nothing: what is planned now goes before nobody. */
  #isCaughtUp = false;
  #finished: AttemptRecord[] = [];
  #recording: Promise<void> | undefined;
  #endGathering: (() => void) | undefined;
  #stopping = new AbortController();
  #aborting = new AbortController();
  #running: Promise<void> | undefined;
  #isWoken = false;

  constructor(options: DelivererOptions) {
    super();
    this.#options = { concurrency: 50, pollMs: 500, leaseMs: 30_000, graceMs: 8_000, ...options };
    for (const name of ['concurrency', 'pollMs', 'leaseMs'] as const) {
      if (!(this.#options[name] >= 1))
        throw new Error(`deliverer: ${name} must be at least 1, not ${this.#options[name]}`);
    }
    this.#bell.setMaxListeners(0);
  }

  start(): void {
    if (this.#running !== undefined) return;
    this.#stopping = new AbortController();
    this.#aborting = new AbortController();
    this.#running = this.#run();
  }

  /** Claims no more; attempts under way finish within the grace time, then the rest is aborted and given back. */
  async stop(): Promise<void> {
    if (this.#running === undefined) return;
    this.#stopping.abort();
    await this.#running;
    const graceEnds = AbortSignal.timeout(this.#options.graceMs);
    while (this.#held.size > 0 && !graceEnds.aborted) await this.#ring(graceEnds);
    this.#aborting.abort();
    while (this.#held.size > 0) await once(this.#bell, 'ring');
    this.#running = undefined;
  }

  /** Something may be due. */
  wake(): void {
    this.#isWoken = true;
    this.#bell.emit('ring');
  }

  /**
   * How many deliveries may be leased for this process without a claim: none while others may be waiting, and no more than half
   * of the places, so that what becomes due meanwhile finds some.
   */
  get placesForPlanned(): number {
    const isClaiming = this.#running !== undefined && !this.#stopping.signal.aborted;
    return isClaiming && this.#isCaughtUp
      ? Math.max(0, Math.min(this.#handful() - this.#underWay.size, this.#free()))
      : 0;
  }

  /** Begins with deliveries that were leased for this process; gives them back when there is no place for them any more. */
  async take(leased: readonly ClaimedDelivery[]): Promise<void> {
    try {
      const hasPlaces = this.#running !== undefined && !this.#stopping.signal.aborted && leased.length <= this.#free();
      if (hasPlaces) return await this.#start(leased);
      await this.#options.work.giveBack(leased);
      this.wake();
    } catch (error) {
      this.#report(error);
    }
  }

  /** Attempts what is due now, up to `concurrency`, and records it; answers how many. For tests. */
  async runOnce(): Promise<number> {
    const claimed = await this.#options.work.claim(this.#options.concurrency, []);
    const attempts = await this.#options.work.attempt(claimed, new AbortController().signal);
    const records = await Promise.all(attempts);
    await this.#options.work.record(records);
    if (records.length > 0) this.emit('recorded', records);
    return records.length;
  }

  async #run(): Promise<void> {
    const renewal = setInterval(() => this.#renew(), this.#options.leaseMs / 3);
    let failures = 0;
    while (!this.#stopping.signal.aborted) {
      this.#isWoken = false;
      try {
        const waitMs = this.#untilClaimMs();
        const claimed = waitMs > 0 ? 0 : await this.#fill();
        failures = 0;
        const restMs = waitMs > 0 ? waitMs : this.#options.pollMs;
        if (claimed === 0 && !this.#stopping.signal.aborted) await this.#ring(AbortSignal.timeout(restMs));
      } catch (error) {
        this.#report(error);
        this.#isWoken = false;
        await this.#ring(AbortSignal.timeout(Math.min(100 * 2 ** failures, longestErrorDelayMs)));
        failures += 1;
      }
    }
    clearInterval(renewal);
  }

  /** Places for attempts; none while too many outcomes wait to be recorded. */
  #free(): number {
    const { concurrency } = this.#options;
    return Math.min(concurrency - this.#underWay.size, 2 * concurrency - this.#held.size) - this.#claiming;
  }

  #handful(): number {
    return Math.max(1, Math.floor(this.#options.concurrency / 2));
  }

  /** A claim waits for a handful of places, but not for long: attempts may take long, and others be due. */
  #untilClaimMs(): number {
    const free = this.#free();
    if (free <= 0) return this.#options.pollMs;
    if (free >= this.#handful()) return 0;
    return Math.max(0, Math.ceil(this.#claimedAt + claimPatienceMs - performance.now()));
  }

  async #fill(): Promise<number> {
    this.#claimedAt = performance.now();
    const limit = this.#free();
    this.#claiming = limit;
    const claimed = await this.#options.work.claim(limit, [...this.#underWay.values()]).finally(() => {
      this.#claiming = 0;
    });
    this.#isCaughtUp = claimed.length === 0;
    if (claimed.length > 0) await this.#start(claimed);
    return claimed.length;
  }

  async #start(claimed: readonly ClaimedDelivery[]): Promise<void> {
    for (const delivery of claimed) {
      this.#held.set(delivery.id, delivery);
      this.#underWay.set(delivery.id, delivery);
    }
    const attempts = await this.#options.work.attempt(claimed, this.#aborting.signal).catch(async (error) => {
      try {
        await this.#options.work.giveBack(claimed);
      } finally {
        for (const { id } of claimed) {
          this.#held.delete(id);
          this.#underWay.delete(id);
        }
        this.#bell.emit('ring');
      }
      throw error;
    });
    for (const attempt of attempts) void attempt.then((record) => this.#finish(record));
  }

  #finish(record: AttemptRecord): void {
    this.#finished.push(this.#aborting.signal.aborted ? interrupted(record) : record);
    this.#underWay.delete(record.deliveryId);
    const free = this.#free();
    if (free === 1 || free === this.#handful()) this.#bell.emit('ring');
    if (this.#isHandful()) this.#endGathering?.();
    this.#recording ??= this.#record();
  }

  /** Whether what has finished is enough to be recorded, or all there will be. */
  #isHandful(): boolean {
    return this.#finished.length >= this.#handful() || this.#underWay.size === 0;
  }

  /** Waits for a handful of outcomes, but not for long. */
  async #gather(): Promise<void> {
    if (this.#isHandful()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#endGathering = resolve;
    const patience = setTimeout(resolve, recordPatienceMs);
    await promise;
    clearTimeout(patience);
    this.#endGathering = undefined;
  }

  /** Records what has finished, in one statement for a handful, and all that finished while the one before was under way. */
  async #record(): Promise<void> {
    let failures = 0;
    while (this.#finished.length > 0) {
      await this.#gather();
      const records = this.#finished;
      this.#finished = [];
      const unrecorded = await this.#recordAll(records);
      failures = unrecorded.length < records.length ? 0 : failures + 1;
      if (unrecorded.length === 0) continue;
      // The outcomes are known only here: keep them and try again while the lease lasts; after that the attempts are repeated.
      if (failures > maxRecordFailures) this.#letGo(unrecorded);
      else this.#finished = [...unrecorded, ...this.#finished];
      await this.#pause(Math.min(50 * 2 ** failures, longestErrorDelayMs));
    }
    this.#recording = undefined;
  }

  /** Records in one statement; if that fails, one by one, so that one that cannot be stored harms no other. Answers what failed. */
  async #recordAll(records: readonly AttemptRecord[]): Promise<readonly AttemptRecord[]> {
    try {
      await this.#options.work.record(records);
    } catch (error) {
      this.#report(error);
      if (records.length === 1) return records;
      const unrecorded: AttemptRecord[] = [];
      for (const record of records) unrecorded.push(...(await this.#recordAll([record])));
      return unrecorded;
    }
    this.#letGo(records);
    this.emit('recorded', records);
    return [];
  }

  #letGo(records: readonly AttemptRecord[]): void {
    for (const record of records) this.#held.delete(record.deliveryId);
    this.#bell.emit('ring');
  }

  #renew(): void {
    const held = [...this.#held.values()];
    if (held.length > 0) this.#options.work.renew(held).catch((error) => this.#report(error));
  }

  #report(error: unknown): void {
    this.emit('failed', error instanceof Error ? error : new Error(String(error), { cause: error }));
  }

  async #ring(until: AbortSignal): Promise<void> {
    const isStopping = this.#stopping.signal.aborted;
    if (this.#isWoken && !isStopping) return;
    const ended = isStopping ? until : AbortSignal.any([until, this.#stopping.signal]);
    await once(this.#bell, 'ring', { signal: ended }).catch(() => undefined);
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }
}

/** An attempt that was cut short by a shutdown is made again at once, by whoever is there. */
function interrupted(record: AttemptRecord): AttemptRecord {
  if (record.outcome !== 'retry') return record;
  return { ...record, reason: 'worker_stopped', next: 'pending', delayMs: 0 };
}
