import type { AttemptRecord } from '../store/record-attempts.ts';

export type OutcomeRecorderOptions = {
  readonly record: (records: readonly AttemptRecord[]) => Promise<void>;
  /** So many are recorded without waiting for more. */
  readonly handful: () => number;
  /** Whether attempts are under way, whose outcomes are worth waiting for. */
  readonly isMoreToCome: () => boolean;
  readonly onRecorded: (records: readonly AttemptRecord[]) => void;
  /** These could not be recorded for so long that they are given up: their leases end, and the attempts are made again. */
  readonly onLetGo: (records: readonly AttemptRecord[]) => void;
  readonly onFailed: (error: unknown) => void;
};

/** A handful that is not full waits so long for more outcomes, ms; when somebody stands in line behind one of them, so long. */
const patienceMs = 20;
const orderedPatienceMs = 5;
/** A record that fails this often in a row is let go. */
const maxFailures = 8;
const longestErrorDelayMs = 5_000;

/** Records the outcomes of attempts in handfuls, each in one statement, one after the other; keeps those that cannot be recorded now. */
export class OutcomeRecorder {
  readonly #options: OutcomeRecorderOptions;
  #finished: AttemptRecord[] = [];
  #isRecording = false;
  #endGathering: (() => void) | undefined;

  constructor(options: OutcomeRecorderOptions) {
    this.#options = options;
  }

  /** Records it soon. */
  add(record: AttemptRecord): void {
    this.#finished.push(record);
    if (this.#isHandful()) this.#endGathering?.();
    else if (record.isOrdered && this.#endGathering) setTimeout(this.#endGathering, orderedPatienceMs);
    if (!this.#isRecording) void this.#recordFinished();
  }

  /** Whether what has finished is enough to be recorded, or all there will be. */
  #isHandful(): boolean {
    const { handful, isMoreToCome } = this.#options;
    return this.#finished.length >= handful() || !isMoreToCome();
  }

  /** Waits for a handful of outcomes, but not for long. */
  async #gather(): Promise<void> {
    if (this.#isHandful()) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#endGathering = resolve;
    const isAwaited = this.#finished.some(({ isOrdered }) => isOrdered);
    const patience = setTimeout(resolve, isAwaited ? orderedPatienceMs : patienceMs);
    await promise;
    clearTimeout(patience);
    this.#endGathering = undefined;
  }

  /** Records what has finished, and all that finishes while what was before is being recorded. */
  async #recordFinished(): Promise<void> {
    this.#isRecording = true;
    let failures = 0;
    while (this.#finished.length > 0) {
      await this.#gather();
      const records = this.#finished;
      this.#finished = [];
      const unrecorded = await this.#recordAll(records);
      failures = unrecorded.length < records.length ? 0 : failures + 1;
      if (unrecorded.length === 0) continue;
      // The outcomes are known only here: keep them and try again while the lease lasts; after that the attempts are repeated.
      if (failures > maxFailures) this.#options.onLetGo(unrecorded);
      else this.#finished = [...unrecorded, ...this.#finished];
      await pause(Math.min(50 * 2 ** failures, longestErrorDelayMs));
    }
    this.#isRecording = false;
  }

  /** Records in one statement; if that fails, one by one, so that one that cannot be stored harms no other. Answers what failed. */
  async #recordAll(records: readonly AttemptRecord[]): Promise<readonly AttemptRecord[]> {
    try {
      await this.#options.record(records);
    } catch (error) {
      this.#options.onFailed(error);
      if (records.length === 1) return records;
      const unrecorded: AttemptRecord[] = [];
      for (const record of records) unrecorded.push(...(await this.#recordAll([record])));
      return unrecorded;
    }
    this.#options.onRecorded(records);
    return [];
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
