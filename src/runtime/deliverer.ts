import { EventEmitter, once } from 'node:events';
import type { ClaimedDelivery } from '../store/pending-deliveries.ts';
import type { AttemptRecord } from '../store/record-attempts.ts';
import { ClaimAhead } from './claim-ahead.ts';
import { FairPlaces } from './fair-places.ts';
import { OutcomeRecorder } from './outcome-recorder.ts';

export type BeginAttempt = () => Promise<AttemptRecord>;

/** What the deliverer needs of the engine and the store. */
export type DeliveryWork = {
  /** Leases up to `limit` due deliveries; `held` are those under way. */
  readonly claim: (limit: number, held: readonly ClaimedDelivery[]) => Promise<readonly ClaimedDelivery[]>;
  /** Makes ready for one attempt of each: what begins it answers a promise that does not reject. */
  readonly attempt: (claimed: readonly ClaimedDelivery[], signal: AbortSignal) => Promise<readonly BeginAttempt[]>;
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
/** Claims come in handfuls: each costs as much as several deliveries. One that is not full waits so long, ms. */
const claimPatienceMs = 20;
/** Leased ahead of their attempts: so many times the concurrency at most, and given back when they have waited so long, ms. */
const mostAhead = 4;
const aheadPatienceMs = 1_000;

/** Leased and looked up, to begin when there is a place. */
type Ready = { readonly delivery: ClaimedDelivery; readonly begin: BeginAttempt; readonly sinceMs: number };

/**
 * Makes deliveries until stopped: keeps up to `concurrency` attempts under way, and as many leased ahead as begin in a moment
 * (`ClaimAhead`); records outcomes in batches as they come (`OutcomeRecorder`), renews leases. A delivery whose worker dies is
 * taken over when its lease ends.
 */
export class Deliverer extends EventEmitter<DelivererEvents> {
  readonly #options: Required<DelivererOptions>;
  readonly #bell = new EventEmitter<{ ring: [] }>();
  /** Leased: waiting, under way, or not recorded yet. */
  readonly #held = new Map<string, ClaimedDelivery>();
  /** Leased and not begun: being looked up, or ready. */
  readonly #waiting = new Map<string, ClaimedDelivery>();
  readonly #underWay = new Map<string, ClaimedDelivery>();
  readonly #ahead: ClaimAhead;
  readonly #fairness: FairPlaces;
  readonly #outcomes: OutcomeRecorder;
  #ready: Ready[] = [];
  #claimedAt = Number.NEGATIVE_INFINITY;
  /** Places that a claim under way asked for. */
  #claiming = 0;
  /** The last claim found nothing: what is planned now goes before nobody. */
  #isCaughtUp = false;
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
    this.#ahead = new ClaimAhead({ most: mostAhead * this.#options.concurrency });
    this.#fairness = new FairPlaces({ places: this.#options.concurrency });
    this.#outcomes = new OutcomeRecorder({
      record: options.work.record,
      handful: () => this.#handful(),
      isMoreToCome: () => this.#underWay.size > 0,
      onRecorded: (records) => {
        this.#letGo(records.map(({ deliveryId }) => deliveryId));
        this.emit('recorded', records);
      },
      onLetGo: (records) => this.#letGo(records.map(({ deliveryId }) => deliveryId)),
      onFailed: (error) => this.#report(error),
    });
  }

  start(): void {
    if (this.#running !== undefined) return;
    this.#stopping = new AbortController();
    this.#aborting = new AbortController();
    this.#running = this.#run();
  }

  /** Begins no more; attempts under way finish within the grace time, then the rest is aborted and given back. */
  async stop(): Promise<void> {
    if (this.#running === undefined) return;
    this.#stopping.abort();
    await this.#running;
    await this.#giveBackReady();
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
    if (!this.#isRunning() || !this.#isCaughtUp) return 0;
    const half = Math.max(1, Math.floor(this.#options.concurrency / 2));
    return Math.max(0, Math.min(half - this.#underWay.size, this.#places()));
  }

  /** The same beside the backlog of a tenant, for others: attempts of one tenant take half of the places while others are there. */
  get placesBeside(): number {
    const { concurrency } = this.#options;
    return this.#isRunning() ? Math.min(Math.floor(concurrency / 2), concurrency - this.#underWay.size) : 0;
  }

  /** Tenants of which deliveries are leased and have not begun. */
  get tenantsAhead(): ReadonlySet<string> {
    return new Set([...this.#waiting.values()].map(({ tenantId }) => tenantId));
  }

  /** Begins with deliveries that were leased for this process; gives them back when there is no place for them any more. */
  async take(leased: readonly ClaimedDelivery[]): Promise<void> {
    try {
      const hasPlaces = leased.length <= this.#options.concurrency - this.#underWay.size;
      if (this.#isRunning() && hasPlaces) return await this.#prepare(leased);
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
    const records = await Promise.all(attempts.map((begin) => begin()));
    await this.#options.work.record(records);
    if (records.length > 0) this.emit('recorded', records);
    return records.length;
  }

  #isRunning(): boolean {
    return this.#running !== undefined && !this.#stopping.signal.aborted;
  }

  async #run(): Promise<void> {
    const renewal = setInterval(() => this.#renew(), this.#options.leaseMs / 3);
    let failures = 0;
    while (!this.#stopping.signal.aborted) {
      this.#isWoken = false;
      try {
        await this.#reviewReady();
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

  /** Places where an attempt could begin now. */
  #places(): number {
    return this.#options.concurrency - this.#underWay.size - this.#waiting.size - this.#claiming;
  }

  /** What may be leased now; nothing while too many outcomes wait to be recorded. */
  #free(): number {
    const most = this.#options.concurrency + this.#ahead.count;
    const unrecorded = this.#held.size - this.#underWay.size - this.#waiting.size;
    return Math.min(this.#places() + this.#ahead.count, 2 * most - unrecorded);
  }

  #handful(): number {
    return Math.max(1, Math.floor((this.#options.concurrency + this.#ahead.count) / 2));
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
    this.#ahead.decide();
    const limit = this.#free();
    if (limit <= 0) return 0;
    this.#claiming = limit;
    const held = [...this.#underWay.values(), ...this.#waiting.values()];
    const claimed = await this.#options.work.claim(limit, held).finally(() => {
      this.#claiming = 0;
    });
    this.#isCaughtUp = claimed.length === 0;
    if (claimed.length > 0) await this.#prepare(claimed);
    return claimed.length;
  }

  /** Looks up what the attempts need, and begins as many as there are places for. */
  async #prepare(claimed: readonly ClaimedDelivery[]): Promise<void> {
    this.#fairness.meet(claimed);
    for (const delivery of claimed) {
      this.#held.set(delivery.id, delivery);
      this.#waiting.set(delivery.id, delivery);
    }
    try {
      const attempts = await this.#options.work.attempt(claimed, this.#aborting.signal);
      const sinceMs = performance.now();
      for (const [index, delivery] of claimed.entries()) {
        const begin = attempts[index];
        if (begin) this.#ready.push({ delivery, begin, sinceMs });
      }
    } catch (error) {
      await this.#giveBack(claimed);
      throw error;
    }
    if (this.#stopping.signal.aborted) await this.#giveBackReady();
    else this.#beginReady();
  }

  #beginReady(): void {
    while (this.#underWay.size < this.#options.concurrency) {
      const next = this.#ready.findIndex(({ delivery }) => this.#fairness.hasPlaceFor(delivery.tenantId));
      const [ready] = next === -1 ? [] : this.#ready.splice(next, 1);
      if (ready === undefined) return;
      const { delivery, begin } = ready;
      this.#waiting.delete(delivery.id);
      this.#underWay.set(delivery.id, delivery);
      this.#fairness.take(delivery.tenantId);
      void begin().then((record) => this.#finish(record));
    }
  }

  #finish(record: AttemptRecord): void {
    this.#underWay.delete(record.deliveryId);
    this.#fairness.leave(record.tenantId);
    if (record.outcome !== 'postponed') this.#ahead.ended();
    if (!this.#stopping.signal.aborted) this.#beginReady();
    this.#outcomes.add(this.#aborting.signal.aborted ? interrupted(record) : record);
    const free = this.#free();
    if (free === 1 || free === this.#handful()) this.#bell.emit('ring');
  }

  /** What was leased ahead and has waited in vain is for others to make. */
  async #reviewReady(): Promise<void> {
    const [oldest] = this.#ready;
    if (oldest && performance.now() - oldest.sinceMs > aheadPatienceMs) await this.#giveBackReady();
  }

  async #giveBackReady(): Promise<void> {
    const back = this.#ready.map(({ delivery }) => delivery);
    this.#ready = [];
    if (back.length > 0) await this.#giveBack(back);
  }

  async #giveBack(deliveries: readonly ClaimedDelivery[]): Promise<void> {
    try {
      await this.#options.work.giveBack(deliveries);
    } catch (error) {
      // Their leases end.
      this.#report(error);
    }
    for (const { id } of deliveries) this.#waiting.delete(id);
    this.#letGo(deliveries.map(({ id }) => id));
  }

  #letGo(ids: readonly string[]): void {
    for (const id of ids) this.#held.delete(id);
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
}

/** An attempt that was cut short by a shutdown is made again at once, by whoever is there. */
function interrupted(record: AttemptRecord): AttemptRecord {
  if (record.outcome !== 'retry') return record;
  return { ...record, reason: 'worker_stopped', next: 'pending', delayMs: 0 };
}
