import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unwrap } from '../../src/model/result.ts';
import { WebhookReceiver } from '../../src/testing/webhook-receiver.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const leaseMs = 2_000;
const t = useTestTocsin();
let receiver: WebhookReceiver;
let directory: string;
let config: string;

beforeAll(async () => {
  receiver = await WebhookReceiver.start();
  directory = await mkdtemp(join(tmpdir(), 'tocsin-test-'));
  config = join(directory, 'tocsin.config.mjs');
  await writeFile(
    config,
    `export default { webhooks: { allowHosts: ['127.0.0.1'] }, worker: { leaseMs: ${leaseMs}, graceMs: 3000 } };`,
  );
});

afterAll(async () => {
  await receiver.close();
  await rm(directory, { recursive: true });
});

async function publishWebhook(tenant: string, queue = 'default'): Promise<void> {
  await t.publish(tenant, {
    name: 'webhook',
    triggers: [{ entityType: 'order', operation: 'insert' }],
    actions: [
      { type: 'webhook', url: `${receiver.url}/${tenant}`, payload: { id: '{{ payload.id }}' }, timeoutMs: 30_000 },
    ],
    settings: { queue },
  });
}

const requestsOf = (tenant: string) => receiver.requests.filter(({ path }) => path === `/${tenant}`);
const order = (tenant: string) => t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
const delivered = async (tenant: string) => {
  const { rows } = await t.sql(
    "select count(*)::int as n from tocsin.deliveries where tenant_id = $1 and status = 'delivered'",
    [tenant],
  );
  return rows[0]?.n as number;
};

describe('tocsin worker', () => {
  test('what it was sending when it was killed is sent again under the same id, when its lease ends', {
    timeout: 60_000,
  }, async () => {
    await publishWebhook('killed');
    const first = await WorkerProcess.start(t.url, { args: ['--config', config] });
    receiver.answerNext({ kind: 'hang' });
    await order('killed');
    await until('the webhook is being sent', async () => requestsOf('killed').length === 1);
    await first.kill();

    const second = await WorkerProcess.start(t.url, { args: ['--config', config] });
    await until('it is sent again', async () => (await delivered('killed')) === 1, 20_000);
    expect(await second.terminate()).toBe(0);
    const ids = requestsOf('killed').map(({ headers }) => headers['webhook-id']);
    expect(ids).toHaveLength(2);
    expect(new Set(ids).size).toBe(1);
    const { items } = unwrap(await t.tocsin.workflows.getExecutionLogs('killed', {}));
    const execution = unwrap(await t.tocsin.workflows.getExecution('killed', items[0]?.id ?? ''));
    expect(execution.status).toBe('success');
    expect(execution.deliveries[0]?.attempts.map(({ outcome, reason }) => ({ outcome, reason }))).toEqual([
      { outcome: 'retry', reason: 'lease_lost' },
      { outcome: 'delivered', reason: null },
    ]);
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test('SIGTERM under load finishes or gives back what is under way within ten seconds, and exits 0', {
    timeout: 60_000,
  }, async () => {
    await publishWebhook('drained');
    const first = await WorkerProcess.start(t.url, { args: ['--config', config, '--concurrency', '4'] });
    for (let n = 0; n < 2; n++) receiver.answerNext({ kind: 'hang' });
    await t.sql("insert into orders (tenant_id) select 'drained' from generate_series(1, 200)");
    await until('it is at work', async () => (await delivered('drained')) > 10);
    const startedAt = performance.now();
    expect(await first.terminate()).toBe(0);
    expect(performance.now() - startedAt).toBeLessThan(10_000);
    const { rows } = await t.sql(
      "select count(*)::int as n from tocsin.deliveries where tenant_id = 'drained' and lease_token is not null",
    );
    expect(rows).toEqual([{ n: 0 }]);

    const second = await WorkerProcess.start(t.url, { args: ['--config', config] });
    await until('the rest is delivered', async () => (await delivered('drained')) === 200, 30_000);
    await second.terminate();
    const ids = requestsOf('drained').map(({ headers }) => String(headers['webhook-id']));
    expect(new Set(ids).size).toBe(200);
    // The two that hung were cut short by the stop, and made again: nothing else was sent twice.
    expect(ids.length).toBeLessThanOrEqual(202);
  });

  test('serves the queues of its preset, and leaves the others to others', { timeout: 60_000 }, async () => {
    await publishWebhook('important', 'critical');
    await publishWebhook('patient', 'background');
    const critical = await WorkerProcess.start(t.url, { args: ['--config', config, '--preset', 'critical'] });
    await order('important');
    await order('patient');
    await until('the critical one is delivered', async () => (await delivered('important')) === 1);
    await until('the other is planned', async () => {
      const { rows } = await t.sql(
        "select 1 from tocsin.deliveries where tenant_id = 'patient' and status = 'pending'",
      );
      return rows.length === 1;
    });
    expect(await delivered('patient')).toBe(0);
    const named = await WorkerProcess.start(t.url, {
      args: ['--config', config, '--preset', 'background', '--queues', 'background'],
    });
    await until('its own worker delivers it', async () => (await delivered('patient')) === 1);
    expect(await critical.terminate()).toBe(0);
    expect(await named.terminate()).toBe(0);
  });

  test('does what the configuration says when no preset is given', { timeout: 60_000 }, async () => {
    const own = join(directory, 'own.config.mjs');
    await writeFile(own, "export default { worker: { stages: ['match', 'execute'], queues: ['mine'] } };");
    const told = async (args: readonly string[]) => {
      const worker = await WorkerProcess.start(t.url, { args: ['--config', own, ...args] });
      expect(await worker.terminate()).toBe(0);
      const { stages, queues } = JSON.parse(worker.log.find((line) => line.includes('"worker started"')) ?? '{}');
      return { stages, queues };
    };
    expect(await told([])).toEqual({ stages: ['match', 'execute'], queues: ['mine'] });
    expect(await told(['--queues', 'other'])).toEqual({ stages: ['match', 'execute'], queues: ['other'] });
    expect(await told(['--preset', 'all'])).toEqual({
      stages: ['match', 'execute', 'deliver', 'maintain'],
      queues: null,
    });
  });

  test('answers /healthz and /metrics, and 404 elsewhere', async () => {
    const worker = await WorkerProcess.start(t.url, { args: ['--config', config] });
    const url = `http://127.0.0.1:${worker.httpPort}`;
    const health = await fetch(`${url}/healthz`);
    expect(health.status).toBe(200);
    expect(await health.json()).toMatchObject({ status: 'ok', checks: { database: 'answers' } });
    await publishWebhook('measured');
    await order('measured');
    await until('it is delivered', async () => (await delivered('measured')) === 1);
    await until('it is counted', async () =>
      (await (await fetch(`${url}/metrics`)).text()).includes('outcome="delivered"'),
    );
    const metrics = await (await fetch(`${url}/metrics`)).text();
    expect(metrics).toMatch(/^tocsin_events_matched_total [1-9]/m);
    expect(metrics).toMatch(/^tocsin_executions_total\{status="running"\} [1-9]/m);
    expect(metrics).toMatch(/^tocsin_oldest_event_seconds 0$/m);
    expect((await fetch(`${url}/other`)).status).toBe(404);
    expect(await worker.terminate()).toBe(0);
  });

  test('works where no code can be generated from strings', { timeout: 60_000 }, async () => {
    const worker = await WorkerProcess.start(t.url, {
      args: ['--config', config],
      env: { NODE_OPTIONS: '--disallow-code-generation-from-strings' },
    });
    await publishWebhook('closed');
    await order('closed');
    await until('it is delivered', async () => (await delivered('closed')) === 1);
    expect(requestsOf('closed').map(({ body }) => JSON.parse(body))).toEqual([{ id: expect.any(Number) }]);
    expect(await worker.terminate()).toBe(0);
  });

  test('says that a captured table has lost its trigger', { timeout: 60_000 }, async () => {
    await t.sql('create table refunds (id int primary key, tenant_id text)');
    unwrap(await t.tocsin.capture.install({ table: 'refunds', entityType: 'refund', tenantColumn: 'tenant_id' }));
    await t.sql('alter table refunds disable trigger all');
    const worker = await WorkerProcess.start(t.url, { args: ['--config', config] });
    await until('it is logged', async () => worker.log.some((line) => line.includes('capture is not as installed')));
    const metrics = await (await fetch(`http://127.0.0.1:${worker.httpPort}/metrics`)).text();
    expect(metrics).toMatch(/^tocsin_capture_problems 1$/m);
    expect(await worker.terminate()).toBe(0);
    unwrap(await t.tocsin.capture.remove('refunds'));
  });

  test('several workers share the work: each event is matched once, each webhook sent once', {
    timeout: 60_000,
  }, async () => {
    await publishWebhook('shared');
    const workers = await Promise.all([1, 2, 3].map(() => WorkerProcess.start(t.url, { args: ['--config', config] })));
    await t.sql("insert into orders (tenant_id) select 'shared' from generate_series(1, 300)");
    await until('all are delivered', async () => (await delivered('shared')) === 300, 30_000);
    for (const worker of workers) expect(await worker.terminate()).toBe(0);
    expect(requestsOf('shared')).toHaveLength(300);
    expect(await brokenInvariants(t.database)).toEqual([]);
  });
});
