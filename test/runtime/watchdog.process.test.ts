import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import { until } from '../support/until.ts';

const watchdog = new URL('../../src/runtime/watchdog.ts', import.meta.url).href;
const hangMs = 4_000;

/** A process with a watchdog that obeys each line. */
const script = `
import { writeSync } from 'node:fs';
import { startWatchdog } from '${watchdog}';
startWatchdog(${hangMs});
process.stdin.on('data', (line) => {
  const before = process.cpuUsage();
  const workedMs = () => Object.values(process.cpuUsage(before)).reduce((sum, us) => sum + us / 1000, 0);
  writeSync(1, 'begun');
  while (String(line) === 'hang' || workedMs() < 300);
  writeSync(1, 'done');
});
// By then its thread has begun.
setTimeout(() => writeSync(1, 'ready'), 1_000);
`;

async function startProcess(): Promise<{ child: ChildProcess; said: (word: string) => Promise<unknown> }> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'pipe' });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  }
  const said = (word: string) => until(`it says ${word}: ${output}`, async () => output.includes(word));
  await said('ready');
  return { child, said };
}

describe('startWatchdog', () => {
  test('ends a process whose event loop stands still, and says so', async () => {
    const { child, said } = await startProcess();
    const exited = once(child, 'exit');
    child.stdin?.write('hang');
    expect(await exited).toEqual([null, 'SIGKILL']);
    await said('"msg":"the process stood still for 4000 ms');
  });

  test('leaves alone a process that was stopped as a whole, by a debugger or with its machine', async () => {
    const { child, said } = await startProcess();
    child.stdin?.write('work');
    await said('begun');
    child.kill('SIGSTOP');
    const since = performance.now();
    await until('it was stopped for longer than it may hang', async () => performance.now() - since > hangMs + 500);
    child.kill('SIGCONT');
    await said('done');
    expect(child.exitCode ?? child.signalCode).toBeNull();
  });
});
