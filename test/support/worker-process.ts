import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** A `tocsin worker` in a process of its own, that can be killed for real. */
export class WorkerProcess {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  /** Port of /healthz and /metrics. */
  readonly httpPort: number;

  private constructor(child: ChildProcess, lines: string[], httpPort: number) {
    this.#child = child;
    this.#lines = lines;
    this.httpPort = httpPort;
  }

  /** Starts one and waits until it says that it works. */
  static async start(
    databaseUrl: string,
    options: { args?: readonly string[]; env?: NodeJS.ProcessEnv } = {},
  ): Promise<WorkerProcess> {
    const child = spawn(process.execPath, [main, 'worker', '--http-port', '0', ...(options.args ?? [])], {
      env: { ...process.env, DATABASE_URL: databaseUrl, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    // A test that failed before it stopped its worker leaves none behind.
    const kill = () => child.kill('SIGKILL');
    process.once('exit', kill);
    child.once('exit', () => process.removeListener('exit', kill));
    const lines: string[] = [];
    const started = Promise.withResolvers<void>();
    let rest = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      const parts = (rest + chunk.toString()).split('\n');
      rest = parts.pop() ?? '';
      lines.push(...parts);
      if (parts.some((line) => line.includes('"worker started"'))) started.resolve();
    });
    child.stdout?.on('data', (chunk: Buffer) => lines.push(chunk.toString()));
    child.once('exit', (code, signal) =>
      started.reject(new Error(`worker ended (${code ?? signal}): ${lines.join('\n')}`)),
    );
    await started.promise;
    const port = lines.map((line) => /"port":(\d+)/.exec(line)?.[1]).find((found) => found !== undefined);
    return new WorkerProcess(child, lines, Number(port));
  }

  /** What it wrote so far, on both outputs. */
  get log(): readonly string[] {
    return this.#lines;
  }

  /** Exit code or signal once it has ended. */
  get exit(): number | NodeJS.Signals | null {
    return this.#child.exitCode ?? this.#child.signalCode;
  }

  /** Resolves when it has ended, for whatever reason. */
  async ended(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }

  /** kill -9. */
  async kill(): Promise<void> {
    if (this.exit !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  /** SIGTERM; answers the exit code. */
  async terminate(): Promise<number | null> {
    if (this.exit !== null) return this.#child.exitCode;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const [code] = (await exited) as [number | null];
    return code;
  }
}
