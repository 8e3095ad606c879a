import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineAction } from '../../src/deliver/define-action.ts';
import { FailureReview } from '../../src/engine/failure-review.ts';
import { defineCondition } from '../../src/match/define-condition.ts';
import type { Json } from '../../src/model/json.ts';
import { unwrap } from '../../src/model/result.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { executionsOf, newTenant, orderNotification, orderWorkflow } from '../support/orders-workflows.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

const threshold = 3;

const t = useTestTocsin({
  pauseAfterFailures: threshold,
  pauseAfterMs: 0,
  conditions: [
    defineCondition({
      type: 'broken_look_up',
      schema: z.object({}),
      evaluate: () => Promise.reject(new Error('a bug of the host')),
    }),
  ],
  actions: [
    defineAction({
      type: 'fail',
      schema: z.object({}),
      audience: 'recipients',
      deliver: () => Promise.reject(new Error('a bug of the host')),
    }),
    defineAction({
      type: 'obey',
      schema: z.object({}),
      audience: 'once',
      deliver: async (_config, { event }) => {
        const note = (event.payload as Record<string, Json>).note;
        if (note === 'throw') throw new Error('a bug of the host');
        if (note === 'refuse') return { status: 'failed', reason: 'http_status' };
        return { status: 'delivered' };
      },
    }),
  ],
});

const once = { retry: { maxAttempts: 1 } };
const obedient = (settings = {}) => orderWorkflow({ actions: [{ type: 'obey', ...once }], settings });

/** One after the other, by their ids too, which have the order of milliseconds. */
async function orders(tenant: string, ...notes: (string | null)[]): Promise<void> {
  for (const note of notes) {
    await t.sql('insert into orders (tenant_id, note) values ($1, $2)', [tenant, note]);
    await t.sql('select pg_sleep(0.002)');
  }
  await t.settle();
}

const workflow = async (tenant: string, id: string) => unwrap(await t.tocsin.workflows.getWorkflow(tenant, id));

/** As if the waits of what is tried again were over. */
async function settleDue(tenant: string): Promise<void> {
  await t.sql("update tocsin.executions set due_at = now() where tenant_id = $1 and status = 'pending'", [tenant]);
  await t.settle();
}

describe('WorkflowEngine, workflows that only fail', () => {
  test('also when a quota left out others than those it failed to tell', async () => {
    const tenant = await newTenant(t);
    unwrap(await t.tocsin.quotas.setQuotas(tenant, { maxRecipients: 1 }));
    const id = await t.publish(tenant, orderWorkflow({ actions: [{ type: 'fail', ...once }] }));
    await orders(tenant, null, null, null);
    expect((await executionsOf(t, tenant)).map(({ status, reason }) => `${status} ${reason}`)).toEqual(
      Array(3).fill('failed quota_recipients'),
    );
    expect(await workflow(tenant, id)).toMatchObject({ status: 'inactive', pausedReason: 'handler_failed' });
  });

  test('a workflow whose handler throws is paused at the threshold and says why; activating it clears that', async () => {
    const tenant = await newTenant(t);
    const id = await t.publish(tenant, obedient());
    await orders(tenant, 'throw', 'throw');
    expect(await workflow(tenant, id)).toMatchObject({ status: 'active', pausedReason: null });
    await orders(tenant, 'throw');
    expect(await workflow(tenant, id)).toMatchObject({ status: 'inactive', pausedReason: 'handler_failed' });
    expect(unwrap(await t.tocsin.workflows.listWorkflows(tenant)).items[0]?.pausedReason).toBe('handler_failed');
    expect((await executionsOf(t, tenant)).at(-1)?.workflowPausedReason).toBe('handler_failed');

    await orders(tenant, null);
    expect(await executionsOf(t, tenant)).toHaveLength(3);
    unwrap(await t.tocsin.workflows.activateWorkflow(tenant, id));
    expect(await workflow(tenant, id)).toMatchObject({ status: 'active', pausedReason: null });
    await orders(tenant, 'throw', 'throw');
    expect((await workflow(tenant, id)).status).toBe('active');
    await orders(tenant, 'throw');
    expect((await workflow(tenant, id)).status).toBe('inactive');
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test('failures that do not go on for long pause nothing, however many they are', async () => {
    const tenant = await newTenant(t);
    const never = { pauseAfterFailures: 0 };
    const id = await t.publish(tenant, obedient(never));
    await orders(tenant, 'throw', 'throw', 'throw', 'throw');
    // As if the workflow had no threshold of its own: the engine's review of this file would pause it at once.
    await t.sql('alter table tocsin.workflow_versions disable trigger workflow_versions_immutable');
    await t.sql(
      "update tocsin.workflow_versions set definition = definition #- '{settings,pauseAfterFailures}' where workflow_id = $1",
      [id],
    );
    await t.sql('alter table tocsin.workflow_versions enable trigger workflow_versions_immutable');
    const failed = (await executionsOf(t, tenant)).map((execution) => execution.id);
    const review = async (spanMs: number) => {
      const failures = new FailureReview({ database: t.database, threshold, spanMs });
      failures.remember(failed);
      return (await failures.run()).map(({ workflowId }) => workflowId);
    };
    expect(await review(600_000)).toEqual([]);
    expect(await review(0)).toEqual([id]);
  });

  test('a success in between ends the row', async () => {
    const tenant = await newTenant(t);
    const id = await t.publish(tenant, obedient());
    await orders(tenant, 'throw', 'throw', null, 'throw', 'throw');
    expect((await workflow(tenant, id)).status).toBe('active');
  });

  test('what the other side does pauses no workflow', async () => {
    const tenant = await newTenant(t);
    const id = await t.publish(tenant, obedient());
    await orders(tenant, 'refuse', 'refuse', 'refuse', 'refuse');
    expect((await executionsOf(t, tenant)).map(({ status }) => status)).toEqual(Array(4).fill('failed'));
    expect((await workflow(tenant, id)).status).toBe('active');
  });

  test('a record that lacks a field pauses no workflow, however often', async () => {
    const tenant = await newTenant(t);
    const id = await t.publish(
      tenant,
      orderWorkflow({ conditions: [{ type: 'field_value', field: 'total', operator: 'gt', value: 1 }] }),
    );
    await t.sql(
      "insert into tocsin.events (tenant_id, source, entity_type, entity_id, operation, payload) select $1, 'domain', 'order', n::text, 'insert', '{}' from generate_series(1, 4) n",
      [tenant],
    );
    await t.settle();
    expect((await executionsOf(t, tenant)).map(({ reason }) => reason)).toEqual(Array(4).fill('condition_error'));
    expect((await workflow(tenant, id)).status).toBe('active');
  });

  test('a condition that throws, and a template that runs out of its budget, pause theirs', async () => {
    const tenant = await newTenant(t);
    const lookUp = await t.publish(tenant, orderWorkflow({ conditions: [{ type: 'broken_look_up' }] }));
    const loop = '{% for a in payload.note %}{% for b in payload.note %}{{ b }}{% endfor %}{% endfor %}';
    const budget = await t.publish(
      tenant,
      orderWorkflow({ actions: [{ ...orderNotification, message: loop }], recipients: [{ type: 'user', id: 'ann' }] }),
    );
    const note = JSON.stringify(Array(2_000).fill(1));
    await t.sql(
      "insert into tocsin.events (tenant_id, source, entity_type, entity_id, operation, payload) select $1, 'domain', 'order', n::text, 'insert', json_build_object('id', n, 'note', $2::json) from generate_series(1, 3) n",
      [tenant, note],
    );
    await t.settle();
    for (let round = 0; round < 4; round++) await settleDue(tenant);
    expect(await workflow(tenant, budget)).toMatchObject({ status: 'inactive', pausedReason: 'template_error' });
    expect(await workflow(tenant, lookUp)).toMatchObject({ status: 'inactive', pausedReason: 'condition_error' });
  });

  test('a workflow can say how many failures are too many, or that none are', async () => {
    const tenant = await newTenant(t);
    const never = await t.publish(tenant, obedient({ pauseAfterFailures: 0 }));
    const atOnce = await t.publish(tenant, obedient({ pauseAfterFailures: 1 }));
    await orders(tenant, 'throw', 'throw', 'throw', 'throw');
    expect((await workflow(tenant, never)).status).toBe('active');
    expect((await workflow(tenant, atOnce)).status).toBe('inactive');
  });

  test('whoever edits the workflow when it is paused loses nothing, and stays to be told why', async () => {
    const tenant = await newTenant(t);
    const id = await t.publish(tenant, obedient());
    const { revision } = await workflow(tenant, id);
    await orders(tenant, 'throw', 'throw', 'throw');
    const edited = await t.tocsin.workflows.updateWorkflow(tenant, id, { description: 'mended' }, { revision });
    expect(unwrap(edited)).toMatchObject({ description: 'mended', status: 'inactive', pausedReason: 'handler_failed' });
  });

  test('what an earlier version fails at after the change does not count', async () => {
    const tenant = await newTenant(t);
    const retry = { maxAttempts: 2, initialIntervalMs: 60_000 };
    const id = await t.publish(tenant, orderWorkflow({ actions: [{ type: 'obey', retry }] }));
    await orders(tenant, 'throw', 'throw', 'throw');
    unwrap(await t.tocsin.workflows.updateWorkflow(tenant, id, { settings: { excludeActor: true } }));
    unwrap(await t.tocsin.workflows.publishWorkflow(tenant, id));
    const again = async () => {
      await t.sql("update tocsin.deliveries set due_at = now() where tenant_id = $1 and status = 'pending'", [tenant]);
      await t.settle();
    };
    await again();
    expect((await executionsOf(t, tenant)).map(({ status }) => status)).toEqual(Array(3).fill('failed'));
    await orders(tenant, 'throw');
    await again();
    expect((await workflow(tenant, id)).status).toBe('active');
  });

  test('a new version begins anew', async () => {
    const tenant = await newTenant(t);
    const id = await t.publish(tenant, obedient());
    await orders(tenant, 'throw', 'throw');
    unwrap(await t.tocsin.workflows.updateWorkflow(tenant, id, { settings: { excludeActor: true } }));
    unwrap(await t.tocsin.workflows.publishWorkflow(tenant, id));
    await orders(tenant, 'throw', 'throw');
    expect((await workflow(tenant, id)).status).toBe('active');
  });
});
