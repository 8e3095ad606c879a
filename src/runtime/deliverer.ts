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
/** A record that fails this often in a row is let go: its lease ends and the attempt is made again. */
const maxRecordFailures = 8;

/**
 * Makes deliveries until stopped: keeps up to `concurrency` attempts under way, records outcomes in batches as they come,
 * renews the leases of attempts that take long. A delivery whose worker dies is taken over when its lease ends.
 */
export class Deliverer extends EventEmitter<DelivererEvents> {
  readonly #options: Required<DelivererOptions>;
  readonly #bell = new EventEmitter<{ ring: [] }>();
  readonly #held = new Map<string, ClaimedDelivery>();
  #finished: AttemptRecord[] = [];
  #recording: Promise<void> | undefined;
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
        const claimed = await this.#fill();
        failures = 0;
        if (claimed === 0 || this.#free() < this.#refillAt())
          await this.#ring(AbortSignal.timeout(this.#options.pollMs));
      } catch (error) {
        this.#report(error);
        this.#isWoken = false;
        await this.#ring(AbortSignal.timeout(Math.min(100 * 2 ** failures, longestErrorDelayMs)));
        failures += 1;
      }
    }
    clearInterval(renewal);
  }

  #free(): number {
    return this.#options.concurrency - this.#held.size;
  }

  /** Claims come in handfuls: not before a quarter of the places is free. */
  #refillAt(): number {
    return Math.max(1, Math.floor(this.#options.concurrency / 4));
  }

  async #fill(): Promise<number> {
    if (this.#free() < this.#refillAt()) return 0;
    const claimed = await this.#options.work.claim(this.#free(), [...this.#held.values()]);
    if (claimed.length === 0) return 0;
    for (const delivery of claimed) this.#held.set(delivery.id, delivery);
    const attempts = await this.#options.work.attempt(claimed, this.#aborting.signal).catch(async (error) => {
      for (const delivery of claimed) this.#held.delete(delivery.id);
      await this.#options.work.giveBack(claimed);
      throw error;
    });
    for (const attempt of attempts) void attempt.then((record) => this.#finish(record));
    return claimed.length;
  }

  #finish(record: AttemptRecord): void {
    this.#finished.push(this.#aborting.signal.aborted ? interrupted(record) : record);
    this.#recording ??= this.#record();
  }

  /** Records what has finished, in one statement for all that finished while the one before was under way. */
  async #record(): Promise<void> {
    let failures = 0;
    while (this.#finished.length > 0) {
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
