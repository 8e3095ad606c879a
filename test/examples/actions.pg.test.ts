import { beforeAll, describe, expect, test } from 'vitest';
import { escalation, orderApproved, orderMail, orderWebhook, thankYou } from '../../examples/actions.ts';
import { unwrap } from '../../src/model/result.ts';
import { verifySignature } from '../support/verify-signature.ts';
import { useShop, workflowWith } from './shop.ts';

const shop = useShop();
const signingKey = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

beforeAll(async () => {
  const { templates, secrets } = shop.tocsin;
  unwrap(
    await templates.setTemplate('acme', {
      name: 'order_notification',
      html: '<p>{{ order_id }}, {{ customer }}, {{ amount }}</p>',
    }),
  );
  unwrap(await secrets.setSecret('acme', 'api_key', 'key-4711'));
  unwrap(await secrets.setSecret('acme', 'signing_key', signingKey));
});

describe('notification', () => {
  test('lies in the inbox with priority and link', async () => {
    const id = await shop.publish('acme', workflowWith({ actions: orderApproved }));
    const order = await shop.write('orders', { amount: 1 });
    unwrap(await shop.tocsin.workflows.archiveWorkflow('acme', id));
    const { items } = unwrap(await shop.tocsin.inbox.list('acme', 'user123'));
    expect(items).toMatchObject([
      {
        title: 'Order approved',
        message: `Order #${order} has been approved`,
        priority: 'medium',
        link: `/orders/${order}`,
      },
    ]);
  });
});

describe('email', () => {
  test('an inline body is escaped and gets a text part', async () => {
    const id = await shop.publish('acme', workflowWith({ actions: thankYou }));
    const order = await shop.write('orders', { customer_name: 'Ann <b>Archer</b>' });
    unwrap(await shop.tocsin.workflows.archiveWorkflow('acme', id));
    const { mail, to } = (await shop.smtp.received(1))[0] ?? {};
    expect(to).toEqual(['uma@acme.example']);
    expect(mail).toMatchObject({
      subject: `Order #${order} of Ann <b>Archer</b>`,
      from: { name: 'Shop', address: 'no-reply@shop.example' },
      replyTo: [{ address: 'orders@shop.example' }],
    });
    expect(mail?.html).toContain('<p>Hello Uma,</p><p><b>Ann &lt;b&gt;Archer&lt;/b&gt;</b> has ordered.</p>');
    expect(mail?.text).toContain('Hello Uma,');
    expect(mail?.messageId).toMatch(/^<[0-9a-f-]{36}@shop\.example>$/);
  });

  test('a stored template reads the variables', async () => {
    const id = await shop.publish('acme', workflowWith({ actions: orderMail }));
    const order = await shop.write('orders', { customer_name: 'Ann', amount: 640 });
    unwrap(await shop.tocsin.workflows.archiveWorkflow('acme', id));
    const { mail } = (await shop.smtp.received(2))[1] ?? {};
    expect(mail?.subject).toBe('New Order Notification');
    expect(mail?.html).toContain(`<p>${order}, Ann, 640</p>`);
  });
});

describe('webhook', () => {
  test('sends the payload with values of their own types, the secret, and a signature', async () => {
    const id = await shop.publish('acme', workflowWith({ actions: orderWebhook(shop.receiver.url), recipients: [] }));
    const order = await shop.write('orders', { customer_name: 'Ann', amount: 12.5 });
    unwrap(await shop.tocsin.workflows.archiveWorkflow('acme', id));
    const request = (await shop.receiver.received(1))[0];
    expect(request?.path).toBe(`/api/webhook/${order}`);
    expect(request?.headers.authorization).toBe('Bearer key-4711');
    expect(JSON.parse(request?.body ?? '')).toEqual({
      event: 'order.created',
      order_id: Number(order),
      amount: 12.5,
      text: `Order ${order} of Ann`,
    });
    expect(request && verifySignature(signingKey, request)).toBe(true);
  });
});

describe('what every action has', () => {
  test('an action with conditions and recipients of its own tells those, and only then', async () => {
    const id = await shop.publish('acme', workflowWith({ actions: escalation }));
    await shop.write('orders', { amount: 10 });
    await shop.write('orders', { amount: 10_000, customer_name: 'Ann' });
    unwrap(await shop.tocsin.workflows.archiveWorkflow('acme', id));
    const mails = (await shop.smtp.received(3)).slice(2);
    expect(mails.map(({ to, mail }) => [to, mail.text?.trim()])).toEqual([
      [['max@acme.example'], 'Ann ordered for 10000.'],
    ]);
    expect((await shop.told('user123')).filter((text) => text.startsWith('Order: '))).toHaveLength(2);
    expect(await shop.told('manager1')).toEqual([]);
  });
});
