import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineAction } from '../../src/deliver/define-action.ts';
import { defineRecipient } from '../../src/execute/define-recipient.ts';
import { unwrap } from '../../src/model/result.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

/** Whether the other side is down. */
let isDown = true;
const delivered: string[] = [];

const t = useTestTocsin({
  recipients: [
    defineRecipient({
      type: 'on_duty',
      schema: z.strictObject({}),
      resolve: async () => {
        if (isDown) throw new Error('the rota is down');
        return ['ann'];
      },
    }),
  ],
  actions: [
    defineAction({
      type: 'record',
      schema: z.strictObject({}),
      audience: 'recipients',
      deliver: async (_config, { recipient, attempt }) => {
        if (isDown) return { status: 'failed', reason: 'http_status' };
        delivered.push(`${recipient?.id} ${attempt}`);
        return { status: 'delivered' };
      },
    }),
  ],
});

async function withUsers(tenant: string): Promise<void> {
  for (const id of ['ann', 'ben']) unwrap(await t.tocsin.directory.putUser(tenant, { id }));
}

describe('DeadLetterService.redrive, with the engine', () => {
  test('tells each recipient who was not told, once, when the other side is back', async () => {
    await withUsers('acme');
    isDown = true;
    const workflowId = await t.publish('acme', {
      name: 'Orders',
      triggers: [{ entityType: 'order', operation: 'insert' }],
      actions: [{ type: 'record' }],
      recipients: [{ type: 'user', id: ['ann', 'ben'] }],
    });
    await t.sql("insert into orders (tenant_id) values ('acme')");
    await t.settle();
    const { items } = unwrap(await t.tocsin.deadLetters.list('acme', { workflowId }));
    expect(items.map((letter) => `${letter.kind} ${letter.recipient} ${letter.reason}`).sort()).toEqual([
      'delivery ann http_status',
      'delivery ben http_status',
    ]);
    isDown = false;
    unwrap(await t.tocsin.deadLetters.redrive('acme', { all: true }));
    unwrap(await t.tocsin.deadLetters.redrive('acme', { all: true }));
    await t.settle();
    expect(delivered.toSorted()).toEqual(['ann 2', 'ben 2']);
    const [log] = unwrap(await t.tocsin.workflows.getExecutionLogs('acme', { workflowId })).items;
    expect(log).toMatchObject({ status: 'success', deliveryCounts: { open: 0, delivered: 2, failed: 0 } });
    expect(unwrap(await t.tocsin.deadLetters.list('acme')).items).toEqual([]);
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test('decides an execution anew whose recipients could not be resolved', async () => {
    await withUsers('rota');
    isDown = true;
    const workflowId = await t.publish('rota', {
      name: 'Orders',
      triggers: [{ entityType: 'order', operation: 'insert' }],
      actions: [{ type: 'notification', title: 'Order', message: '{{ payload.id }}' }],
      recipients: [{ type: 'on_duty' }],
    });
    await t.sql("insert into orders (tenant_id) values ('rota')");
    for (let attempt = 0; attempt < 5; attempt++) {
      await t.settle();
      await t.sql("update tocsin.executions set due_at = now() where status = 'pending'");
    }
    const [letter] = unwrap(await t.tocsin.deadLetters.list('rota', { workflowId })).items;
    expect(letter).toMatchObject({ kind: 'execution', reason: 'resolver_failed' });
    isDown = false;
    expect(unwrap(await t.tocsin.deadLetters.redrive('rota', [letter?.id ?? '']))).toMatchObject({ executions: 1 });
    await t.settle();
    const [log] = unwrap(await t.tocsin.workflows.getExecutionLogs('rota', { workflowId })).items;
    expect(log).toMatchObject({ status: 'success', reason: null, deliveryCounts: { delivered: 1 } });
    expect(await brokenInvariants(t.database)).toEqual([]);
  });
});
