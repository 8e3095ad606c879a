import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebhookReceiver } from '../../src/testing/webhook-receiver.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { newTenant, orderNotification, orderWorkflow } from '../support/orders-workflows.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';
import { leaseMs, useWorkerConfig } from './worker-config.ts';

const t = useTestTocsin();
const config = useWorkerConfig();
const skewedClock = new URL('../support/skewed-clock.ts', import.meta.url).href;
const dayMs = 86_400_000;
let receiver: WebhookReceiver;

beforeAll(async () => {
  receiver = await WebhookReceiver.start();
});
afterAll(() => receiver.close());

function startSkewed(skewMs: number): Promise<WorkerProcess> {
  const env = { NODE_OPTIONS: `--import ${skewedClock}`, SKEW_MS: String(skewMs) };
  return WorkerProcess.start(t.url, { args: config.args, env });
}

const one = async (text: string, values: unknown[]) => (await t.sql(text, values)).rows[0] ?? {};

describe('workers whose clocks are wrong', () => {
  test('F10: clocks that are a day ahead and a day behind: no lease ends, no retry comes and no condition is decided early or late', {
    timeout: 90_000,
  }, async () => {
    const tenant = await newTenant(t);
    const webhook = (path: string) => ({
      type: 'webhook',
      url: `${receiver.url}/${path}`,
      payload: { event: '{{ event.id }}' },
      timeoutMs: 30_000,
      retry: { maxAttempts: 3, initialIntervalMs: 3_600_000, maxIntervalMs: 3_600_000 },
    });
    const today = new Date().toLocaleDateString('en', { weekday: 'long', timeZone: 'UTC' }).toLowerCase();
    await t.publish(tenant, orderWorkflow({ actions: [webhook(tenant)] }));
    await t.publish(
      tenant,
      orderWorkflow({
        conditions: [{ type: 'time_based', days: [today], timezone: 'UTC' }],
        actions: [orderNotification],
      }),
    );
    const workers = await Promise.all([startSkewed(dayMs), startSkewed(-dayMs)]);
    const days = workers.map(({ log }) => new Date(JSON.parse(log.at(-1) ?? '{}').time).getTime() - Date.now());
    expect(Math.round((days[0] ?? 0) / dayMs)).toBe(1);
    expect(Math.round((days[1] ?? 0) / dayMs)).toBe(-1);

    // One hangs for longer than its lease, one is to be made again in an hour, the others are made.
    receiver.answerNext({ kind: 'hang' }, { kind: 'answer', status: 503 });
    await t.sql('insert into orders (tenant_id) select $1 from generate_series(1, 50)', [tenant]);
    await until(
      'the others are made, and the hanging one is held for longer than a lease lasts',
      async () => {
        const { held, made } = await one(
          `select now() - min(created_at) filter (where lease_token is not null) > $2 * interval '2 milliseconds' as held,
             (count(*) filter (where status = 'delivered' and action_type = 'webhook'))::int as made
           from tocsin.deliveries where tenant_id = $1`,
          [tenant, leaseMs],
        );
        return held === true && made === 48;
      },
      60_000,
    );
    expect(receiver.requests).toHaveLength(50);
    const retried = await one(
      `select count(*)::int as n, min(extract(epoch from due_at - now()))::float8 / 60 as minutes
       from tocsin.deliveries where tenant_id = $1 and status = 'pending' and lease_token is null`,
      [tenant],
    );
    expect(retried.n).toBe(1);
    expect(retried.minutes).toBeGreaterThan(20);
    expect(retried.minutes).toBeLessThan(61);
    const told = await one('select count(*)::int as n from tocsin.notifications where tenant_id = $1', [tenant]);
    expect(told.n).toBe(100);

    await Promise.all(workers.map((worker) => worker.kill()));
    expect(await brokenInvariants(t.database)).toEqual([]);
  });
});
