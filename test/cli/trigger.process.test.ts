import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { newTenant, orderWorkflow } from '../support/orders-workflows.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const run = promisify(execFile);
const t = useTestTocsin();

/** Stores an event of an order and waits; answers the exit code and the status of each execution. */
async function trigger(tenant: string, payload: object) {
  const event = ['--entity', 'order', '--operation', 'insert', '--payload', JSON.stringify(payload)];
  const args = [main, 'trigger', '--tenant', tenant, ...event, '--wait', '--json', '--database', t.url];
  const { code, stdout } = await run(process.execPath, args).then(
    ({ stdout }) => ({ code: 0, stdout }),
    (error: { code: number; stdout: string }) => error,
  );
  return [code, ...JSON.parse(stdout).executions.map(({ status }: { status: string }) => status)];
}

describe('tocsin trigger --wait', () => {
  test('exits with 1 when something could not be delivered, and says what', { timeout: 60_000 }, async () => {
    const tenant = await newTenant(t);
    const endless = '{% for a in payload.note | list %}{% for b in payload.note | list %}{% endfor %}{% endfor %}';
    await t.publish(tenant, orderWorkflow({ actions: [{ type: 'notification', title: 'x', message: endless }] }));
    expect(await trigger(tenant, { id: 1, note: 'ab' })).toEqual([0, 'success']);
    expect(await trigger(tenant, { id: 2, note: 'x'.repeat(300) })).toEqual([1, 'failed']);
  });
});
