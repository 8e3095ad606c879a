import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineRecipient } from '../../src/execute/define-recipient.ts';
import { defineCondition } from '../../src/match/define-condition.ts';
import { unwrap } from '../../src/model/result.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { executionsOf, inboxOf, newTenant, orderNotification, orderWorkflow } from '../support/orders-workflows.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

let failures = 0;

const t = useTestTocsin({
  conditions: [
    defineCondition({
      type: 'is_lucky',
      schema: z.strictObject({ number: z.number() }),
      evaluate: (config) => config.number === 7,
    }),
    defineCondition({
      type: 'always_throws',
      schema: z.strictObject({}),
      evaluate: () => {
        throw new Error('the service is down');
      },
    }),
  ],
  recipients: [
    defineRecipient({
      type: 'fails_first',
      schema: z.strictObject({ prefix: z.string() }),
      resolve: async (config) => {
        if (failures-- > 0) throw new Error('the service is down');
        return Array.from({ length: 10 }, (_, index) => `${config.prefix}-${index}`);
      },
    }),
    defineRecipient({
      type: 'manager_of',
      schema: z.strictObject({ user: z.string() }),
      resolve: async (config) => [`boss-of-${config.user}`],
    }),
  ],
});

describe('WorkflowEngine', () => {
  test('turns a committed row change into one notification per recipient, whoever named them', async () => {
    const tenant = await newTenant(t);
    await t.publish(
      tenant,
      orderWorkflow({
        recipients: [
          { type: 'role', id: 'sales' },
          { type: 'user', id: ['ann', 'carl', 'ghost'] },
        ],
      }),
    );
    await t.sql("insert into orders (tenant_id, status) values ($1, 'paid')", [tenant]);
    await t.settle();
    expect(await inboxOf(t, tenant, 'ann')).toEqual([expect.stringMatching(/^Order \d+: paid$/)]);
    expect(await inboxOf(t, tenant, 'ben')).toHaveLength(1);
    expect(await inboxOf(t, tenant, 'carl')).toEqual([]);
    const [execution] = await executionsOf(t, tenant);
    expect(execution).toMatchObject({
      status: 'success',
      workflowVersion: 1,
      event: { entityType: 'order', operation: 'insert' },
    });
    const fates = execution?.deliveries
      .map(({ recipientId, status, reason }) => `${recipientId} ${status} ${reason}`)
      .toSorted();
    expect(fates).toEqual([
      'ann delivered null',
      'ben delivered null',
      'carl skipped recipient_inactive',
      'ghost skipped recipient_unknown',
    ]);
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test('matches a row of a megabyte like any other, and keeps its neighbours', async () => {
    const tenant = await newTenant(t);
    await t.publish(
      tenant,
      orderWorkflow({
        conditions: [{ type: 'field_value', field: 'note', operator: 'endswith', value: 'the end' }],
        actions: [{ ...orderNotification, message: '{{ payload.note | length }}' }],
        recipients: [{ type: 'user', id: 'ann' }],
      }),
    );
    await t.sql(
      "insert into orders (tenant_id, note) values ($1, repeat('x', 1048576) || 'the end'), ($1, 'the end')",
      [tenant],
    );
    await t.settle();
    const messages = (await inboxOf(t, tenant, 'ann')).map((line) => line.split(': ')[1]);
    expect(messages.toSorted()).toEqual(['1048583', '7']);
  });

  test('does nothing for a change that is rolled back, nor for another tenant', async () => {
    const [tenant, other] = [await newTenant(t), await newTenant(t)];
    await t.publish(tenant, orderWorkflow({}));
    await t.sql("begin; insert into orders (tenant_id) values ('x'); rollback");
    await t.sql('insert into orders (tenant_id) values ($1)', [other]);
    await t.settle();
    expect(await executionsOf(t, tenant)).toEqual([]);
    expect(await executionsOf(t, other)).toEqual([]);
  });

  test('runs the version that is published, from the next event on', async () => {
    const tenant = await newTenant(t);
    const id = await t.publish(tenant, orderWorkflow({ recipients: [{ type: 'user', id: 'ann' }] }));
    const change = { actions: [{ ...orderNotification, title: 'Second', message: 'version' }] };
    unwrap(await t.tocsin.workflows.updateWorkflow(tenant, id, change));
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    await t.settle();
    unwrap(await t.tocsin.workflows.publishWorkflow(tenant, id));
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    await t.settle();
    unwrap(await t.tocsin.workflows.deactivateWorkflow(tenant, id));
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    await t.settle();
    expect((await executionsOf(t, tenant)).map(({ workflowVersion }) => workflowVersion)).toEqual([1, 2]);
    expect((await inboxOf(t, tenant, 'ann'))[0]).toBe('Second: version');
  });

  test('writes why it did not run when the workflow asks for that, and nothing otherwise', async () => {
    const tenant = await newTenant(t);
    const conditions = [{ type: 'field_value', field: 'total', operator: 'gt', value: 500 }];
    await t.publish(tenant, orderWorkflow({ conditions, settings: { logSkipped: true } }));
    await t.publish(tenant, orderWorkflow({ conditions }));
    await t.sql('insert into orders (tenant_id, total) values ($1, 300)', [tenant]);
    await t.settle();
    const logged = await executionsOf(t, tenant);
    expect(logged.map(({ status, reason }) => ({ status, reason }))).toEqual([
      { status: 'skipped', reason: 'conditions_false' },
    ]);
    expect(logged[0]?.trace.conditions[0]).toMatchObject({ type: 'field_value', result: false, actual: 300 });
  });

  test('a condition that cannot be decided fails the execution and tells nobody', async () => {
    const tenant = await newTenant(t);
    await t.publish(
      tenant,
      orderWorkflow({ conditions: [{ type: 'field_value', field: 'total', operator: 'gt', value: 1 }] }),
    );
    await t.sql("insert into orders (tenant_id, total) values ($1, 'NaN')", [tenant]);
    await t.settle();
    const [execution] = await executionsOf(t, tenant);
    expect(execution).toMatchObject({ status: 'failed', reason: 'condition_error', deliveries: [] });
    expect(await inboxOf(t, tenant, 'ann')).toEqual([]);
  });

  test('decides look-ups after the pure conditions: roles, and handlers of the host', async () => {
    const tenant = await newTenant(t);
    const byRole = { type: 'role_based', user_field: 'owner_id', required_role: 'sales' };
    await t.publish(
      tenant,
      orderWorkflow({
        conditions: [byRole, { type: 'is_lucky', number: 7 }],
        recipients: [{ type: 'user', id: 'ann' }],
      }),
    );
    await t.publish(
      tenant,
      orderWorkflow({
        conditions: [byRole, { type: 'is_lucky', number: 8 }],
        recipients: [{ type: 'user', id: 'ben' }],
      }),
    );
    await t.sql("insert into orders (tenant_id, owner_id) values ($1, 'ann')", [tenant]);
    await t.settle();
    expect(await inboxOf(t, tenant, 'ann')).toHaveLength(1);
    expect(await inboxOf(t, tenant, 'ben')).toEqual([]);
    expect((await executionsOf(t, tenant)).map(({ status }) => status).toSorted()).toEqual(['skipped', 'success']);
  });

  test('tries an execution again when a look-up fails, and then says why it failed', async () => {
    const tenant = await newTenant(t);
    await t.publish(tenant, orderWorkflow({ conditions: [{ type: 'always_throws' }] }));
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    for (let attempt = 1; attempt <= 4; attempt++) {
      await t.settle();
      await t.sql("update tocsin.executions set due_at = now() where tenant_id = $1 and status = 'pending'", [tenant]);
    }
    const [execution] = await executionsOf(t, tenant);
    expect(execution).toMatchObject({ status: 'failed', reason: 'condition_error' });
    expect(execution?.trace.conditions[0]?.error).toContain('the service is down');
  });

  test('asks custom resolvers whom to tell', async () => {
    const tenant = await newTenant(t);
    await t.publish(tenant, orderWorkflow({ recipients: [{ type: 'manager_of', user: 'ann' }] }));
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    await t.settle();
    expect(await inboxOf(t, tenant, 'boss-of-ann')).toHaveLength(1);
  });

  test('an action has its own conditions, recipients and switch; one that resolves to nobody tells nobody', async () => {
    const tenant = await newTenant(t);
    await t.publish(
      tenant,
      orderWorkflow({
        actions: [
          { ...orderNotification, title: 'own', recipients: [{ type: 'user', id: 'ben' }] },
          { ...orderNotification, title: 'off', isActive: false },
          {
            ...orderNotification,
            title: 'unmet',
            conditions: [{ type: 'field_value', field: 'status', operator: 'eq', value: 'x' }],
          },
          { ...orderNotification, title: 'nobody', recipients: [{ type: 'role', id: 'nobody_has_it' }] },
        ],
        recipients: [{ type: 'user', id: 'ann' }],
      }),
    );
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    await t.settle();
    expect(await inboxOf(t, tenant, 'ann')).toEqual([]);
    expect(await inboxOf(t, tenant, 'ben')).toEqual(['own: new']);
    const [execution] = await executionsOf(t, tenant);
    expect(execution?.status).toBe('success');
    expect(execution?.trace.actions.map(({ reason }) => reason ?? null).toSorted()).toEqual([
      'action_conditions_false',
      'action_inactive',
      null,
      null,
    ]);
  });

  test('leaves out the actor when the workflow says so', async () => {
    const tenant = await newTenant(t);
    await t.publish(tenant, orderWorkflow({ settings: { excludeActor: true } }));
    await t.database.transaction(async (_tx, client) => {
      await client.query("set local tocsin.actor = 'ann'");
      await client.query('insert into orders (tenant_id) values ($1)', [tenant]);
    });
    await t.settle();
    expect(await inboxOf(t, tenant, 'ann')).toEqual([]);
    expect(await inboxOf(t, tenant, 'ben')).toHaveLength(1);
    expect(
      (await executionsOf(t, tenant))[0]?.deliveries.find(({ recipientId }) => recipientId === 'ann')?.reason,
    ).toBe('actor_excluded');
  });

  test('a row that names no tenant becomes a dead letter, and its neighbours are matched', async () => {
    const tenant = await newTenant(t);
    await t.publish(tenant, orderWorkflow({ recipients: [{ type: 'user', id: 'ann' }] }));
    await t.sql('insert into orders (tenant_id) values ($1), (null), ($1)', [tenant]);
    await t.settle();
    expect(await inboxOf(t, tenant, 'ann')).toHaveLength(2);
    const { rows } = await t.sql("select failure from tocsin.event_history where tenant_id = ''");
    expect(rows).toEqual([{ failure: 'tenant_missing' }]);
  });

  test('tells an audience larger than one page, each user once', async () => {
    const tenant = await newTenant(t);
    const users = Array.from({ length: 4_500 }, (_, index) => ({ id: `user-${index}` }));
    unwrap(await t.tocsin.directory.putUsers(tenant, users));
    await t.sql(
      "insert into tocsin.directory_memberships (tenant_id, kind, name, user_id) select tenant_id, 'group', 'all', id from tocsin.directory_users where tenant_id = $1",
      [tenant],
    );
    await t.publish(
      tenant,
      orderWorkflow({
        recipients: [
          { type: 'group', id: 'all' },
          { type: 'role', id: 'sales' },
        ],
        settings: { maxRecipients: 4_000 },
      }),
    );
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    await t.settle();
    const { rows } = await t.sql(
      'select count(*)::int as all, count(distinct user_id)::int as users from tocsin.notifications where tenant_id = $1',
      [tenant],
    );
    expect(rows).toEqual([{ all: 4_000, users: 4_000 }]);
    const [log] = unwrap(await t.tocsin.workflows.getExecutionLogs(tenant, {})).items;
    expect(log).toMatchObject({ status: 'success', deliveryCounts: { delivered: 4_000 } });
    expect(log?.trace.actions[0]?.recipients?.some(({ reason }) => reason === 'fanout_capped')).toBe(true);
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test('a try that failed half-way does not widen the audience of the next', async () => {
    const tenant = await newTenant(t);
    unwrap(
      await t.tocsin.directory.putUsers(
        tenant,
        Array.from({ length: 10 }, (_, index) => ({ id: `late-${index}` })),
      ),
    );
    failures = 1;
    await t.publish(
      tenant,
      orderWorkflow({
        recipients: [
          { type: 'fails_first', prefix: 'late' },
          { type: 'role', id: 'sales' },
        ],
        settings: { maxRecipients: 2 },
      }),
    );
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    await t.settle();
    await t.sql("update tocsin.executions set due_at = now() where tenant_id = $1 and status = 'pending'", [tenant]);
    await t.settle();
    const told = await t.sql('select user_id from tocsin.notifications where tenant_id = $1', [tenant]);
    expect(told.rows).toHaveLength(2);
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test('what a try that failed half-way has planned stands as it is, also who was left out', async () => {
    const tenant = await newTenant(t);
    failures = 1;
    await t.publish(
      tenant,
      orderWorkflow({
        recipients: [
          { type: 'user', id: 'carl' },
          { type: 'role', id: 'sales' },
          { type: 'fails_first', prefix: 'nobody' },
        ],
      }),
    );
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    await t.settle();
    unwrap(await t.tocsin.directory.putUsers(tenant, [{ id: 'carl', active: true }]));
    await t.sql("update tocsin.executions set due_at = now() where tenant_id = $1 and status = 'pending'", [tenant]);
    await t.settle();
    const fates = await t.sql(
      "select recipient_id || ' ' || status as fate from tocsin.deliveries where tenant_id = $1 and recipient_id not like 'nobody%' order by 1",
      [tenant],
    );
    expect(fates.rows.map(({ fate }) => fate)).toEqual(['ann delivered', 'ben delivered', 'carl skipped']);
    expect(await executionsOf(t, tenant)).toMatchObject([{ status: 'success' }]);
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test('processEvent runs the workflows of one event and answers the executions', async () => {
    const tenant = await newTenant(t);
    const id = await t.publish(tenant, orderWorkflow({ recipients: [{ type: 'user', id: 'ann' }] }));
    const executed = await t.tocsin.engine.processEvent({
      id: '019aa5c0-1234-7abc-8def-0123456789ab',
      tenantId: tenant,
      source: 'domain',
      entityType: 'order',
      entityId: '1',
      operation: 'insert',
      payload: { id: 1, status: 'by hand' },
      previous: null,
      changed: [],
      actor: null,
      traceContext: null,
      idempotencyKey: null,
      causation: null,
      occurredAt: new Date(),
    });
    expect(executed).toEqual([{ id: expect.any(String), workflowId: id, status: 'success' }]);
    expect(await inboxOf(t, tenant, 'ann')).toEqual(['Order 1: by hand']);
  });
});
