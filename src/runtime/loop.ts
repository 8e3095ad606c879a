import { EventEmitter, once } from 'node:events';

export type LoopOptions = {
  readonly name: string;
  /** Does what there is to do, a bounded part of it; answers how much it did. 0 lets the loop rest. `signal`: end now. */
  readonly runOnce: (signal: AbortSignal) => Promise<number>;
  /** Longest rest between two runs, ms. */
  readonly intervalMs: number;
  /** On `stop`, a run that is under way gets this long before its signal is aborted, ms. Default 8,000. */
  readonly graceMs?: number;
  /** Longest wait after a run that failed, ms; the waits before double from 100. Default 5,000. */
  readonly maxErrorDelayMs?: number;
};

type LoopEvents = { ran: [count: number]; failed: [error: Error]; resting: [] };

/**
 * A background loop: runs `runOnce` again and again, rests when there was nothing to do until it is woken or the interval
 * ends, and goes on after errors. `stop` lets a run that is under way finish.
 */
export class Loop extends EventEmitter<LoopEvents> {
  readonly name: string;
  readonly #options: LoopOptions;
  readonly #bell = new EventEmitter<{ ring: [] }>();
  #stopping: AbortController | undefined;
  #aborting = new AbortController();
  #running: Promise<void> | undefined;
  #isWoken = false;

  constructor(options: LoopOptions) {
    super();
    if (!(options.intervalMs > 0))
      throw new Error(`loop ${options.name}: intervalMs must be above 0, not ${options.intervalMs}`);
    this.name = options.name;
    this.#options = options;
  }

  start(): void {
    if (this.#running !== undefined) return;
    this.#stopping = new AbortController();
    this.#aborting = new AbortController();
    this.#running = this.#run(this.#stopping.signal);
  }

  /** Resolves when the run that is under way has ended. */
  async stop(): Promise<void> {
    this.#stopping?.abort();
    const grace = setTimeout(() => this.#aborting.abort(), this.#options.graceMs ?? 8_000);
    await this.#running;
    clearTimeout(grace);
    this.#running = undefined;
  }

  /** There is something to do: do not rest, or rest no longer. */
  wake(): void {
    this.#isWoken = true;
    this.#bell.emit('ring');
  }

  /** One run, for tests and for those who have their own rhythm. */
  runOnce(signal: AbortSignal = AbortSignal.timeout(60_000)): Promise<number> {
    return this.#options.runOnce(signal);
  }

  async #run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      this.#isWoken = false;
      try {
        const count = await this.#options.runOnce(this.#aborting.signal);
        failures = 0;
        this.emit('ran', count);
        if (count === 0) {
          this.emit('resting');
          await this.#rest(this.#options.intervalMs, signal);
        }
      } catch (error) {
        this.emit('failed', error instanceof Error ? error : new Error(String(error), { cause: error }));
        const delayMs = Math.min(100 * 2 ** failures, this.#options.maxErrorDelayMs ?? 5_000);
        failures += 1;
        this.#isWoken = false;
        await this.#rest(delayMs, signal);
      }
    }
  }

  async #rest(ms: number, signal: AbortSignal): Promise<void> {
    if (this.#isWoken || signal.aborted) return;
    const ended = AbortSignal.any([signal, AbortSignal.timeout(ms)]);
    await once(this.#bell, 'ring', { signal: ended }).catch(() => undefined);
  }
}
