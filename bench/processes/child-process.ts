import { type ChildProcess, fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { nodeCpuMs } from '../measure/cpu-time.ts';

/** What a process of a benchmark may say to the one that measures. `atNs` is the machine's monotonic clock, as decimal digits. */
type ChildMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'asleep' }
  | { readonly kind: 'handled'; readonly atNs: string }
  | { readonly kind: 'committed'; readonly atNs: string }
  | { readonly kind: 'done'; readonly nodeMs: number }
  | { readonly kind: 'failed'; readonly error: string };

type Heard<Kind extends ChildMessage['kind']> = Extract<ChildMessage, { kind: Kind }>;
type ChildEvents = { [Kind in ChildMessage['kind']]: [message: Heard<Kind>] } & { error: [error: Error] };

/** A process beside the one that measures, so that what is measured and what makes it work share no event loop. */
export class BenchChild extends EventEmitter<ChildEvents> {
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
    await once(child, 'ready');
    return child;
  }

  /** The next message of this kind. Rejects when something fails in the process, or it ends. */
  async next<Kind extends ChildMessage['kind']>(kind: Kind): Promise<Heard<Kind>> {
    const [message] = (await once(this, kind)) as [Heard<Kind>];
    return message;
  }

  /** Has it do a task; answers the CPU time, ms, that this took there. */
  async run<Task extends object>(task: Task): Promise<number> {
    const done = this.next('done');
    this.#process.send(task);
    return (await done).nodeMs;
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

/** In the child: does tasks, one after another, until the process that measures lets go of it. */
export async function doTasks<Task>(work: (task: Task) => Promise<void>): Promise<void> {
  process.on('message', async (task: Task) => {
    const before = nodeCpuMs();
    try {
      await work(task);
      tellParent({ kind: 'done', nodeMs: nodeCpuMs() - before });
    } catch (error) {
      tellParent({ kind: 'failed', error: error instanceof Error ? error.message : String(error) });
    }
  });
  tellParent({ kind: 'ready' });
  await untilDismissed();
}

/** In the child: runs until the process that measures lets go of it. */
export async function untilDismissed(): Promise<void> {
  await once(process, 'disconnect');
}
