import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { DomainEvent } from '../../src/capture/domain-event.ts';
import { defineAction } from '../../src/deliver/define-action.ts';
import { unwrap } from '../../src/model/result.ts';
import type { WorkflowInput } from '../../src/model/workflow.ts';
import { WebhookReceiver } from '../../src/testing/webhook-receiver.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { executionsOf, newTenant, orderNotification, orderWorkflow } from '../support/orders-workflows.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

/** A domain event of any name, dispatched by handlers. */
class Echo extends DomainEvent {
  readonly #entity: string;

  constructor(tenantId: string, entity: string) {
    super({ tenantId });
    this.#entity = entity;
  }

  override get entityType(): string {
    return this.#entity;
  }

  override get operation(): string {
    return 'happened';
  }
}

/** Does what hosts do: dispatches an event, or writes a captured row, from a handler. */
const echo = defineAction({
  type: 'echo',
  schema: z.strictObject({ entity: z.string(), how: z.enum(['ambient', 'explicit', 'anew', 'row']) }),
  audience: 'once',
  deliver: async ({ entity, how }, { tenantId, causation }) => {
    if (how === 'row') await writeOrder(tenantId, causation);
    else {
      const causedBy = { ambient: {}, explicit: { causedBy: causation }, anew: { causedBy: null } }[how];
      unwrap(await t.tocsin.events.dispatch(new Echo(tenantId, entity), causedBy));
    }
    return { status: 'delivered' };
  },
});

const t = useTestTocsin({ actions: [echo] });
const circle = ['c0', 'c1', 'c2', 'c3', 'c4'];
let receiver: WebhookReceiver;

beforeAll(async () => {
  receiver = await WebhookReceiver.start();
  for (const name of ['ping', 'pong', 'fresh', 'other', ...circle]) {
    unwrap(await t.tocsin.entityTypes.register({ name, operations: ['happened'], fields: [] }));
  }
});
afterAll(() => receiver.close());

async function writeOrder(tenant: string, causation: string | undefined): Promise<void> {
  await t.database.transaction(async (_tx, client) => {
    await client.query("select set_config('tocsin.causation', $1, true)", [causation ?? '']);
    await client.query('insert into orders (tenant_id) values ($1)', [tenant]);
  });
}

const onEcho = (entity: string, ...actions: WorkflowInput['actions']) => ({
  ...orderWorkflow({ actions, recipients: [{ type: 'user', id: 'ann' }] }),
  triggers: [{ entityType: entity, operation: 'happened' }],
});

/** Each execution as its status, reason and the workflows that led to it. */
async function outcomes(tenant: string, names: Record<string, string>): Promise<string[]> {
  const executions = await executionsOf(t, tenant);
  return executions.map(({ workflowId, status, reason, event }) => {
    const chain = (event?.causation ?? []).map((id) => names[id]).join('');
    return `${chain}>${names[workflowId]} ${reason ?? status}`;
  });
}

describe('WorkflowEngine, loops', () => {
  test.each(['ambient', 'explicit'] as const)(
    'two workflows that start each other by domain events stop; what came before was delivered (%s)',
    async (how) => {
      const tenant = await newTenant(t);
      const notification = { ...orderNotification, message: 'told' };
      const ping = await t.publish(tenant, onEcho('ping', { type: 'echo', entity: 'pong', how }, notification));
      const pong = await t.publish(tenant, onEcho('pong', { type: 'echo', entity: 'ping', how }, notification));
      unwrap(await t.tocsin.events.dispatch(new Echo(tenant, 'ping')));
      await t.settle();
      expect(await outcomes(tenant, { [ping]: 'a', [pong]: 'b' })).toEqual([
        '>a success',
        'a>b success',
        'ab>a success',
        'aba>b success',
        'abab>a success',
        'ababa>b success',
        'ababab>a loop_detected',
      ]);
      const { rows } = await t.sql('select count(*)::int as n from tocsin.notifications where tenant_id = $1', [
        tenant,
      ]);
      expect(rows).toEqual([{ n: 6 }]);
      const stopped = (await executionsOf(t, tenant)).at(-1);
      expect(stopped).toMatchObject({ status: 'skipped', trace: { causation: [ping, pong, ping, pong, ping, pong] } });
      expect(await brokenInvariants(t.database)).toEqual([]);
    },
  );

  test('a circle of more workflows stops at the greatest depth', async () => {
    const tenant = await newTenant(t);
    for (const [n, entity] of circle.entries()) {
      await t.publish(tenant, onEcho(entity, { type: 'echo', entity: circle[(n + 1) % 5] as string, how: 'ambient' }));
    }
    unwrap(await t.tocsin.events.dispatch(new Echo(tenant, 'c0')));
    await t.settle();
    const executions = await executionsOf(t, tenant);
    expect(executions.map(({ reason, status }) => reason ?? status)).toEqual([
      ...Array.from({ length: 8 }, () => 'success'),
      'loop_detected',
    ]);
  });

  test('a workflow that starts itself by rows that its handler writes stops', async () => {
    const tenant = await newTenant(t);
    const id = await t.publish(tenant, orderWorkflow({ actions: [{ type: 'echo', entity: '', how: 'row' }] }));
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    await t.settle();
    expect(await outcomes(tenant, { [id]: 'a' })).toEqual([
      '>a success',
      'a>a success',
      'aa>a success',
      'aaa>a loop_detected',
    ]);
  });

  test('a webhook whose receiver writes a captured row stops, when the header is passed on', async () => {
    const tenant = await newTenant(t);
    const id = await t.publish(
      tenant,
      orderWorkflow({ actions: [{ type: 'webhook', url: `${receiver.url}/${tenant}` }] }),
    );
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    for (let answered = 0; ; answered += 1) {
      await t.settle();
      const requests = receiver.requests.filter(({ path }) => path === `/${tenant}`);
      const request = requests[answered];
      if (!request) break;
      await writeOrder(tenant, String(request.headers['tocsin-causation']));
    }
    expect(await outcomes(tenant, { [id]: 'a' })).toEqual([
      '>a success',
      'a>a success',
      'aa>a success',
      'aaa>a loop_detected',
    ]);
    const headers = receiver.requests
      .filter(({ path }) => path === `/${tenant}`)
      .map((r) => r.headers['tocsin-causation']);
    expect(headers).toEqual([id, `${id},${id}`, `${id},${id},${id}`]);
  });

  test('whoever says that an event comes of nothing begins a new chain', async () => {
    const tenant = await newTenant(t);
    const id = await t.publish(tenant, onEcho('fresh', { type: 'echo', entity: 'other', how: 'anew' }));
    const other = await t.publish(tenant, onEcho('other', { ...orderNotification }));
    unwrap(await t.tocsin.events.dispatch(new Echo(tenant, 'fresh')));
    await t.settle();
    expect(await outcomes(tenant, { [id]: 'a', [other]: 'b' })).toEqual(['>a success', '>b success']);
  });

  test('a workflow whose conditions are not met is no loop, and leaves no execution', async () => {
    const tenant = await newTenant(t);
    const id = await t.publish(tenant, {
      ...orderWorkflow({ conditions: [{ type: 'field_value', field: 'status', operator: 'eq', value: 'never' }] }),
    });
    await writeOrder(tenant, Array.from({ length: 8 }, () => id).join(','));
    await t.settle();
    expect(await executionsOf(t, tenant)).toEqual([]);
  });

  test('what is no chain of ours does not stop a workflow, and fails no write', async () => {
    const tenant = await newTenant(t);
    await t.publish(tenant, orderWorkflow({}));
    for (const header of ["'; drop table orders", 'x,'.repeat(200_000), '💥']) await writeOrder(tenant, header);
    await t.settle();
    expect((await executionsOf(t, tenant)).map(({ status }) => status)).toEqual(['success', 'success', 'success']);
  });
});
