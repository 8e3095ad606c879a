import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineAction } from '../../src/deliver/define-action.ts';
import { unwrap } from '../../src/model/result.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { executionsOf, newTenant, orderWorkflow } from '../support/orders-workflows.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

const attempts: string[] = [];

const t = useTestTocsin({
  actions: [
    defineAction({
      type: 'record',
      schema: z.strictObject({
        outcome: z.enum(['delivered', 'retry', 'failed', 'throw', 'hang', 'nothing', 'nonsense']),
      }),
      audience: 'recipients',
      deliver: async (config, { deliveryId, attempt, recipient }) => {
        attempts.push(`${deliveryId} ${attempt} ${recipient?.id}`);
        if (config.outcome === 'throw') throw new Error('handler bug');
        if (config.outcome === 'hang') return new Promise<never>(() => undefined);
        // What a handler in plain JavaScript may answer.
        if (config.outcome === 'nothing') return undefined as unknown as { status: 'delivered' };
        if (config.outcome === 'nonsense') return { status: 'retry', reason: 'x', afterMs: Number.NaN };
        return config.outcome === 'delivered'
          ? { status: 'delivered' }
          : { status: config.outcome, reason: 'http_status', detail: { status: 500 } };
      },
    }),
  ],
});

describe('WorkflowEngine, external deliveries', () => {
  test('an external delivery is retried under the same id until its attempts are used up, then it is a dead letter that can be redriven', async () => {
    const tenant = await newTenant(t);
    await t.publish(
      tenant,
      orderWorkflow({
        actions: [
          { type: 'record', outcome: 'retry', retry: { maxAttempts: 2, initialIntervalMs: 10, maxIntervalMs: 10 } },
        ],
        recipients: [{ type: 'user', id: 'ann' }],
      }),
    );
    attempts.length = 0;
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    const again = async () => {
      await t.sql("update tocsin.deliveries set due_at = now() where tenant_id = $1 and status = 'pending'", [tenant]);
      await t.settle();
    };
    await t.settle();
    await again();
    expect(attempts).toHaveLength(2);
    expect(new Set(attempts.map((attempt) => attempt.split(' ')[0])).size).toBe(1);
    const [execution] = await executionsOf(t, tenant);
    expect(execution).toMatchObject({ status: 'failed', deliveries: [{ status: 'dead', reason: 'http_status' }] });
    expect(execution?.deliveries[0]?.attempts.map(({ outcome, detail }) => ({ outcome, detail }))).toEqual([
      { outcome: 'retry', detail: { status: 500 } },
      { outcome: 'retry', detail: { status: 500 } },
    ]);

    const { items } = unwrap(await t.tocsin.deadLetters.list(tenant, {}));
    expect(items).toHaveLength(1);
    const ids = items.map(({ id }) => id);
    unwrap(await t.tocsin.deadLetters.redrive(tenant, ids));
    unwrap(await t.tocsin.deadLetters.redrive(tenant, ids));
    await t.settle();
    await again();
    expect(attempts).toHaveLength(4);
    expect((await executionsOf(t, tenant))[0]?.deliveries[0]).toMatchObject({
      status: 'dead',
      attempts: [{}, {}, {}, {}],
    });
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test('a handler that throws or hangs costs its own delivery an attempt and nobody else anything', async () => {
    const tenant = await newTenant(t);
    const once = { retry: { maxAttempts: 1 }, timeoutMs: 100 };
    await t.publish(
      tenant,
      orderWorkflow({
        actions: [
          { type: 'record', outcome: 'throw', ...once },
          { type: 'record', outcome: 'hang', ...once },
          { type: 'record', outcome: 'nothing', ...once },
          { type: 'record', outcome: 'nonsense', ...once },
          { type: 'record', outcome: 'delivered', ...once },
        ],
        recipients: [{ type: 'user', id: 'ann' }],
      }),
    );
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    await t.settle();
    const [execution] = await executionsOf(t, tenant);
    expect(execution?.status).toBe('partial');
    expect(execution?.deliveries.map(({ status, reason }) => `${status} ${reason}`).toSorted()).toEqual([
      'dead handler_failed',
      'dead handler_failed',
      'dead handler_failed',
      'dead timeout',
      'delivered null',
    ]);
  });

  test('a delivery that ended every worker that tried it does not end the next: its attempts are used up', async () => {
    const tenant = await newTenant(t);
    await t.publish(
      tenant,
      orderWorkflow({
        actions: [{ type: 'record', outcome: 'delivered', retry: { maxAttempts: 2 } }],
        recipients: [{ type: 'user', id: 'ann' }],
      }),
    );
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    await t.settle();
    // As it stands when two workers died of it.
    await t.sql(
      `update tocsin.deliveries
       set status = 'pending', attempts = 2, due_at = now(), lease_token = gen_random_uuid(), completed_at = null
       where tenant_id = $1`,
      [tenant],
    );
    await t.sql(
      "update tocsin.executions set status = 'running', deliveries_open = 1, deliveries_done = 0 where tenant_id = $1",
      [tenant],
    );
    attempts.length = 0;
    await t.settle();
    expect(attempts).toEqual([]);
    const [execution] = await executionsOf(t, tenant);
    expect(execution).toMatchObject({
      status: 'failed',
      deliveries: [{ status: 'dead', reason: 'attempts_exhausted' }],
    });
    expect(execution?.deliveries[0]?.attempts.map(({ reason }) => reason)).toContain('lease_lost');
  });

  test('a cancelled execution makes no more deliveries, and says that it was cancelled', async () => {
    const tenant = await newTenant(t);
    const id = await t.publish(
      tenant,
      orderWorkflow({
        actions: [{ type: 'record', outcome: 'retry', retry: { initialIntervalMs: 60_000 } }],
      }),
    );
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    await t.settle();
    const [running] = await executionsOf(t, tenant);
    expect(running?.status).toBe('running');
    expect(unwrap(await t.tocsin.workflows.cancelExecution(tenant, running?.id ?? ''))).toEqual({ deliveries: 2 });
    const again = await t.tocsin.workflows.cancelExecution(tenant, running?.id ?? '');
    expect(again).toMatchObject({ ok: false, error: { code: 'conflict' } });
    expect(await t.tocsin.workflows.cancelExecution('another tenant', running?.id ?? '')).toMatchObject({
      ok: false,
      error: { code: 'not_found' },
    });
    const [cancelled] = unwrap(
      await t.tocsin.workflows.getExecutionLogs(tenant, { workflowId: id, status: 'cancelled' }),
    ).items;
    expect(cancelled).toMatchObject({ reason: 'cancelled', deliveryCounts: { open: 0 } });
    expect(await brokenInvariants(t.database)).toEqual([]);
  });
});
