import pg from 'pg';
import { describe, expect, type TestContext, test } from 'vitest';
import { unwrap } from '../../src/model/result.ts';
import { createTocsin, type Tocsin } from '../../src/tocsin.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { PostgresCluster } from '../support/postgres-cluster.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';
import { WriterLedger } from '../support/writer-ledger.ts';
import { assertOwnServer } from './assert-own-server.ts';
import { useWorkerConfig } from './worker-config.ts';

const config = useWorkerConfig();
const tenantId = 'acme';

type Finished = TestContext['onTestFinished'];

async function startCluster(onTestFinished: Finished): Promise<PostgresCluster> {
  const cluster = await PostgresCluster.start();
  onTestFinished(() => cluster.remove());
  return cluster;
}

async function openTocsin(databaseUrl: string, onTestFinished: Finished): Promise<Tocsin> {
  const tocsin = await createTocsin({ databaseUrl });
  onTestFinished(() => tocsin.close());
  return tocsin;
}

/** Orders are captured, and ann is told of each. */
async function prepare(tocsin: Tocsin): Promise<void> {
  await tocsin.migrate();
  await tocsin.database.pool.query('create table orders (id int primary key, tenant_id text)');
  unwrap(await tocsin.capture.install({ table: 'orders', entityType: 'order', tenantColumn: 'tenant_id' }));
  unwrap(await tocsin.directory.putUsers(tenantId, [{ id: 'ann' }]));
  unwrap(
    await tocsin.workflows.createWorkflow(tenantId, {
      name: 'orders',
      status: 'active',
      triggers: [{ entityType: 'order', operation: 'insert' }],
      actions: [{ type: 'notification', title: '{{ payload.id }}', message: 'order' }],
      recipients: [{ type: 'user', id: 'ann' }],
    }),
  );
}

/** Writes orders, each in a transaction of its own, and notes what came of it; a connection that is lost is made anew. */
async function writeOrders(url: string, options: { ids: readonly number[]; ledger: WriterLedger }): Promise<void> {
  let client: pg.Client | undefined;
  for (const id of options.ids) {
    const change = { tenantId, entityType: 'order', entityId: String(id), operation: 'insert' };
    const note = (outcome: 'committed' | 'unknown') => options.ledger.note(change, outcome);
    try {
      client ??= await connect(url);
      await client.query('insert into orders values ($1, $2)', [id, tenantId]).then(
        () => note('committed'),
        (error) => {
          note('unknown');
          throw error;
        },
      );
    } catch {
      client?.end().catch(() => undefined);
      client = undefined;
    }
  }
  await client?.end().catch(() => undefined);
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000, query_timeout: 5_000 });
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

async function untilDrained(tocsin: Tocsin): Promise<void> {
  await until('everything is matched', async () => (await tocsin.listener.backlog()).events === 0, 60_000);
}

const numbers = (first: number, count: number) => Array.from({ length: count }, (_, index) => first + index);
const committed = (ledger: WriterLedger) => ledger.entries.filter((entry) => entry.committed === 1).length;

// Each has servers of its own and mostly waits.
describe.concurrent('a database that is killed', () => {
  test('F2: kill -9 of PostgreSQL under load: what was acknowledged survives, the same worker goes on', {
    timeout: 120_000,
  }, async ({ onTestFinished }) => {
    const cluster = await startCluster(onTestFinished);
    const tocsin = await openTocsin(cluster.url(), onTestFinished);
    await prepare(tocsin);
    const worker = await WorkerProcess.start(cluster.url(), { args: config.args });
    onTestFinished(() => worker.kill());
    const ledger = new WriterLedger();
    for (let kill = 0; kill < 3; kill++) {
      const writing = writeOrders(cluster.url(), { ids: numbers(kill * 1_000, 1_000), ledger });
      await until('some are written', async () => committed(ledger) > kill * 300 + 100, 60_000);
      await assertOwnServer(cluster.url(), cluster.dataDir);
      await cluster.kill();
      await cluster.start();
      await writing;
    }
    await writeOrders(cluster.url(), { ids: numbers(10_000, 100), ledger });
    await untilDrained(tocsin);
    expect(await brokenInvariants(tocsin.database, { ledger, isDrained: true, isSteady: true })).toEqual([]);
    expect(await worker.terminate()).toBe(0);
  });

  test('F8: an asynchronous failover: the worker says that it waits, and follows the new primary', {
    timeout: 120_000,
  }, async ({ onTestFinished }) => {
    const primary = await startCluster(onTestFinished);
    const first = await openTocsin(primary.url(), onTestFinished);
    await prepare(first);
    const standby = await primary.startStandby();
    onTestFinished(() => standby.remove());
    const proxy = await FaultProxy.start(primary.url());
    onTestFinished(() => proxy.stop());
    const worker = await WorkerProcess.start(proxy.url, { args: config.args });
    onTestFinished(() => worker.kill());
    const before = new WriterLedger();
    await writeOrders(primary.url(), { ids: numbers(1, 50), ledger: before });
    await untilDrained(first);
    const second = await openTocsin(standby.url(), onTestFinished);
    const copied = async () =>
      (await second.database.pool.query('select id from tocsin.event_history')).rowCount === 50;
    await until('the standby has it all', copied);

    // The address leads to a server that takes no writes yet, as it does for a while in a failover.
    proxy.redirect(standby.url());
    await until(
      'the worker notices',
      async () => (await health(worker)).checks.database?.includes('no writes') === true,
      30_000,
    );
    await primary.kill();
    await standby.promote();
    await until('the worker is well', async () => (await health(worker)).status === 'ok', 60_000);

    const ledger = new WriterLedger();
    for (const entry of before.entries) ledger.note(entry, 'committed');
    await writeOrders(standby.url(), { ids: numbers(1_000, 50), ledger });
    await untilDrained(second);
    expect(await brokenInvariants(second.database, { ledger, isDrained: true, isSteady: true })).toEqual([]);
    expect(worker.log.filter((line) => line.includes('takes no writes')).length).toBeLessThan(5);
    expect(await worker.terminate()).toBe(0);
  });

  test('F9: a synchronous failover: nothing acknowledged is lost', { timeout: 120_000 }, async ({ onTestFinished }) => {
    const primary = await startCluster(onTestFinished);
    const first = await openTocsin(primary.url(), onTestFinished);
    await prepare(first);
    const standby = await primary.startStandby();
    onTestFinished(() => standby.remove());
    const admin = await connect(primary.url());
    onTestFinished(() => admin.end().catch(() => undefined));
    await admin.query("alter system set synchronous_standby_names = 'standby'");
    await admin.query('select pg_reload_conf()');
    await until('the standby is synchronous', async () => {
      const { rows } = await admin.query("select 1 from pg_stat_replication where sync_state = 'sync'");
      return rows.length === 1;
    });
    const ledger = new WriterLedger();
    const writing = writeOrders(primary.url(), { ids: numbers(1, 500), ledger });
    await until('some are written', async () => committed(ledger) > 200, 60_000);
    await primary.kill();
    await writing;
    await standby.promote();
    const after = await connect(standby.url());
    await after.query("alter system set synchronous_standby_names = ''");
    await after.query('select pg_reload_conf()');
    await after.end();

    const worker = await WorkerProcess.start(standby.url(), { args: config.args });
    onTestFinished(() => worker.kill());
    const second = await openTocsin(standby.url(), onTestFinished);
    await untilDrained(second);
    expect(await brokenInvariants(second.database, { ledger, isDrained: true, isSteady: true })).toEqual([]);
  });
});

async function health(worker: WorkerProcess): Promise<{ status: string; checks: Record<string, string> }> {
  const answer = await fetch(`http://127.0.0.1:${worker.httpPort}/healthz`);
  return (await answer.json()) as { status: string; checks: Record<string, string> };
}
