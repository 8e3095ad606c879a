import { Readable } from 'node:stream';
import { vi } from 'vitest';
import { createProgram } from '../../src/cli/program.ts';

/** What a command line printed on both outputs, and how it would have ended. */
export type CommandRun = { readonly printed: string; readonly exitCode: typeof process.exitCode };

/** Runs one command line in this process, which is much faster than one of its own. */
export async function runCommand(line: readonly string[], options: { stdin?: string } = {}): Promise<CommandRun> {
  let printed = '';
  const print = (text: string | Uint8Array) => {
    printed += String(text);
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(print);
  vi.spyOn(process.stderr, 'write').mockImplementation(print);
  const stdin = Readable.from([options.stdin ?? '']) as typeof process.stdin;
  vi.spyOn(process, 'stdin', 'get').mockReturnValue(stdin);
  try {
    await createProgram()
      .exitOverride()
      .parseAsync([...line], { from: 'user' });
    return { printed, exitCode: process.exitCode };
  } finally {
    vi.restoreAllMocks();
    process.exitCode = undefined;
  }
}
