import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { FaultProxy } from '../support/fault-proxy.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { newTenant, orderWorkflow } from '../support/orders-workflows.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';
import { WriterLedger } from '../support/writer-ledger.ts';
import { useWorkerConfig } from './worker-config.ts';

const t = useTestTocsin();
const config = useWorkerConfig();
const ledger = new WriterLedger();
let tenant: string;
let proxy: FaultProxy;
let worker: WorkerProcess;

beforeAll(async () => {
  tenant = await newTenant(t);
  await t.publish(tenant, orderWorkflow({}));
});

beforeEach(async () => {
  proxy = await FaultProxy.start(t.url);
});

afterEach(async () => {
  await worker.kill();
  await proxy.stop();
});

afterAll(async () => {
  expect(await brokenInvariants(t.database, { ledger, isDrained: true, isSteady: true })).toEqual([]);
});

const startWorker = async (...more: string[]) => {
  worker = await WorkerProcess.start(proxy.url, { args: [...config.args, ...more] });
};

async function order(): Promise<void> {
  const { rows } = await t.sql('insert into orders (tenant_id) values ($1) returning id', [tenant]);
  ledger.note(
    { tenantId: tenant, entityType: 'order', entityId: String(rows[0]?.id), operation: 'insert' },
    'committed',
  );
}

/** Until every order written so far is told. */
async function allTold(): Promise<void> {
  const told = async () => {
    const { rows } = await t.sql(
      'select (select count(*) from orders) * 2 = (select count(*) from tocsin.notifications) as all',
    );
    return rows[0]?.all === true;
  };
  await until('every order is told', told, 50_000);
}

describe('the connections of a worker', () => {
  test.each(['cut', 'reset'] as const)(
    'F4: connections are %s again and again: the worker lives and makes new ones',
    {
      timeout: 90_000,
    },
    async (fault) => {
      await startWorker();
      for (let n = 0; n < 5; n++) {
        await order();
        proxy[fault]();
        await order();
        await allTold();
      }
      expect(await worker.terminate()).toBe(0);
    },
  );

  test('F2: the database fails a worker that starts: it ends, for its supervisor to start it again', {
    timeout: 60_000,
  }, async () => {
    await t.sql('alter function tocsin.ensure_partitions rename to ensure_nothing');
    await expect(startWorker()).rejects.toThrow(/worker ended \(\d+\).*lacks \(part of\) schema tocsin/s);
    await t.sql('alter function tocsin.ensure_nothing rename to ensure_partitions');
    await startWorker();
  });

  test('F7: no LISTEN at all, as behind a transaction pooler: polling does the same', { timeout: 60_000 }, async () => {
    await startWorker('--no-notify');
    // The first may be there before it looks for the first time.
    for (let n = 0; n < 2; n++) {
      await order();
      await allTold();
    }
    const { rows } = await t.sql(
      "select 1 from pg_stat_activity where application_name = 'tocsin listener' and datname = current_database()",
    );
    expect(rows).toEqual([]);
  });
});
