import { type ChildProcess, fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { nodeCpuMs } from '../../src/cli/bench/machine.ts';
import type { Figures } from '../benchmark.ts';

/** What a process of a benchmark may say to the one that measures. `atNs` is the machine's monotonic clock, as decimal digits. */
type ChildMessage =
  | { readonly kind: 'ready'; readonly port?: number }
  | { readonly kind: 'asleep' }
  | { readonly kind: 'handled'; readonly atNs: string }
  | { readonly kind: 'committed'; readonly atNs: string }
  | { readonly kind: 'moments'; readonly moments: readonly Moment[] }
  | { readonly kind: 'done'; readonly nodeMs: number; readonly figures: Figures }
  | { readonly kind: 'failed'; readonly error: string };

/** When something was heard of an order: its id, and the monotonic clock in decimal digits at one moment or more. */
export type Moment = readonly [orderId: string, ...atNs: string[]];

type Heard<Kind extends ChildMessage['kind']> = Extract<ChildMessage, { kind: Kind }>;
type ChildEvents = { [Kind in ChildMessage['kind']]: [message: Heard<Kind>] } & { error: [error: Error] };

/** A process beside the one that measures, so that what is measured and what makes it work share no event loop. */
export class BenchChild extends EventEmitter<ChildEvents> {
  /** Where it listens, if it does. */
  port = 0;
  readonly #process: ChildProcess;
  #failure: Error | undefined;

  private constructor(path: string, args: readonly string[]) {
    super();
    this.#process = fork(path, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.#process.on('message', (message: ChildMessage) => {
      if (message.kind === 'failed') this.emit('error', new Error(message.error));
      else (this as EventEmitter).emit(message.kind, message);
    });
    this.#process.on('exit', (code) => {
      if (code !== 0) this.emit('error', new Error(`${path} ended with ${String(code)}`));
    });
    this.on('error', (error) => {
      this.#failure ??= error;
    });
  }

  /** Runs a file of this folder and waits until it is ready. */
  static async start(file: URL, args: readonly string[] = []): Promise<BenchChild> {
    const child = new BenchChild(fileURLToPath(file), args);
    const { port = 0 } = await child.next('ready');
    child.port = port;
    return child;
  }

  /** The next message of this kind. Rejects when something fails in the process, or it ends. */
  async next<Kind extends ChildMessage['kind']>(kind: Kind): Promise<Heard<Kind>> {
    const [message] = (await once(this, kind)) as [Heard<Kind>];
    return message;
  }

  /** Has it do a task; answers the CPU time, ms, that this took there. */
  async run<Task extends object>(task: Task): Promise<number> {
    return (await this.ask(task)).nodeMs;
  }

  /** The same, with the figures that the task answers. */
  async ask<Task extends object>(task: Task): Promise<{ nodeMs: number; figures: Figures }> {
    const done = this.next('done');
    this.#process.send(task);
    return done;
  }

  /** What it kept since it was asked for the last time (`keepMoments`). */
  async moments(): Promise<readonly Moment[]> {
    const told = this.next('moments');
    this.#process.send('moments');
    return (await told).moments;
  }

  /** Lets it finish what it is doing. Throws when something has failed in it. */
  async stop(): Promise<void> {
    const exited = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.disconnect();
    await exited;
    if (this.#failure) throw this.#failure;
  }
}

/** In the child: says something to the process that measures, if that still listens. */
export function tellParent(message: ChildMessage): void {
  if (process.connected) process.send?.(message);
}

/**
 * In the child: counts what comes in, by id, for tasks that say how many are to come.
 *
 * @returns takes an id; `expect` resolves when so many different ones have come since it was asked for the last time
 */
export function countArrivals(): { arrived: (id: string) => void; expect: (count: number) => Promise<Figures> } {
  let ids = new Set<string>();
  let arrivals = 0;
  let check: () => void = () => undefined;
  return {
    arrived: (id) => {
      ids.add(id);
      arrivals += 1;
      check();
    },
    expect: async (count) => {
      await new Promise<void>((resolve) => {
        check = () => {
          if (ids.size >= count) resolve();
        };
        check();
      });
      const figures = { arrivals, 'different ids': ids.size };
      ids = new Set();
      arrivals = 0;
      return figures;
    },
  };
}

/** In the child: does tasks, one after another, until the process that measures lets go of it. It may listen on a port. */
export async function doTasks<Task>(
  work: (task: Task) => Promise<Figures | undefined>,
  ready: { port?: number } = {},
): Promise<void> {
  process.on('message', async (task: Task) => {
    const before = nodeCpuMs();
    try {
      const figures = (await work(task)) ?? {};
      tellParent({ kind: 'done', nodeMs: nodeCpuMs() - before, figures });
    } catch (error) {
      tellParent({ kind: 'failed', error: error instanceof Error ? error.message : String(error) });
    }
  });
  tellParent({ kind: 'ready', ...ready });
  await untilDismissed();
}

/** In the child: keeps moments until the process that measures asks for them, so that telling does not disturb what is measured. */
export function keepMoments(): (...moments: readonly Moment[]) => void {
  let kept: Moment[] = [];
  process.on('message', (message) => {
    if (message !== 'moments') return;
    tellParent({ kind: 'moments', moments: kept });
    kept = [];
  });
  return (...moments) => {
    kept.push(...moments);
  };
}

/** In the child: runs until the process that measures lets go of it. */
export async function untilDismissed(): Promise<void> {
  await once(process, 'disconnect');
}
