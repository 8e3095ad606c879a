import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const timeout = 60_000;

/** Starts a command line, without a database. */
const start = (...args: string[]) =>
  spawn(process.execPath, [main, ...args], { env: {}, stdio: ['ignore', 'pipe', 'pipe'] });

describe('tocsin', () => {
  test('exits with 2 for a line that it does not understand, and says what was meant', { timeout }, async () => {
    const command = start('workflw', 'list');
    const [said, [exitCode]] = await Promise.all([text(command.stderr), once(command, 'exit')]);
    expect(said).toBe("error: unknown command 'workflw'\n(Did you mean workflow?)\n(--help says what it takes)\n");
    expect(exitCode).toBe(2);
  });

  test('ends as it would when nobody reads what it says', { timeout }, async () => {
    const command = start('workflow', 'list', '--tenant', 'acme');
    command.stderr.destroy();
    // 1 would be the fault that it could not say so; 2 is that it has no database.
    expect(await once(command, 'exit')).toEqual([2, null]);
  });
});
