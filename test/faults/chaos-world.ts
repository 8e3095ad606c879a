import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unwrap } from '../../src/model/result.ts';
import { SmtpReceiver } from '../../src/testing/smtp-receiver.ts';
import { WebhookReceiver } from '../../src/testing/webhook-receiver.ts';
import { createTocsin, type Tocsin } from '../../src/tocsin.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { PostgresCluster } from '../support/postgres-cluster.ts';
import { assertOwnServer } from './assert-own-server.ts';
import { WorkerPool } from './worker-pool.ts';

export const tenants = ['acme', 'bolt', 'crow'] as const;

/** Everything that a chaos run breaks, and what it must not break. */
export type ChaosWorld = {
  readonly cluster: PostgresCluster;
  /** Between the writers and the database. */
  readonly writersProxy: FaultProxy;
  readonly workers: WorkerPool;
  readonly webhooks: WebhookReceiver;
  readonly mails: SmtpReceiver;
  /** Connected past all proxies. */
  readonly tocsin: Tocsin;
  readonly close: () => Promise<void>;
};

const leaseMs = 3_000;
/** Quick and patient: whatever the receivers do, a delivery is made soon after they are healed. */
const retry = { maxAttempts: 60, initialIntervalMs: 200, backoffCoefficient: 1.5, maxIntervalMs: 2_000 };

/** Starts a PostgreSQL, receivers and workers of its own and publishes the workflows that the run drives. */
export async function startChaosWorld(workerCount: number): Promise<ChaosWorld> {
  const cluster = await PostgresCluster.start({ max_connections: '200' });
  await assertOwnServer(cluster.url(), cluster.dataDir);
  const webhooks = await WebhookReceiver.start();
  const mails = await SmtpReceiver.start();
  const tocsin = await createTocsin({ databaseUrl: cluster.url() });
  await tocsin.migrate();
  await tocsin.database.pool.query(
    `create table orders (id text primary key, tenant_id text not null, owner text not null, version int not null);
     create table written (transaction_key text primary key)`,
  );
  unwrap(await tocsin.capture.install({ table: 'orders', entityType: 'order', tenantColumn: 'tenant_id' }));
  const fields = [{ name: 'id', type: 'text', nullable: false }] as const;
  unwrap(await tocsin.entityTypes.register({ name: 'refund', operations: ['requested'], fields: [...fields] }));
  for (const tenant of tenants) await publishWorkflows(tocsin, { tenant, webhookUrl: webhooks.url });

  const directory = await mkdtemp(join(tmpdir(), 'tocsin-chaos-'));
  const config = join(directory, 'tocsin.config.mjs');
  const settings = {
    webhooks: { allowHosts: ['127.0.0.1'], pauseMs: 200, maxPauseMs: 1_000 },
    smtp: { url: mails.url, from: 'tocsin@example.test' },
    worker: { leaseMs, graceMs: 2_000, pollMs: 500 },
  };
  await writeFile(config, `export default ${JSON.stringify(settings)};`);
  const workers = await WorkerPool.start({ databaseUrl: cluster.url(), count: workerCount, config });
  const writersProxy = await FaultProxy.start(cluster.url());
  return {
    cluster,
    writersProxy,
    workers,
    webhooks,
    mails,
    tocsin,
    close: async () => {
      await workers.close();
      await writersProxy.stop();
      await tocsin.close();
      await webhooks.close();
      await mails.close();
      await cluster.remove();
      await rm(directory, { recursive: true });
    },
  };
}

async function publishWorkflows(tocsin: Tocsin, given: { tenant: string; webhookUrl: string }): Promise<void> {
  const { tenant, webhookUrl } = given;
  unwrap(
    await tocsin.directory.putUsers(
      tenant,
      ['ann', 'ben'].map((id) => ({ id, email: `${id}@${tenant}.test` })),
    ),
  );
  unwrap(await tocsin.directory.addToRole(tenant, 'sales', ['ann', 'ben']));
  const sales = [{ type: 'role', id: 'sales' }];
  const orders = ['insert', 'update'].map((operation) => ({ entityType: 'order', operation }));
  const workflows = [
    {
      name: 'inbox',
      triggers: orders,
      actions: [{ type: 'notification', title: '{{ event.id }}', message: '{{ event.operation }}' }],
      recipients: sales,
    },
    {
      name: 'webhook',
      triggers: orders,
      actions: [
        {
          type: 'webhook',
          url: `${webhookUrl}/${tenant}`,
          payload: { event: '{{ event.id }}' },
          retry,
          timeoutMs: 2_000,
        },
      ],
    },
    {
      name: 'looked up',
      triggers: [{ entityType: 'order', operation: 'insert' }],
      // Takes a look-up: decided by the execute stage.
      conditions: [{ type: 'role_based', user_field: 'owner', required_role: 'sales' }],
      actions: [{ type: 'notification', title: '{{ event.id }}', message: '{{ payload.owner }}' }],
      recipients: sales,
      settings: { logSkipped: true },
    },
    {
      name: 'mail',
      triggers: [{ entityType: 'refund', operation: 'requested' }],
      actions: [{ type: 'email', subject: '{{ event.id }}', text: 'refund', retry, timeoutMs: 2_000 }],
      recipients: sales,
    },
  ];
  for (const workflow of workflows)
    unwrap(await tocsin.workflows.createWorkflow(tenant, { ...workflow, status: 'active' }));
}
