import { beforeAll, describe, expect, test } from 'vitest';
import { type Direction, FaultProxy } from '../support/fault-proxy.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { newTenant, orderWorkflow } from '../support/orders-workflows.ts';
import { type TestTocsin, useTestTocsin } from '../support/test-tocsin.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';
import { useWorkerConfig } from './worker-config.ts';

const config = useWorkerConfig();
const tenants = new Map<TestTocsin, string>();
/** A database each: another worker would do what the one whose connections hang cannot. */
const directions: readonly { direction: Direction; t: TestTocsin }[] = [
  { direction: 'to-client', t: useTestTocsin() },
  { direction: 'to-server', t: useTestTocsin() },
  { direction: 'both', t: useTestTocsin() },
];

beforeAll(async () => {
  for (const { t } of directions) {
    const tenant = await newTenant(t);
    tenants.set(t, tenant);
    await t.publish(tenant, orderWorkflow({}));
    // Decided through the pool, in the execute stage.
    const ownerSells = { type: 'role_based', user_field: 'owner_id', required_role: 'sales' };
    await t.publish(tenant, orderWorkflow({ conditions: [ownerSells] }));
  }
});

async function order(t: TestTocsin): Promise<void> {
  await t.sql("insert into orders (tenant_id, owner_id) values ($1, 'ann')", [tenants.get(t)]);
}

/** Until both have been told of every order by both workflows. */
async function allTold(t: TestTocsin, withinMs: number): Promise<void> {
  const told = async () => {
    const { rows } = await t.sql(
      'select (select count(*) from orders) * 4 = (select count(*) from tocsin.notifications) as all',
    );
    return rows[0]?.all === true;
  };
  await until('every order is told', told, withinMs);
}

describe.concurrent('a worker whose connections hang', () => {
  test.for(directions)(
    'F5: connections hang ($direction) and nobody says so: their work moves to new ones',
    { timeout: 150_000 },
    async ({ direction, t }, { onTestFinished }) => {
      const proxy = await FaultProxy.start(t.url);
      onTestFinished(() => proxy.stop());
      const worker = await WorkerProcess.start(proxy.url, { args: config.args });
      onTestFinished(() => worker.kill());
      await order(t);
      await allTold(t, 50_000);
      proxy.hang(direction, { onlyExisting: true });
      await order(t);
      // They never come back: whatever is done is done through others. The server does not know that a session is dead, and keeps
      // what it has locked for half a minute.
      await allTold(t, 90_000);
      expect(await brokenInvariants(t.database, { isDrained: true, isSteady: true })).toEqual([]);
    },
  );
});
