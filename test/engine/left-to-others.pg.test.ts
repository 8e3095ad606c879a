import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineAction } from '../../src/deliver/define-action.ts';
import { LeasedWork } from '../../src/engine/leased-work.ts';
import { QuotaBook } from '../../src/engine/quota-book.ts';
import { defineCondition } from '../../src/match/define-condition.ts';
import { unlimited } from '../../src/model/quota.ts';
import { unwrap } from '../../src/model/result.ts';
import { createTocsin, type Tocsin } from '../../src/tocsin.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { newTenant, orderWorkflow } from '../support/orders-workflows.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

const call = (schema: z.ZodType<Readonly<Record<string, unknown>>>) =>
  defineAction({ type: 'call', schema, audience: 'once', deliver: async () => ({ status: 'delivered' }) });

const t = useTestTocsin({
  conditions: [defineCondition({ type: 'agrees', schema: z.strictObject({}), evaluate: () => true })],
  actions: [call(z.strictObject({ isUrgent: z.boolean() }))],
});
let old: Tocsin;
let tenant: string;

beforeAll(async () => {
  old = await createTocsin({ databaseUrl: t.url, actions: [call(z.strictObject({}))] });
});
afterAll(() => old.close());
beforeEach(async () => {
  tenant = await newTenant(t);
});

const settleOld = async () => {
  while (await old.listener.runOnce());
};
const makeDue = (table: 'executions' | 'deliveries') =>
  t.sql(`update tocsin.${table} set due_at = now() where tenant_id = $1 and status = 'pending'`, [tenant]);
const row = async (table: 'executions' | 'deliveries') =>
  (
    await t.sql(
      `select status, reason, attempts, due_at > now() + interval '10 minutes' as "isParked" from tocsin.${table} where tenant_id = $1`,
      [tenant],
    )
  ).rows[0];
const order = () => t.sql('insert into orders (tenant_id) values ($1)', [tenant]);

/** An execution of a version that workers do not load before they meet it: it is published no more. */
async function orderOfInactiveWorkflow(): Promise<void> {
  const workflow = await t.publish(tenant, orderWorkflow({ conditions: [{ type: 'agrees' }] }));
  await order();
  await settleOld();
  unwrap(await t.tocsin.workflows.deactivateWorkflow(tenant, workflow));
}

/** Lets a worker without any handler start and do what is due; answers what it lacked. */
async function meet(): Promise<unknown[]> {
  const lacking: unknown[] = [];
  const worker = await createTocsin({ databaseUrl: t.url });
  worker.engine.on('lacking', ({ lacks }) => lacking.push(lacks));
  while (await worker.listener.runOnce());
  await worker.close();
  return lacking;
}

describe('what a worker lacks handlers for', () => {
  test('is claimed by others only, however often it is looked for', async () => {
    await t.publish(tenant, orderWorkflow({ conditions: [{ type: 'agrees' }] }));
    await order();
    for (let i = 0; i < 6; i++) await settleOld();
    expect(await row('executions')).toMatchObject({ status: 'pending', reason: null, attempts: 0 });
    await t.settle();
    expect(await row('executions')).toMatchObject({ status: 'success', reason: null, attempts: 1 });
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test('is given back uncounted by a worker that did not know so, and says what it waits for', async () => {
    await orderOfInactiveWorkflow();
    expect(await meet()).toEqual([['condition type "agrees"']]);
    expect(await row('executions')).toMatchObject({ status: 'pending', reason: 'unknown_handler', attempts: 0 });
    await makeDue('executions');
    await t.settle();
    expect(await row('executions')).toMatchObject({ status: 'success', reason: null, attempts: 1 });
  });

  test('is put off when nobody takes it for a minute, until a worker comes that has them', async () => {
    await t.publish(tenant, orderWorkflow({ conditions: [{ type: 'agrees' }] }));
    await order();
    await settleOld();
    await old.engine.reviewLeft();
    expect(await row('executions')).toMatchObject({ isParked: false });
    await t.sql("update tocsin.executions set due_at = now() - interval '2 minutes' where tenant_id = $1", [tenant]);
    expect(await old.engine.reviewLeft()).toBe(1);
    expect(await old.engine.reviewLeft()).toBe(0);
    expect(await row('executions')).toMatchObject({ isParked: true, reason: 'unknown_handler', attempts: 0 });
    expect(await t.tocsin.engine.reviewLeft()).toBe(1);
    await t.settle();
    expect(await row('executions')).toMatchObject({ status: 'success', attempts: 1 });
  });

  test('is reviewed a part at a time, all of it in turn', async () => {
    for (let i = 0; i < 3; i++) await orderOfInactiveWorkflow();
    await meet();
    const asked: string[] = [];
    const version = async (workflowId: string) => {
      asked.push(workflowId);
      return null;
    };
    const work = new LeasedWork({
      database: t.database,
      quotas: new QuotaBook(t.database.pool, unlimited),
      leaseMs: 30_000,
      usageWindowMs: 60_000,
      definitions: { left: [], version },
      leftVersionsPerReview: 2,
    });
    for (let i = 0; i < 4; i++) await work.reviewLeft();
    const left = [...new Set(asked)].sort();
    expect(left).toHaveLength(3);
    expect(asked).toEqual([...left, ...left]);
    await makeDue('executions');
    await t.settle();
  });

  test('may have waited for as long as it likes when its worker is killed: it is tried again', async () => {
    await orderOfInactiveWorkflow();
    for (let i = 0; i < 6; i++) {
      await makeDue('executions');
      expect(await meet()).toHaveLength(1);
    }
    await t.sql(
      'update tocsin.executions set attempts = attempts + 1, lease_token = gen_random_uuid() where tenant_id = $1',
      [tenant],
    );
    await makeDue('executions');
    await t.settle();
    expect(await row('executions')).toMatchObject({ status: 'success', reason: null, attempts: 2 });
  });

  test('is no attempt of a delivery whose action its handler does not take in this version', async () => {
    await t.publish(tenant, orderWorkflow({ actions: [{ type: 'call', isUrgent: true }] }));
    await order();
    await settleOld();
    await t.tocsin.engine.executeDue(10, AbortSignal.timeout(10_000));
    for (let i = 0; i < 6; i++) {
      await makeDue('deliveries');
      await settleOld();
    }
    expect(await row('deliveries')).toMatchObject({ status: 'pending', reason: 'unknown_handler', attempts: 0 });
    await makeDue('deliveries');
    await t.settle();
    expect(await row('deliveries')).toMatchObject({ status: 'delivered', attempts: 1 });
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test('says so in no other workflow: what it can run it runs', async () => {
    await t.publish(tenant, orderWorkflow({ conditions: [{ type: 'agrees' }] }));
    await t.publish(tenant, orderWorkflow({}));
    await order();
    await settleOld();
    const { rows } = await t.sql('select status from tocsin.executions where tenant_id = $1 order by status', [tenant]);
    expect(rows).toEqual([{ status: 'pending' }, { status: 'success' }]);
    await t.settle();
  });
});
