import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import type { SettingsInput } from '../../src/config.ts';

/** Lease of the workers of these tests, ms: what a dead one had is taken over after it. */
export const leaseMs = 2_000;

/**
 * A configuration file for worker processes: webhooks to this machine, short leases, and what is given. Read it inside tests.
 */
export function useWorkerConfig(worker: SettingsInput['worker'] = {}): { readonly args: readonly string[] } {
  let directory: string | undefined;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tocsin-test-'));
    const settings = {
      webhooks: { allowHosts: ['127.0.0.1'] },
      worker: { leaseMs, graceMs: 2_000, ...worker },
    };
    await writeFile(join(directory, 'tocsin.config.mjs'), `export default ${JSON.stringify(settings)};`);
  });
  afterAll(async () => {
    if (directory !== undefined) await rm(directory, { recursive: true });
  });
  return {
    get args() {
      return ['--config', join(directory ?? '', 'tocsin.config.mjs')];
    },
  };
}
