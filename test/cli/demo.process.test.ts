import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const run = promisify(execFile);

describe('tocsin demo', () => {
  test('receives what it expects, says so as data, and exits 0', { timeout: 60_000 }, async () => {
    const { stdout } = await run(process.execPath, [main, 'demo', '--json'], { maxBuffer: 16 * 1024 * 1024 });
    const report = JSON.parse(stdout);
    expect(report.expectations.filter(({ isMet }: { isMet: boolean }) => !isMet)).toEqual([]);
    expect(report.expectations.length).toBeGreaterThan(10);
    expect(report.mails).toHaveLength(3);
    expect(report.webhooks).toHaveLength(2);
    expect(report.executions.length).toBeGreaterThan(5);
  });

  test('prints the inboxes, mails, webhooks and the log for people', { timeout: 60_000 }, async () => {
    const { stdout } = await run(process.execPath, [main, 'demo'], { env: { ...process.env, NO_COLOR: '1' } });
    for (const part of [
      'Inboxes',
      'Mails received',
      'Webhooks received',
      'Execution log',
      'Large order A-4',
      'signature valid',
    ]) {
      expect(stdout).toContain(part);
    }
    expect(stdout).toMatch(/all \d+ expectations are met/);
  });
});
