import { describe, expect, test } from 'vitest';
import {
  keepForAYear,
  listenUntil,
  raiseLimit,
  readInbox,
  readLogs,
  redriveMail,
} from '../../examples/administration.ts';
import { unwrap } from '../../src/model/result.ts';
import { useShop, workflowWith } from './shop.ts';

const shop = useShop();

/** Publishes a workflow and writes one order of 640; answers the workflow's id. */
async function runOnce(change: Parameters<typeof workflowWith>[0]): Promise<string> {
  const id = await shop.publish('acme', workflowWith(change));
  await shop.write('orders', { amount: 640 });
  unwrap(await shop.tocsin.workflows.deactivateWorkflow('acme', id));
  return id;
}

describe('raiseLimit', () => {
  test('changes and publishes a version, unless somebody else changed the workflow meanwhile', async () => {
    const conditions = [{ type: 'field_value', field: 'amount', operator: 'gt', value: 500 }];
    const workflow = unwrap(
      await shop.tocsin.workflows.createWorkflow('acme', workflowWith({ status: 'active', conditions })),
    );
    const raised = await raiseLimit(shop.tocsin, workflow);
    expect(raised).toMatchObject({ status: 'active', publishedVersion: 2, conditions: [{ value: 1000 }] });
    await expect(raiseLimit(shop.tocsin, workflow)).rejects.toMatchObject({ code: 'conflict' });
    unwrap(await shop.tocsin.workflows.archiveWorkflow('acme', workflow.id));
  });
});

describe('readInbox', () => {
  test('answers what is unread, once', async () => {
    await runOnce({ actions: [{ type: 'notification', title: 'Order', message: '{{ payload.amount }}' }] });
    expect(await readInbox(shop.tocsin, 'acme', 'user123')).toEqual(['Order: 640']);
    expect(await readInbox(shop.tocsin, 'acme', 'user123')).toEqual([]);
    expect(await shop.tocsin.inbox.unreadCount('acme', 'user123')).toBe(0);
  });
});

describe('readLogs', () => {
  test('answers executions with their conditions, deliveries and attempts', async () => {
    const id = await runOnce({
      conditions: [{ type: 'field_value', field: 'amount', operator: 'gt', value: 500 }],
      recipients: [{ type: 'user', id: ['user123', 'nobody'] }],
    });
    const [execution, ...others] = await readLogs(shop.tocsin, 'acme', id);
    expect(others).toEqual([]);
    expect(execution).toMatchObject({
      status: 'success',
      workflowVersion: 1,
      trace: { conditions: [{ result: true, expected: 'amount gt 500', actual: 640 }] },
    });
    const deliveries = execution?.deliveries.map(({ recipientId, status, reason }) => [recipientId, status, reason]);
    expect(deliveries?.toSorted()).toEqual([
      ['nobody', 'skipped', 'recipient_unknown'],
      ['user123', 'delivered', null],
    ]);
  });
});

describe('redriveMail', () => {
  test('a mail that was refused is tried again, and goes out', async () => {
    shop.smtp.failNext({ at: 'data', reply: 550 });
    const id = await runOnce({ actions: [{ type: 'email', subject: 'Order', text: '{{ payload.amount }}' }] });
    expect(await shop.executionsOf(id)).toMatchObject([{ status: 'failed' }]);
    expect(await redriveMail(shop.tocsin, 'acme')).toBe(1);
    expect(await redriveMail(shop.tocsin, 'acme')).toBe(0);
    await shop.settle();
    expect(await shop.executionsOf(id)).toMatchObject([{ status: 'success' }]);
    expect(shop.smtp.mails).toHaveLength(1);
  });
});

describe('keepForAYear', () => {
  test('gives the tenant a retention of its own', async () => {
    await keepForAYear(shop.tocsin, 'acme');
    expect(unwrap(await shop.tocsin.retention.getRetention('acme'))).toEqual({ tenantId: 'acme', days: 365 });
  });
});

describe('listenUntil', () => {
  test('matches and delivers until it is told to stop', async () => {
    const ended = Promise.withResolvers<void>();
    const id = await shop.publish('acme', workflowWith({}));
    const executed = new Promise((resolve) => shop.tocsin.engine.once('executed', resolve));
    const listening = listenUntil(shop.tocsin, ended.promise);
    await shop.sql('insert into shop.orders default values');
    await executed;
    ended.resolve();
    await listening;
    expect(await shop.executionsOf(id)).toMatchObject([{ status: 'success' }]);
  });
});
