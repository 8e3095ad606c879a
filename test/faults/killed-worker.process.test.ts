import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { WebhookReceiver } from '../../src/testing/webhook-receiver.ts';
import { webhookHits } from '../support/hit.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { newTenant, orderNotification } from '../support/orders-workflows.ts';
import { TableLock } from '../support/table-lock.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';
import { WriterLedger } from '../support/writer-ledger.ts';
import { useWorkerConfig } from './worker-config.ts';

const t = useTestTocsin();
// Without maintenance, which would stop at the same locks.
const config = useWorkerConfig({ stages: ['match', 'execute', 'deliver'] });
const matchOnly = useWorkerConfig({ stages: ['match'] });
const ledger = new WriterLedger();
let receiver: WebhookReceiver;

beforeAll(async () => {
  receiver = await WebhookReceiver.start();
});
afterAll(() => receiver.close());

const startWorker = ({ args } = config) => WorkerProcess.start(t.url, { args });

async function publish(tenant: string): Promise<void> {
  await t.publish(tenant, {
    name: 'orders',
    triggers: [{ entityType: 'order', operation: 'insert' }],
    actions: [
      orderNotification,
      {
        type: 'webhook',
        url: `${receiver.url}/${tenant}`,
        payload: { event: '{{ event.id }}' },
        timeoutMs: 30_000,
        retry: { maxAttempts: 5, initialIntervalMs: 3_600_000, maxIntervalMs: 3_600_000 },
      },
    ],
    recipients: [{ type: 'role', id: 'sales' }],
  });
}

async function order(tenant: string): Promise<void> {
  const { rows } = await t.sql('insert into orders (tenant_id) values ($1) returning id', [tenant]);
  ledger.note(
    { tenantId: tenant, entityType: 'order', entityId: String(rows[0]?.id), operation: 'insert' },
    'committed',
  );
}

const count = async (from: string, tenant: string) =>
  Number((await t.sql(`select count(*) as n from ${from} and tenant_id = $1`, [tenant])).rows[0]?.n);
const hits = (tenant: string) => receiver.requests.filter(({ path }) => path === `/${tenant}`).length;

/** Attempts of the tenant's webhook, those that came to nothing included. */
const webhookAttempts = async (tenant: string) =>
  (await t.sql("select attempts from tocsin.deliveries where tenant_id = $1 and action_type = 'webhook'", [tenant]))
    .rows[0]?.attempts;

/** Kills a worker that a lock stops in this statement, as with its machine: what it was still asking for is not done. */
async function killAt(worker: WorkerProcess, lock: TableLock, statement: string): Promise<void> {
  await lock.stopsSomebody(statement);
  await worker.kill();
  await lock.endWaiting();
  await lock.release();
}

/** Where a worker is killed; each leaves an order in a tenant and nobody at work. */
const places: Readonly<
  Record<string, { kill: (tenant: string) => Promise<void>; webhooks: number; attempts: number }>
> = {
  'with its events claimed and nothing written': {
    kill: async (tenant) => {
      const worker = await startWorker();
      const lock = await TableLock.take(t.url, 'tocsin.directory_memberships', 'access exclusive');
      await order(tenant);
      await killAt(worker, lock, 'directory_memberships');
      expect(await count('tocsin.events where true', tenant)).toBe(1);
    },
    webhooks: 1,
    attempts: 1,
  },
  'with half of the plan written': {
    kill: async (tenant) => {
      const worker = await startWorker();
      const lock = await TableLock.take(t.url, 'tocsin.deliveries', 'share');
      await order(tenant);
      await killAt(worker, lock, 'insert into tocsin.deliveries');
      expect(await count('tocsin.events where true', tenant)).toBe(1);
      expect(await count('tocsin.executions where true', tenant)).toBe(0);
    },
    webhooks: 1,
    attempts: 1,
  },
  'with the plan committed': {
    kill: async (tenant) => {
      const worker = await startWorker(matchOnly);
      await order(tenant);
      await until('it is planned', async () => (await count('tocsin.executions where true', tenant)) === 1, 30_000);
      await worker.kill();
    },
    webhooks: 1,
    attempts: 1,
  },
  'with a delivery claimed and not sent': {
    kill: async (tenant) => {
      const worker = await startWaiting(tenant);
      const lock = await TableLock.take(t.url, 'tocsin.event_history', 'access exclusive');
      await makeDue(tenant);
      await killAt(worker, lock, 'event_history');
      expect(await count('tocsin.deliveries where attempts = 2 and lease_token is not null', tenant)).toBe(1);
    },
    webhooks: 2,
    attempts: 3,
  },
  'while it sends': {
    kill: async (tenant) => {
      receiver.answerNext({ kind: 'hang' });
      const worker = await startWorker();
      await order(tenant);
      await until('the receiver has it', async () => hits(tenant) === 1, 30_000);
      await worker.kill();
    },
    webhooks: 2,
    attempts: 2,
  },
  'with the answer in its hands': {
    kill: async (tenant) => {
      const worker = await startWaiting(tenant);
      const lock = await TableLock.take(t.url, 'tocsin.executions', 'share');
      await makeDue(tenant);
      await killAt(worker, lock, 'with made as');
      expect(hits(tenant)).toBe(2);
      expect(await count("tocsin.deliveries where status = 'pending'", tenant)).toBe(1);
    },
    webhooks: 3,
    attempts: 3,
  },
};

/** A worker whose webhook was refused once and waits for an hour. */
async function startWaiting(tenant: string): Promise<WorkerProcess> {
  receiver.answerNext({ kind: 'answer', status: 503 });
  const worker = await startWorker();
  await order(tenant);
  const waits = "tocsin.deliveries where attempts = 1 and lease_token is null and status = 'pending'";
  await until('it waits for an hour', async () => (await count(waits, tenant)) === 1, 30_000);
  return worker;
}

async function makeDue(tenant: string): Promise<void> {
  await t.sql("update tocsin.deliveries set due_at = now() where tenant_id = $1 and status = 'pending'", [tenant]);
}

describe('a worker that is killed', () => {
  for (const [place, { kill, webhooks, attempts }] of Object.entries(places)) {
    test(`F1: a worker killed ${place}: another goes on, nothing is lost and nothing planned twice`, {
      timeout: 180_000,
    }, async () => {
      const tenant = await newTenant(t);
      await publish(tenant);
      await kill(tenant);
      const second = await startWorker();
      await until(
        'everything is done',
        async () =>
          (await count("tocsin.executions where status = 'success'", tenant)) === 1 &&
          (await count("tocsin.deliveries where status = 'pending'", tenant)) === 0,
        60_000,
      );
      expect(await second.terminate()).toBe(0);
      expect(hits(tenant)).toBe(webhooks);
      expect(await webhookAttempts(tenant)).toBe(attempts);
      expect(await count('tocsin.notifications where true', tenant)).toBe(2);
      const outside = { ledger, hits: webhookHits(receiver), isDrained: true, isSteady: true };
      expect(await brokenInvariants(t.database, outside)).toEqual([]);
    });
  }
});
