import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineAction } from '../../src/deliver/define-action.ts';
import { unwrap } from '../../src/model/result.ts';
import { createTocsin, type Tocsin } from '../../src/tocsin.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { newTenant, orderWorkflow } from '../support/orders-workflows.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';
import { until } from '../support/until.ts';
import { WebhookReceiver } from '../support/webhook-receiver.ts';

/** Pauses that no test outlives: they end when a test says so. */
const pauses = { pauseMs: 3_600_000, maxPauseMs: 3_600_000 };
const webhooks = { allowHosts: ['127.0.0.1'], pauseAfterFailures: 3, endpointConcurrency: 2, ...pauses };
const chat = defineAction({
  type: 'chat',
  schema: z.strictObject({ url: z.string() }),
  audience: 'once',
  deliver: ({ url }, { transports, signal }) =>
    transports.sendHttp({ url, method: 'POST', headers: {}, body: 'hi' }, signal),
});
const t = useTestTocsin({ webhooks, actions: [chat] });
let receiver: WebhookReceiver;
let second: Tocsin;

beforeAll(async () => {
  second = await createTocsin({ databaseUrl: t.url, webhooks, actions: [chat] });
});
// One for each test: what still waits from the test before does not reach it.
beforeEach(async () => {
  receiver = await WebhookReceiver.start();
});
afterEach(() => receiver.close());
afterAll(() => second.close());

/** A tenant whose orders go to the receiver; retries wait for an hour, so that only what was postponed comes again. */
async function tenantWithWebhook(action: Record<string, unknown> = {}): Promise<string> {
  const tenant = await newTenant(t);
  const retry = { initialIntervalMs: 3_600_000, maxIntervalMs: 3_600_000 };
  const webhook = { type: 'webhook', url: `${receiver.url}/${tenant}`, payload: { id: '{{ payload.id }}' }, retry };
  await t.publish(tenant, orderWorkflow({ actions: [{ ...webhook, ...action }] }));
  return tenant;
}

const order = (tenant: string, count = 1) =>
  t.sql('insert into orders (tenant_id) select $1 from generate_series(1, $2::int)', [tenant, count]);
const hits = (tenant: string) => receiver.requests.filter(({ path }) => path === `/${tenant}`).length;
const endpointsOf = async (tenant: string) => unwrap(await t.tocsin.endpoints.listEndpoints(tenant)).items;

async function deliveriesOf(tenant: string) {
  const { rows } = await t.sql(
    'select status, reason, attempts from tocsin.deliveries where tenant_id = $1 order by attempts desc, id',
    [tenant],
  );
  return rows as { status: string; reason: string | null; attempts: number }[];
}

/** The pause is over, and one of those that wait asks again. */
async function endPause(tenant: string): Promise<void> {
  await t.sql('update tocsin.endpoints set retry_at = now() where tenant_id = $1 and retry_at > now()', [tenant]);
  await t.sql(
    `update tocsin.deliveries set due_at = now()
     where id = (select id from tocsin.deliveries where tenant_id = $1 and reason = 'endpoint_paused' limit 1)`,
    [tenant],
  );
}

const askAgain = (tenant: string) =>
  t.sql("update tocsin.deliveries set due_at = now() where tenant_id = $1 and reason like 'endpoint_%'", [tenant]);

/** Settles, also what only waited for its turn because the machine was busy. */
async function settleAll(tenant: string): Promise<void> {
  await settleUntil('nothing waits for its turn', async () => {
    await t.sql("update tocsin.deliveries set due_at = now() where tenant_id = $1 and reason = 'endpoint_busy'", [
      tenant,
    ]);
    return (await deliveriesOf(tenant)).every(({ reason }) => reason !== 'endpoint_busy');
  });
}

async function settleUntil(what: string, isSo: () => Promise<boolean>): Promise<void> {
  await until(what, async () => {
    await t.settle();
    return isSo();
  });
}

describe('the circuit breaker of an endpoint', () => {
  test('pauses it after failures in a row: what waits was not tried and lost no attempt', async () => {
    const tenant = await tenantWithWebhook();
    receiver.answerAlways({ kind: 'answer', status: 500 });
    await order(tenant, 12);
    await settleAll(tenant);
    // Two at a time: the one beside the third failure was under way already.
    expect(hits(tenant)).toBeGreaterThanOrEqual(3);
    expect(hits(tenant)).toBeLessThanOrEqual(4);
    const deliveries = await deliveriesOf(tenant);
    const tried = deliveries.filter(({ attempts }) => attempts === 1);
    const waiting = deliveries.filter(({ attempts }) => attempts === 0);
    expect(tried).toHaveLength(hits(tenant));
    expect(waiting).toHaveLength(12 - tried.length);
    expect(new Set(waiting.map(({ status, reason }) => `${status} ${reason}`))).toEqual(
      new Set(['pending endpoint_paused']),
    );
    expect(await endpointsOf(tenant)).toMatchObject([
      { origin: receiver.url, status: 'paused', failures: 3, lastReason: 'http_status', retryAt: expect.any(Date) },
    ]);
    const { rows } = await t.sql('select count(*)::int as n from tocsin.delivery_attempts where tenant_id = $1', [
      tenant,
    ]);
    expect(rows).toEqual([{ n: tried.length }]);
    expect(await brokenInvariants(t.database)).toEqual([]);
    expect((await t.tocsin.metrics.render()).body).toMatch(/^tocsin_endpoints_open [1-9]/m);
  });

  test('lets one delivery of all workers try it: the others wait, and one request is what a failed trial costs', async () => {
    const slow = await WebhookReceiver.start();
    const tenant = await tenantWithWebhook({ url: slow.url, timeoutMs: 120_000 });
    slow.answerAlways({ kind: 'answer', status: 500 });
    await order(tenant, 12);
    await settleAll(tenant);
    const failed = slow.requests.length;
    // The trial takes its time: who asks meanwhile is told to wait.
    slow.answerAlways({ kind: 'hang' });
    await endPause(tenant);
    const trial = Promise.all([t.tocsin.listener.runOnce(), second.listener.runOnce()]);
    await slow.received(failed + 1);
    for (let n = 0; n < 3; n++) {
      await askAgain(tenant);
      await Promise.all([t.tocsin.listener.runOnce(), second.listener.runOnce()]);
    }
    expect(await endpointsOf(tenant)).toMatchObject([{ status: 'trying' }]);
    expect(slow.requests).toHaveLength(failed + 1);
    await slow.close();
    await trial;
    expect(await endpointsOf(tenant)).toMatchObject([{ status: 'paused', failures: 4 }]);
  });

  test('closes with the success of the trial: what waited goes out, and no row is left', async () => {
    const tenant = await tenantWithWebhook();
    receiver.answerAlways({ kind: 'answer', status: 503 });
    await order(tenant, 12);
    await settleAll(tenant);
    const failed = hits(tenant);
    receiver.answerAlways({ kind: 'answer', status: 204 });
    await endPause(tenant);
    await settleUntil('all that waited are delivered', async () => {
      const deliveries = await deliveriesOf(tenant);
      return deliveries.filter(({ status }) => status === 'delivered').length === 12 - failed;
    });
    expect(hits(tenant)).toBe(12);
    expect(await endpointsOf(tenant)).toEqual([]);
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test('waits as long as 429 with Retry-After asks, with every delivery to it', async () => {
    const tenant = await tenantWithWebhook();
    receiver.answerNext({ kind: 'answer', status: 429, headers: { 'retry-after': '7200' } });
    await order(tenant);
    await settleAll(tenant);
    await order(tenant, 5);
    await settleAll(tenant);
    expect(hits(tenant)).toBe(1);
    const [endpoint] = await endpointsOf(tenant);
    expect(endpoint).toMatchObject({ status: 'paused', failures: 1 });
    const { rows } = await t.sql(
      `select count(*)::int as n from tocsin.deliveries d
       join tocsin.endpoints e on e.tenant_id = d.tenant_id
       where d.tenant_id = $1 and d.reason = 'endpoint_paused'
         and d.due_at > e.retry_at - interval '2 seconds' and e.retry_at > now() + interval '1 hour 59 minutes'`,
      [tenant],
    );
    expect(rows).toEqual([{ n: 5 }]);
  });

  test('does not open for answers that refuse one request', async () => {
    const tenant = await tenantWithWebhook();
    receiver.answerAlways({ kind: 'answer', status: 422 });
    await order(tenant, 8);
    await settleAll(tenant);
    expect(hits(tenant)).toBe(8);
    expect(await endpointsOf(tenant)).toEqual([]);
  });

  test('counts failures in a row only: a success in between forgets them', async () => {
    const tenant = await tenantWithWebhook();
    for (const status of [500, 500, 204, 500, 500, 204]) {
      receiver.answerNext({ kind: 'answer', status });
      await order(tenant);
      await settleAll(tenant);
    }
    expect(hits(tenant)).toBe(6);
    expect(await endpointsOf(tenant)).toEqual([]);
  });

  test('stops at 410 until somebody resumes it: then all that waited goes out', async () => {
    const tenant = await tenantWithWebhook();
    receiver.answerNext({ kind: 'answer', status: 410 });
    await order(tenant);
    await settleAll(tenant);
    await order(tenant, 3);
    await settleAll(tenant);
    expect(hits(tenant)).toBe(1);
    expect(await endpointsOf(tenant)).toMatchObject([{ status: 'disabled', retryAt: null }]);
    expect((await deliveriesOf(tenant)).map(({ status, reason }) => `${status} ${reason}`).toSorted()).toEqual([
      'dead http_status',
      'pending endpoint_disabled',
      'pending endpoint_disabled',
      'pending endpoint_disabled',
    ]);
    unwrap(await t.tocsin.endpoints.resumeEndpoint(tenant, receiver.url));
    await settleUntil('they are delivered', async () => hits(tenant) === 4);
    expect(await endpointsOf(tenant)).toEqual([]);
  });

  test('gives up what waited longer than it may, with what it waited for as the reason', async () => {
    const tenant = await tenantWithWebhook();
    await t.sql("insert into tocsin.endpoints (tenant_id, origin, state, failures) values ($1, $2, 'open', 1)", [
      tenant,
      receiver.url,
    ]);
    const impatient = await createTocsin({
      databaseUrl: t.url,
      webhooks: { ...webhooks, maxWaitMs: 1_000 },
      actions: [chat],
    });
    await order(tenant);
    await settleAll(tenant);
    expect(await deliveriesOf(tenant)).toMatchObject([{ status: 'pending', reason: 'endpoint_disabled' }]);
    await until('it has waited for too long', async () => {
      await t.sql("update tocsin.deliveries set due_at = now() where tenant_id = $1 and status = 'pending'", [tenant]);
      await impatient.listener.runOnce();
      return (await deliveriesOf(tenant))[0]?.status === 'dead';
    });
    expect(await deliveriesOf(tenant)).toMatchObject([{ status: 'dead', reason: 'endpoint_disabled' }]);
    expect(hits(tenant)).toBe(0);
    // Redriven it waits again, however old it is.
    unwrap(await t.tocsin.deadLetters.redrive(tenant, { all: true }));
    await impatient.listener.runOnce();
    expect(await deliveriesOf(tenant)).toMatchObject([{ status: 'pending', reason: 'endpoint_disabled', attempts: 1 }]);
    expect(await brokenInvariants(t.database)).toEqual([]);
    await impatient.close();
  });

  test('is one for all workers, and one per tenant', async () => {
    const [mine, theirs] = [await tenantWithWebhook(), await tenantWithWebhook()];
    receiver.answerAlways({ kind: 'answer', status: 500 });
    await order(mine, 6);
    await settleAll(mine);
    const failed = hits(mine);
    receiver.answerAlways({ kind: 'answer', status: 204 });
    await askAgain(mine);
    await order(theirs);
    while (await second.listener.runOnce());
    expect(hits(mine)).toBe(failed);
    expect(hits(theirs)).toBe(1);
  });

  test('stands before custom actions as well', async () => {
    const tenant = await newTenant(t);
    await t.publish(tenant, orderWorkflow({ actions: [{ type: 'chat', url: `${receiver.url}/${tenant}` }] }));
    receiver.answerAlways({ kind: 'answer', status: 500 });
    await order(tenant, 8);
    await settleAll(tenant);
    expect(hits(tenant)).toBeLessThanOrEqual(4);
    expect((await deliveriesOf(tenant)).filter(({ reason }) => reason === 'endpoint_paused').length).toBeGreaterThan(3);
  });

  test('writes nothing while an endpoint works', async () => {
    const tenant = await tenantWithWebhook();
    await t.database.transaction(async (_tx, client) => {
      // Whoever writes waits for the end of this transaction, and it ends when all is delivered.
      await client.query('lock table tocsin.endpoints in share mode');
      await order(tenant, 20);
      await settleAll(tenant);
    });
    expect(hits(tenant)).toBe(20);
    expect(await endpointsOf(tenant)).toEqual([]);
  });
});

describe('an endpoint that hangs', () => {
  test('does not take the places of others: their deliveries go out while it hangs', { timeout: 60_000 }, async () => {
    const slow = await WebhookReceiver.start();
    slow.answerAlways({ kind: 'hang' });
    const hanging = await tenantWithWebhook({ url: `${slow.url}/`, timeoutMs: 20_000 });
    const healthy = await tenantWithWebhook();
    const worker = await createTocsin({
      databaseUrl: t.url,
      webhooks,
      actions: [chat],
      worker: { concurrency: 8, pollMs: 50, graceMs: 0 },
    });
    await order(hanging, 60);
    await worker.listener.start();
    await slow.received(2);
    await order(healthy, 20);
    await until('the others are delivered', async () => hits(healthy) === 20, 30_000);
    expect(slow.requests).toHaveLength(2);
    const { rows } = await t.sql(
      "select count(*)::int as n from tocsin.deliveries where tenant_id = $1 and attempts = 0 and reason = 'endpoint_busy'",
      [hanging],
    );
    expect(rows[0]?.n).toBeGreaterThan(0);
    await worker.listener.stop();
    // The stop says nothing about the endpoint.
    expect(await endpointsOf(hanging)).toEqual([]);
    await worker.close();
    await slow.close();
  });
});
