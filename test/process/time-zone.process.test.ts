import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

const script = fileURLToPath(new URL('../support/time-decisions.ts', import.meta.url));
const run = promisify(execFile);

/** What a machine in this zone decides about times. */
async function decisionsIn(zone: string): Promise<string> {
  const { stdout } = await run(process.execPath, [script], { env: { ...process.env, TZ: zone }, maxBuffer: 2 ** 24 });
  return stdout;
}

describe('decisions about times', () => {
  test('are the same whatever the time zone of the machine', { timeout: 60_000 }, async () => {
    const inUtc = await decisionsIn('UTC');
    expect(
      JSON.parse(inUtc).windows.filter(([, , { result }]: [string, string, { result: boolean }]) => result).length,
    ).toBeGreaterThan(5);
    for (const zone of ['Pacific/Apia', 'Australia/Lord_Howe', 'America/New_York']) {
      expect(await decisionsIn(zone), zone).toBe(inUtc);
    }
  });
});
