import { FaultProxy } from '../support/fault-proxy.ts';
import { WorkerProcess } from '../support/worker-process.ts';

type Place = { readonly proxy: FaultProxy; worker: WorkerProcess | undefined; starting: Promise<void> | undefined };

/** Worker processes, each behind a proxy of its own, that are started again when they were killed, as a supervisor does. */
export class WorkerPool {
  readonly #places: readonly Place[];
  readonly #config: string;
  /** Workers that ended although nobody ended them, and those that did not end as they should. */
  readonly complaints: string[] = [];
  #isClosing = false;

  private constructor(proxies: readonly FaultProxy[], config: string) {
    this.#places = proxies.map((proxy) => ({ proxy, worker: undefined, starting: undefined }));
    this.#config = config;
  }

  static async start(options: { databaseUrl: string; count: number; config: string }): Promise<WorkerPool> {
    const proxies = await Promise.all(
      Array.from({ length: options.count }, () => FaultProxy.start(options.databaseUrl)),
    );
    const pool = new WorkerPool(proxies, options.config);
    for (let place = 0; place < options.count; place++) pool.revive(place);
    await pool.allStarted();
    return pool;
  }

  get size(): number {
    return this.#places.length;
  }

  proxy(place: number): FaultProxy {
    return this.#at(place).proxy;
  }

  /** kill -9; nobody is there until `revive`. */
  async kill(place: number): Promise<void> {
    await this.#take(place)?.kill();
  }

  /** SIGTERM; answers how long it took, ms. */
  async terminate(place: number): Promise<number> {
    const worker = this.#take(place);
    const startedAt = performance.now();
    const code = await worker?.terminate();
    if (worker && code !== 0) this.#complain(worker);
    return performance.now() - startedAt;
  }

  /** Starts the worker of a place if there is none; one that cannot start (the database is away) is started again. */
  revive(place: number): void {
    const at = this.#at(place);
    at.starting ??= this.#start(at).finally(() => {
      at.starting = undefined;
    });
  }

  /** Until every place has a worker. */
  async allStarted(): Promise<void> {
    for (let place = 0; place < this.size; place++) this.revive(place);
    await Promise.all(this.#places.map(({ starting }) => starting));
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all(this.#places.map(({ starting }) => starting));
    await Promise.all(this.#places.map((_, place) => this.terminate(place)));
    await Promise.all(this.#places.map(({ proxy }) => proxy.stop()));
  }

  async #start(at: Place): Promise<void> {
    while (!this.#isClosing && (at.worker === undefined || at.worker.exit !== null)) {
      if (at.worker) this.#complain(at.worker);
      at.worker = await WorkerProcess.start(at.proxy.url, { args: ['--config', this.#config] }).catch(() => undefined);
    }
  }

  #take(place: number): WorkerProcess | undefined {
    const at = this.#at(place);
    const { worker } = at;
    at.worker = undefined;
    if (worker && worker.exit !== null) this.#complain(worker);
    return worker;
  }

  #complain(worker: WorkerProcess): void {
    // What is not JSON is what the process died of.
    const lastWords = worker.log.filter((line) => !line.startsWith('{')).slice(0, 24);
    this.complaints.push(`a worker ended by itself (${worker.exit}): ${lastWords.join(' | ')}`);
  }

  #at(place: number): Place {
    return this.#places[place] as Place;
  }
}
