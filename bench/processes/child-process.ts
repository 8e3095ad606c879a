import { type ChildProcess, fork } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** What a process of a benchmark may say to the one that measures. `atNs` is the machine's monotonic clock, as decimal digits. */
export type ChildMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'asleep' }
  | { readonly kind: 'handled'; readonly atNs: string; readonly entityIds: readonly string[] }
  | { readonly kind: 'committed'; readonly atNs: string; readonly entityIds: readonly string[] }
  | { readonly kind: 'failed'; readonly error: string };

type ChildEvents = { [Message in ChildMessage as Message['kind']]: [message: Message] };

/** A process beside the one that measures, so that what is measured and what makes it work share no event loop. */
export class BenchChild extends EventEmitter<ChildEvents> {
  readonly #process: ChildProcess;
  readonly #failures: string[] = [];

  private constructor(process: ChildProcess) {
    super();
    this.#process = process;
    this.on('failed', ({ error }) => this.#failures.push(error));
  }

  /** Starts one of the files beside this one and waits until it is ready. */
  static async start(file: string, args: readonly string[]): Promise<BenchChild> {
    const path = fileURLToPath(new URL(file, import.meta.url));
    const child = new BenchChild(fork(path, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }));
    child.#process.on('message', (message: ChildMessage) => {
      (child as EventEmitter).emit(message.kind, message);
    });
    const died = once(child.#process, 'exit').then(([code]) => {
      throw new Error(`${file} ended with ${String(code)} before it was ready`);
    });
    await Promise.race([once(child, 'ready'), died]);
    died.catch(() => undefined);
    return child;
  }

  /** Lets it finish what it is doing. Throws when something failed in it. */
  async stop(): Promise<void> {
    const exited = once(this.#process, 'exit');
    this.#process.disconnect();
    const [code] = await exited;
    if (code !== 0) this.#failures.push(`it ended with ${String(code)}`);
    if (this.#failures.length > 0) throw new Error(`in a process of the benchmark: ${this.#failures.join('; ')}`);
  }
}

/** In the child: says something to the process that measures, if that still listens. */
export function tellParent(message: ChildMessage): void {
  if (process.connected) process.send?.(message);
}

/** In the child: runs until the process that measures lets go of it. */
export async function untilDismissed(): Promise<void> {
  await once(process, 'disconnect');
}
