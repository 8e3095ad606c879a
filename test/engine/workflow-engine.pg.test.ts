import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineAction } from '../../src/deliver/define-action.ts';
import { defineRecipient } from '../../src/execute/define-recipient.ts';
import { defineCondition } from '../../src/match/define-condition.ts';
import { unwrap } from '../../src/model/result.ts';
import type { WorkflowInput } from '../../src/model/workflow.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

const attempts: string[] = [];

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
      type: 'manager_of',
      schema: z.strictObject({ user: z.string() }),
      resolve: async (config) => [`boss-of-${config.user}`],
    }),
  ],
  actions: [
    defineAction({
      type: 'record',
      schema: z.strictObject({ outcome: z.enum(['delivered', 'retry', 'failed', 'throw', 'hang']) }),
      audience: 'recipients',
      deliver: async (config, { deliveryId, attempt, recipient }) => {
        attempts.push(`${deliveryId} ${attempt} ${recipient?.id}`);
        if (config.outcome === 'throw') throw new Error('handler bug');
        if (config.outcome === 'hang') return new Promise<never>(() => undefined);
        return config.outcome === 'delivered'
          ? { status: 'delivered' }
          : { status: config.outcome, reason: 'http_status', detail: { status: 500 } };
      },
    }),
  ],
});

const notification = { type: 'notification', title: 'Order {{ payload.id }}', message: '{{ payload.status }}' };
let names = 0;

/** A tenant of its own for each test, with users ann, ben and carl (inactive), ann and ben in role sales. */
async function newTenant(): Promise<string> {
  const tenant = `t${++names}-${randomUUID().slice(0, 8)}`;
  const { directory } = t.tocsin;
  unwrap(
    await directory.putUsers(tenant, [
      { id: 'ann', name: 'Ann', email: 'ann@example.test' },
      { id: 'ben', name: 'Ben', email: 'ben@example.test' },
      { id: 'carl', active: false },
      { id: 'boss-of-ann', name: 'Boss' },
    ]),
  );
  for (const user of ['ann', 'ben']) unwrap(await directory.addToRole(tenant, 'sales', user));
  return tenant;
}

function workflow(parts: Partial<WorkflowInput>): Omit<WorkflowInput, 'status'> {
  return {
    name: `workflow ${++names}`,
    triggers: [{ entityType: 'order', operation: 'insert' }],
    actions: [notification],
    recipients: [{ type: 'role', id: 'sales' }],
    ...parts,
  };
}

async function inbox(tenant: string, user: string): Promise<string[]> {
  return unwrap(await t.tocsin.inbox.list(tenant, user, {})).items.map(({ title, message }) => `${title}: ${message}`);
}

/** The executions of a tenant, oldest first, whole. */
async function executions(tenant: string) {
  const { items } = unwrap(await t.tocsin.workflows.getExecutionLogs(tenant, {}));
  return Promise.all(
    items.toReversed().map(async ({ id }) => unwrap(await t.tocsin.workflows.getExecution(tenant, id))),
  );
}

describe('WorkflowEngine', () => {
  test('turns a committed row change into one notification per recipient, whoever named them', async () => {
    const tenant = await newTenant();
    await t.publish(
      tenant,
      workflow({
        recipients: [
          { type: 'role', id: 'sales' },
          { type: 'user', id: ['ann', 'carl', 'ghost'] },
        ],
      }),
    );
    await t.sql("insert into orders (tenant_id, status) values ($1, 'paid')", [tenant]);
    await t.settle();
    expect(await inbox(tenant, 'ann')).toEqual([expect.stringMatching(/^Order \d+: paid$/)]);
    expect(await inbox(tenant, 'ben')).toHaveLength(1);
    expect(await inbox(tenant, 'carl')).toEqual([]);
    const [execution] = await executions(tenant);
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

  test('does nothing for a change that is rolled back, nor for another tenant', async () => {
    const [tenant, other] = [await newTenant(), await newTenant()];
    await t.publish(tenant, workflow({}));
    await t.sql("begin; insert into orders (tenant_id) values ('x'); rollback");
    await t.sql('insert into orders (tenant_id) values ($1)', [other]);
    await t.settle();
    expect(await executions(tenant)).toEqual([]);
    expect(await executions(other)).toEqual([]);
  });

  test('runs the version that is published, from the next event on', async () => {
    const tenant = await newTenant();
    const id = await t.publish(tenant, workflow({ recipients: [{ type: 'user', id: 'ann' }] }));
    const change = { actions: [{ ...notification, title: 'Second', message: 'version' }] };
    unwrap(await t.tocsin.workflows.updateWorkflow(tenant, id, change));
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    await t.settle();
    unwrap(await t.tocsin.workflows.publishWorkflow(tenant, id));
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    await t.settle();
    unwrap(await t.tocsin.workflows.deactivateWorkflow(tenant, id));
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    await t.settle();
    expect((await executions(tenant)).map(({ workflowVersion }) => workflowVersion)).toEqual([1, 2]);
    expect((await inbox(tenant, 'ann'))[0]).toBe('Second: version');
  });

  test('writes why it did not run when the workflow asks for that, and nothing otherwise', async () => {
    const tenant = await newTenant();
    const conditions = [{ type: 'field_value', field: 'total', operator: 'gt', value: 500 }];
    await t.publish(tenant, workflow({ conditions, settings: { logSkipped: true } }));
    await t.publish(tenant, workflow({ conditions }));
    await t.sql('insert into orders (tenant_id, total) values ($1, 300)', [tenant]);
    await t.settle();
    const logged = await executions(tenant);
    expect(logged.map(({ status, reason }) => ({ status, reason }))).toEqual([
      { status: 'skipped', reason: 'conditions_false' },
    ]);
    expect(logged[0]?.trace.conditions[0]).toMatchObject({ type: 'field_value', result: false, actual: 300 });
  });

  test('a condition that cannot be decided fails the execution and tells nobody', async () => {
    const tenant = await newTenant();
    await t.publish(
      tenant,
      workflow({ conditions: [{ type: 'field_value', field: 'total', operator: 'gt', value: 1 }] }),
    );
    await t.sql("insert into orders (tenant_id, total) values ($1, 'NaN')", [tenant]);
    await t.settle();
    const [execution] = await executions(tenant);
    expect(execution).toMatchObject({ status: 'failed', reason: 'condition_error', deliveries: [] });
    expect(await inbox(tenant, 'ann')).toEqual([]);
  });

  test('decides look-ups after the pure conditions: roles, and handlers of the host', async () => {
    const tenant = await newTenant();
    const byRole = { type: 'role_based', user_field: 'owner_id', required_role: 'sales' };
    await t.publish(
      tenant,
      workflow({ conditions: [byRole, { type: 'is_lucky', number: 7 }], recipients: [{ type: 'user', id: 'ann' }] }),
    );
    await t.publish(
      tenant,
      workflow({ conditions: [byRole, { type: 'is_lucky', number: 8 }], recipients: [{ type: 'user', id: 'ben' }] }),
    );
    await t.sql("insert into orders (tenant_id, owner_id) values ($1, 'ann')", [tenant]);
    await t.settle();
    expect(await inbox(tenant, 'ann')).toHaveLength(1);
    expect(await inbox(tenant, 'ben')).toEqual([]);
    expect((await executions(tenant)).map(({ status }) => status).toSorted()).toEqual(['skipped', 'success']);
  });

  test('tries an execution again when a look-up fails, and then says why it failed', async () => {
    const tenant = await newTenant();
    await t.publish(tenant, workflow({ conditions: [{ type: 'always_throws' }] }));
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    for (let attempt = 1; attempt <= 4; attempt++) {
      await t.settle();
      await t.sql("update tocsin.executions set due_at = now() where tenant_id = $1 and status = 'pending'", [tenant]);
    }
    const [execution] = await executions(tenant);
    expect(execution).toMatchObject({ status: 'failed', reason: 'condition_error' });
    expect(execution?.trace.conditions[0]?.error).toContain('the service is down');
  });

  test('asks custom resolvers whom to tell', async () => {
    const tenant = await newTenant();
    await t.publish(tenant, workflow({ recipients: [{ type: 'manager_of', user: 'ann' }] }));
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    await t.settle();
    expect(await inbox(tenant, 'boss-of-ann')).toHaveLength(1);
  });

  test('an action has its own conditions, recipients and switch; one that resolves to nobody tells nobody', async () => {
    const tenant = await newTenant();
    await t.publish(
      tenant,
      workflow({
        actions: [
          { ...notification, title: 'own', recipients: [{ type: 'user', id: 'ben' }] },
          { ...notification, title: 'off', isActive: false },
          {
            ...notification,
            title: 'unmet',
            conditions: [{ type: 'field_value', field: 'status', operator: 'eq', value: 'x' }],
          },
          { ...notification, title: 'nobody', recipients: [{ type: 'role', id: 'nobody_has_it' }] },
        ],
        recipients: [{ type: 'user', id: 'ann' }],
      }),
    );
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    await t.settle();
    expect(await inbox(tenant, 'ann')).toEqual([]);
    expect(await inbox(tenant, 'ben')).toEqual(['own: new']);
    const [execution] = await executions(tenant);
    expect(execution?.status).toBe('success');
    expect(execution?.trace.actions.map(({ reason }) => reason ?? null).toSorted()).toEqual([
      'action_conditions_false',
      'action_inactive',
      null,
      null,
    ]);
  });

  test('leaves out the actor when the workflow says so', async () => {
    const tenant = await newTenant();
    await t.publish(tenant, workflow({ settings: { excludeActor: true } }));
    await t.database.transaction(async (_tx, client) => {
      await client.query("set local tocsin.actor = 'ann'");
      await client.query('insert into orders (tenant_id) values ($1)', [tenant]);
    });
    await t.settle();
    expect(await inbox(tenant, 'ann')).toEqual([]);
    expect(await inbox(tenant, 'ben')).toHaveLength(1);
    expect((await executions(tenant))[0]?.deliveries.find(({ recipientId }) => recipientId === 'ann')?.reason).toBe(
      'actor_excluded',
    );
  });

  test('a row that names no tenant becomes a dead letter, and its neighbours are matched', async () => {
    const tenant = await newTenant();
    await t.publish(tenant, workflow({ recipients: [{ type: 'user', id: 'ann' }] }));
    await t.sql('insert into orders (tenant_id) values ($1), (null), ($1)', [tenant]);
    await t.settle();
    expect(await inbox(tenant, 'ann')).toHaveLength(2);
    const { rows } = await t.sql("select failure from tocsin.event_history where tenant_id = ''");
    expect(rows).toEqual([{ failure: 'tenant_missing' }]);
  });

  test('tells an audience larger than one page, each user once', async () => {
    const tenant = await newTenant();
    const users = Array.from({ length: 4_500 }, (_, index) => ({ id: `user-${index}` }));
    unwrap(await t.tocsin.directory.putUsers(tenant, users));
    await t.sql(
      "insert into tocsin.directory_memberships (tenant_id, kind, name, user_id) select tenant_id, 'group', 'all', id from tocsin.directory_users where tenant_id = $1",
      [tenant],
    );
    await t.publish(
      tenant,
      workflow({
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

  test('an external delivery is retried under the same id until its attempts are used up, then it is a dead letter that can be redriven', async () => {
    const tenant = await newTenant();
    await t.publish(
      tenant,
      workflow({
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
    const [execution] = await executions(tenant);
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
    expect((await executions(tenant))[0]?.deliveries[0]).toMatchObject({ status: 'dead', attempts: [{}, {}, {}, {}] });
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test('a handler that throws or hangs costs its own delivery an attempt and nobody else anything', async () => {
    const tenant = await newTenant();
    const once = { retry: { maxAttempts: 1 }, timeoutMs: 100 };
    await t.publish(
      tenant,
      workflow({
        actions: [
          { type: 'record', outcome: 'throw', ...once },
          { type: 'record', outcome: 'hang', ...once },
          { type: 'record', outcome: 'delivered', ...once },
        ],
        recipients: [{ type: 'user', id: 'ann' }],
      }),
    );
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    await t.settle();
    const [execution] = await executions(tenant);
    expect(execution?.status).toBe('partial');
    expect(execution?.deliveries.map(({ status, reason }) => `${status} ${reason}`).toSorted()).toEqual([
      'dead handler_failed',
      'dead timeout',
      'delivered null',
    ]);
  });

  test('a delivery that ended every worker that tried it does not end the next: its attempts are used up', async () => {
    const tenant = await newTenant();
    await t.publish(
      tenant,
      workflow({
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
    const [execution] = await executions(tenant);
    expect(execution).toMatchObject({
      status: 'failed',
      deliveries: [{ status: 'dead', reason: 'attempts_exhausted' }],
    });
    expect(execution?.deliveries[0]?.attempts.map(({ reason }) => reason)).toContain('lease_lost');
  });

  test('a cancelled execution makes no more deliveries, and says that it was cancelled', async () => {
    const tenant = await newTenant();
    const id = await t.publish(
      tenant,
      workflow({
        actions: [{ type: 'record', outcome: 'retry', retry: { initialIntervalMs: 60_000 } }],
      }),
    );
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    await t.settle();
    const [running] = await executions(tenant);
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

  test('processEvent runs the workflows of one event and answers the executions', async () => {
    const tenant = await newTenant();
    const id = await t.publish(tenant, workflow({ recipients: [{ type: 'user', id: 'ann' }] }));
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
      occurredAt: new Date(),
    });
    expect(executed).toEqual([{ id: expect.any(String), workflowId: id, status: 'success' }]);
    expect(await inbox(tenant, 'ann')).toEqual(['Order 1: by hand']);
  });
});
