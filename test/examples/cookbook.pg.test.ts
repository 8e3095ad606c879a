import { describe, expect, test } from 'vitest';
import {
  createLargeOrderMail,
  createNewUserNotification,
  createPremiumWebhook,
  newUserNotification,
  orderApproved,
  savePremiumCustomers,
} from '../../examples/cookbook.ts';
import { unwrap } from '../../src/model/result.ts';
import { useShop } from './shop.ts';

const shop = useShop();

/** Inserts an order as of a moment: what a worker finds that comes to it later. */
async function insertAt(moment: string, order: { created_by: string; amount: number }): Promise<void> {
  await shop.sql(`insert into shop.orders (created_by, customer_name, amount) values ($1, 'Ann', $2)`, [
    order.created_by,
    order.amount,
  ]);
  await shop.sql('update tocsin.events set occurred_at = $1', [moment]);
  await shop.settle();
}

describe('New user notification', () => {
  test('tells the administrators about verified users only', async () => {
    expect(await createNewUserNotification(shop.tocsin, 'acme')).toMatch(/^[0-9a-f-]{36}$/);
    await shop.write('users', { id: 'u1', username: 'johndoe', is_verified: true });
    await shop.write('users', { id: 'u2', username: 'spammer', is_verified: false });
    expect(await shop.told('admin1')).toEqual(['New user registration: A new verified user has registered: johndoe']);
  });

  test('says what is wrong instead of saving it', async () => {
    expect(await createNewUserNotification(shop.tocsin, 'acme')).toBeNull();
    const misspelt = {
      ...newUserNotification,
      name: 'Another',
      conditions: [{ type: 'field_value', field: 'is_verifed', operator: 'eq', value: true }],
    };
    const refused = await shop.tocsin.workflows.createWorkflow('acme', misspelt);
    expect(refused.ok ? '' : refused.error.message).toBe(
      'the workflow is not valid: conditions[0].field: unknown field of "user" "is_verifed": did you mean "is_verified"?',
    );
  });
});

describe('Order approved', () => {
  test('tells a user, a group and an attribute, each user once, without the one who did it', async () => {
    unwrap(await shop.tocsin.workflows.createWorkflow('acme', orderApproved));
    const order = await shop.write('orders', { status: 'new' });
    await shop.sql(
      `begin; set local tocsin.actor = 'seller1'; update shop.orders set status = 'approved' where order_id = ${order}; commit`,
    );
    await shop.settle();
    await shop.sql(`update shop.orders set note = 'still approved' where order_id = ${order}`);
    await shop.settle();
    expect(await shop.told('user123')).toEqual([`Order approved: Order #${order} has been approved`]);
    expect(await shop.told('seller1')).toEqual([]);
  });
});

describe('Large order in office hours, made by an administrator', () => {
  test('sends a mail from the stored template, when all of it is so', async () => {
    await createLargeOrderMail(shop.tocsin, 'acme');
    const tuesdayMorning = '2026-03-03T10:00:00Z';
    await insertAt(tuesdayMorning, { created_by: 'admin1', amount: 1500 });
    await insertAt(tuesdayMorning, { created_by: 'admin1', amount: 1000 });
    await insertAt(tuesdayMorning, { created_by: 'manager1', amount: 1500 });
    await insertAt('2026-03-03T17:00:00Z', { created_by: 'admin1', amount: 1500 });
    expect(shop.smtp.mails.map(({ to, mail }) => [to, mail.subject])).toEqual([
      [['max@acme.example'], 'New Order Notification'],
    ]);
    expect(shop.smtp.mails[0]?.mail.html).toMatch(/<p>Order <b>\d+<\/b> of Ann: \$1,500\.00<\/p>/);
  });
});

describe('Order of a premium customer', () => {
  test('calls the webhook with the secret for customers that the saved query finds', async () => {
    await shop.write('customers', { id: 'c1', region: 'North America', purchases: 10 });
    await shop.write('customers', { id: 'c2', region: 'North America', purchases: 9 });
    await shop.write('customers', { id: 'c3', region: 'Europe', purchases: 99 });
    await savePremiumCustomers(shop.tocsin, 'acme');
    await createPremiumWebhook(shop.tocsin, 'acme', `${shop.receiver.url}/api/webhook`);
    const order = await shop.write('orders', { customer_id: 'c1', amount: 5 });
    for (const other of ['c2', 'c3', null]) await shop.write('orders', { customer_id: other, amount: 5 });
    expect(shop.receiver.requests.map(({ headers, body }) => [headers.authorization, JSON.parse(body)])).toEqual([
      ['Bearer key-of-the-other-side', { event: 'order.created', order_id: Number(order), amount: 5 }],
    ]);
  });
});
