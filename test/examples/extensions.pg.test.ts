import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createExtendedTocsin, createTocsinOnYourUsers, registerLater } from '../../examples/extensions.ts';
import { hostTables } from '../../examples/host-directory.ts';
import { unwrap } from '../../src/model/result.ts';
import type { WorkflowInput } from '../../src/model/workflow.ts';
import { createTocsin, type Tocsin } from '../../src/tocsin.ts';
import { useTestDatabase } from '../support/test-database.ts';
import { WebhookReceiver } from '../support/webhook-receiver.ts';
import { OrderInserted } from './shop.ts';

const db = useTestDatabase();
let gateway: WebhookReceiver;
let tocsin: Tocsin;

const planOf = async (tenantId: string) => (tenantId === 'acme' ? ('business' as const) : ('free' as const));

const onCall: WorkflowInput = {
  name: 'On call',
  status: 'active',
  triggers: [{ entityType: 'order', operation: 'insert' }],
  conditions: [{ type: 'tenant_plan', plan: 'business' }],
  actions: [{ type: 'sms', text: 'Order {{ payload.order_id }}\nfailed' }],
  recipients: [{ type: 'on_call', team: 'support' }],
};

beforeAll(async () => {
  gateway = await WebhookReceiver.start();
  tocsin = await createExtendedTocsin({ databaseUrl: db.url, gatewayUrl: gateway.url, planOf });
  unwrap(
    await tocsin.directory.putUsers('acme', [
      { id: 'anna', attributes: { on_call: true, phone: '+43 1 1' } },
      { id: 'bert', attributes: { on_call: true } },
      { id: 'carl', attributes: { on_call: false, phone: '+43 1 3' } },
    ]),
  );
  unwrap(await tocsin.directory.addToGroup('acme', 'support', ['anna', 'bert', 'carl']));
});
afterAll(async () => {
  await tocsin.close();
  await gateway.close();
});

describe('createExtendedTocsin', () => {
  test('condition, recipient and action types of the host work like the built-in ones', async () => {
    const workflow = unwrap(await tocsin.workflows.createWorkflow('acme', onCall));
    unwrap(await tocsin.events.dispatch(new OrderInserted({})));
    while (await tocsin.listener.runOnce());

    const { items } = unwrap(await tocsin.workflows.getExecutionLogs('acme', { workflowId: workflow.id }));
    const execution = unwrap(await tocsin.workflows.getExecution('acme', items[0]?.id ?? ''));
    expect(execution.status).toBe('success');
    expect(execution.trace.conditions).toMatchObject([{ type: 'tenant_plan', result: true }]);
    const deliveries = execution.deliveries.map(({ recipientId, status, reason }) => [recipientId, status, reason]);
    expect(deliveries.toSorted()).toEqual([
      ['anna', 'delivered', null],
      ['bert', 'skipped', 'no_address'],
    ]);

    expect(gateway.requests.map(({ path, body }) => [path, JSON.parse(body)])).toEqual([
      ['/messages', { to: '+43 1 1', text: 'Order 1 failed' }],
    ]);
    const delivered = execution.deliveries.find(({ status }) => status === 'delivered');
    expect(gateway.requests[0]?.headers['idempotency-key']).toBe(delivered?.id);
  });

  test('what tenants write for them is checked when it is saved', async () => {
    const invalid = {
      ...onCall,
      name: 'Wrong',
      conditions: [{ type: 'tenant_plan', plan: 'busines' }],
      actions: [{ type: 'sms', text: '{{ payload.order_id | uper }}' }],
      recipients: [{ type: 'on_call', teams: 'support' }],
    };
    const created = await tocsin.workflows.createWorkflow('acme', invalid);
    expect(created.ok ? [] : created.error.issues.map(({ path, message }) => `${path}: ${message}`)).toEqual([
      'conditions[0].plan: unknown value "busines": did you mean "business"?',
      'recipients[0].team: is missing: expected string',
      'recipients[0].teams: unknown field "teams": did you mean "team"?',
      'actions[0].text: 1:23: unknown filter "uper": did you mean "upper"?',
    ]);
  });
});

describe('registerLater', () => {
  test('adds the types to a Tocsin that is there already, once', async () => {
    const other = await createTocsin({ databaseUrl: db.url });
    registerLater(other, { gatewayUrl: gateway.url, planOf });
    expect(other.engine.handlers.actions.types()).toContain('sms');
    expect(() => registerLater(other, { gatewayUrl: gateway.url, planOf })).toThrow(
      'condition type "tenant_plan" is registered twice',
    );
    await other.close();
  });
});

describe('createTocsinOnYourUsers', () => {
  test('finds recipients and roles in the tables of the host', async () => {
    const { pool } = db.database;
    await pool.query(hostTables);
    await pool.query(
      `insert into app_users (account, id, deactivated_at) values ('acme', 'hana', null), ('acme', 'hugo', now());
       insert into app_user_roles values ('acme', 'admin', 'hana'), ('acme', 'admin', 'hugo')`,
    );
    const onHostUsers = await createTocsinOnYourUsers(db.url, pool);
    const workflow = unwrap(
      await onHostUsers.workflows.createWorkflow('acme', {
        name: 'On the host',
        status: 'active',
        triggers: [{ entityType: 'order', operation: 'insert' }],
        conditions: [{ type: 'role_based', user_field: 'event.actor', required_role: 'admin' }],
        actions: [{ type: 'notification', title: 'Order', message: '{{ payload.order_id }}' }],
        recipients: [{ type: 'role', id: 'admin' }],
      }),
    );
    unwrap(await onHostUsers.events.dispatch(new OrderInserted({ actor: 'hana' })));
    while (await onHostUsers.listener.runOnce());
    const [log] = unwrap(await onHostUsers.workflows.getExecutionLogs('acme', { workflowId: workflow.id })).items;
    const execution = unwrap(await onHostUsers.workflows.getExecution('acme', log?.id ?? ''));
    const deliveries = execution.deliveries.map(({ recipientId, status, reason }) => [recipientId, status, reason]);
    expect(deliveries.toSorted()).toEqual([
      ['hana', 'delivered', null],
      ['hugo', 'skipped', 'recipient_inactive'],
    ]);
    await onHostUsers.close();
  });
});
