import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OutgoingMail, StoredTemplate, Transports } from '../../../src/deliver/action.ts';
import { emailAction } from '../../../src/deliver/actions/email.ts';
import { createSmtpTransport, type SmtpTransport } from '../../../src/deliver/transports/smtp.ts';
import { type ReceivedMail, SmtpReceiver } from '../../support/smtp-receiver.ts';
import { ada, attemptContext, compileAction, externalAction, placesOf } from './attempt.ts';

let receiver: SmtpReceiver;
let smtp: SmtpTransport;
let transports: Transports;

beforeAll(async () => {
  receiver = await SmtpReceiver.start();
  smtp = createSmtpTransport({ url: receiver.url, from: 'Shop <no-reply@shop.example>' });
  transports = { sendMail: smtp.sendMail, sendHttp: () => Promise.reject(new Error('no request expected')) };
});

afterAll(async () => {
  smtp.close();
  await receiver.close();
});

const order: StoredTemplate = {
  name: 'order_notification',
  subject: 'Order {{ order_id }} of {{ customer }}',
  html: '<h1>Order {{ order_id }}</h1><p title="{{ customer }}">{{ customer }} pays {{ amount }} ({{ recipient.name }}, {{ payload.order_id }})</p>',
  text: null,
  updatedAt: new Date(0),
};

const variables = {
  order_id: '{{ payload.order_id }}',
  customer: '{{ payload.customer.name }}',
  amount: '{{ payload.amount }}',
};

async function send(config: unknown, more: Parameters<typeof attemptContext>[0] = {}): Promise<ReceivedMail> {
  const count = receiver.mails.length;
  const outcome = await externalAction(emailAction, config).deliver(attemptContext({ transports, ...more }));
  if (outcome.status !== 'delivered') throw new Error(JSON.stringify(outcome));
  return (await receiver.received(count + 1))[count] as ReceivedMail;
}

describe('emailAction', () => {
  test('sends a stored template with its variables, escaped, and a text part made from the HTML', async () => {
    const { mail, to } = await send({ template: 'order_notification', variables }, { stored: [order] });
    expect(to).toEqual(['ada@example.com']);
    expect(mail.subject).toBe('Order 7 of Ada <ada>');
    expect(mail.html).toContain('<p title="Ada &lt;ada&gt;">Ada &lt;ada&gt; pays 12.5 (Ada Lovelace, 7)</p>');
    expect(mail.text?.trim()).toBe('ORDER 7\n\nAda <ada> pays 12.5 (Ada Lovelace, 7)');
  });

  test('prefers its own subject to that of the stored template', async () => {
    const { mail } = await send(
      { subject: 'New order {{ payload.order_id }}', template: 'order_notification', variables },
      { stored: [order] },
    );
    expect(mail.subject).toBe('New order 7');
  });

  test('gives variables their kind: a list can be gone through', async () => {
    const html =
      '<ul>{% for item in items %}<li>{{ item }}</li>{% endfor %}</ul>{% if paid %}paid{% else %}open{% endif %}';
    const stored = [{ ...order, name: 'list', html }];
    const values = { ...variables, items: '{{ payload.items }}', paid: false };
    const { mail } = await send({ template: 'list', variables: values }, { stored });
    expect(mail.html).toContain('<ul><li>x</li></ul>open');
  });

  test('takes a stored template as it is now', async () => {
    const action = externalAction(emailAction, { template: 'order_notification', variables });
    for (const html of ['<p>first</p>', '<p>second</p>']) {
      const count = receiver.mails.length;
      await action.deliver(attemptContext({ transports, stored: [{ ...order, html }] }));
      expect((await receiver.received(count + 1))[count]?.mail.html).toContain(html);
    }
  });

  test('sends an inline body, text as it is and HTML escaped', async () => {
    const { mail } = await send({
      subject: 'Hi {{ recipient.name }}',
      html: '<p>{{ payload.customer.name }}</p>',
      text: 'Hi {{ payload.customer.name }}',
    });
    expect(mail).toMatchObject({ subject: 'Hi Ada Lovelace', text: expect.stringContaining('Hi Ada <ada>') });
    expect(mail.html).toContain('<p>Ada &lt;ada&gt;</p>');
    expect((await send({ subject: 's', text: 'only text' })).mail.html).toBeUndefined();
  });

  test('makes a text part in bounded time, however deep the HTML nests', async () => {
    const html = '{% for row in payload.rows %}<div><ul><li>{% endfor %}';
    const payload = { rows: Array.from({ length: 20_000 }, () => 1) };
    const startedAt = performance.now();
    await send({ subject: 's', html }, { event: { ...attemptContext().event, payload } });
    expect(performance.now() - startedAt).toBeLessThan(1_500);
  });

  test('keeps line breaks of data out of the subject', async () => {
    const payload = { note: 'x\r\nBcc: evil@example.com' };
    const { mail, to } = await send(
      { subject: '{{ payload.note }}', text: 't' },
      { event: { ...attemptContext().event, payload } },
    );
    expect(mail.subject).toBe('x Bcc: evil@example.com');
    expect(mail.bcc).toBeUndefined();
    expect(to).toHaveLength(1);
  });

  test('hands over a subject and names of one line: the mail server is not the first to look', async () => {
    const handed: OutgoingMail[] = [];
    const sendMail = async (mail: OutgoingMail) => {
      handed.push(mail);
      return { status: 'delivered' as const };
    };
    const payload = { note: 'x\r\nBcc: evil@example.com\u2028y' };
    const config = { subject: '{{ payload.note }}', fromName: '{{ payload.note }}', text: 't' };
    await externalAction(emailAction, config).deliver(
      attemptContext({
        transports: { ...transports, sendMail },
        event: { ...attemptContext().event, payload },
      }),
    );
    const line = 'x Bcc: evil@example.com y';
    expect(handed).toMatchObject([{ subject: line, fromName: line }]);
  });

  test('names the sender and the reply address from templates', async () => {
    const config = {
      subject: 's',
      text: 't',
      fromName: 'Team {{ payload.order_id }}',
      replyTo: 'order-{{ payload.order_id }}@shop.example',
    };
    const { mail } = await send(config);
    expect(mail.from).toEqual({ name: 'Team 7 via Shop', address: 'no-reply@shop.example' });
    expect(mail.replyTo).toMatchObject([{ address: 'order-7@shop.example' }]);
    expect((await send({ ...config, replyTo: '{{ payload.nobody }}' })).mail.replyTo).toBeUndefined();
  });

  test('has a Message-ID that is made of the delivery and the same for every attempt', async () => {
    const context = attemptContext({ transports });
    const action = externalAction(emailAction, { subject: 's', text: 't' });
    const count = receiver.mails.length;
    receiver.failNext({ at: 'data', kind: 'drop' });
    expect(await action.deliver(context)).toMatchObject({ status: 'retry', reason: 'outcome_unknown' });
    expect(await action.deliver({ ...context, attempt: 2 })).toMatchObject({ status: 'delivered' });
    expect((await receiver.received(count + 1))[count]?.mail.messageId).toBe(`<${context.deliveryId}@shop.example>`);
  });

  test('refuses recipients without a good address before anything is planned, and again before it is sent', async () => {
    const action = externalAction(emailAction, { subject: 's', text: 't' });
    for (const [email, reason] of [
      [null, 'no_address'],
      [' ', 'no_address'],
      ['ada@example.com, evil@example.com', 'invalid_address'],
      ['ada@example.com\r\nBcc: evil@example.com', 'invalid_address'],
    ] as const) {
      const recipient = { ...ada, email };
      expect(action.refuses?.(recipient)).toBe(reason);
      expect(await action.deliver(attemptContext({ recipient }))).toEqual({ status: 'failed', reason });
    }
    expect(action.refuses?.(ada)).toBeNull();
  });

  test.each([
    ['a template that is not there', { template: 'gone' }, 'template_missing', { template: 'gone' }],
    [
      'a variable that is not given',
      { template: 'order_notification', variables: { order_id: '1' } },
      'template_error',
      { part: 'order_notification.subject', error: expect.stringContaining('unknown name "customer"') },
    ],
    ['no subject anywhere', { template: 'plain' }, 'template_error', { part: 'subject' }],
    [
      'a value that cannot be rendered',
      { subject: 's', text: '{{ payload.huge }}' },
      'template_error',
      { part: 'text' },
    ],
    [
      'a variable that cannot be rendered',
      { template: 'plain', subject: 's', variables: { a: { b: 'x{{ payload.huge }}' } } },
      'template_error',
      { part: 'actions[0].variables.a.b' },
    ],
    [
      'a reply address that is none',
      { subject: 's', text: 't', replyTo: '{{ payload.customer.name }}' },
      'template_error',
      { part: 'replyTo' },
    ],
  ])('fails for %s', async (_name, config, reason, detail) => {
    const stored = [order, { ...order, name: 'plain', subject: null, html: null, text: 'plain' }];
    const outcome = await externalAction(emailAction, config).deliver(attemptContext({ stored }));
    expect(outcome).toMatchObject({ status: 'failed', reason, detail });
  });

  test.each([
    [{ subject: 's' }, 'actions[0]', 'write html or text'],
    [{ text: 't' }, 'actions[0].subject', 'write a subject'],
    [{ subject: 's', text: 't', variables: {} }, 'actions[0].variables', 'variables are for stored templates'],
    [{ template: 'x', html: '<p>' }, 'actions[0].html', 'has the body'],
    [{ template: 'x', variables: { 'a-b': '1' } }, 'actions[0].variables.a-b', 'a name has letters'],
    [{ template: 'x', variables: { payload: '1' } }, 'actions[0].variables.payload', 'has a meaning already'],
    [{ template: 'x', variables: { a: ['{{ payload.x'] } }, 'actions[0].variables.a[0]', 'malformed'],
    [{ subject: '{{ secret.x }}', text: 't' }, 'actions[0].subject', '1:4: unknown name "secret"'],
    [{ subject: 's', html: '<a onclick="{{ payload.x }}">' }, 'actions[0].html', '1:'],
    [{ subject: 's', text: 't', fromName: 'boss@bank.example' }, 'actions[0].fromName', 'no @'],
    [{ subject: 's', text: 't', fromName: 'Bank\u202e' }, 'actions[0].fromName', 'invisible'],
    [{ subject: 's', text: 't', to: 'evil@example.com' }, 'actions[0].to', 'unknown field "to"'],
  ])('says what is wrong with %j', (config, path, message) => {
    expect(compileAction(emailAction, config).issues).toMatchObject([
      { path, message: expect.stringContaining(message) },
    ]);
  });

  test('tells which fields and which stored template it needs', () => {
    const action = externalAction(emailAction, {
      subject: '{{ event.actor }}',
      template: 'order_notification',
      variables,
    });
    expect(placesOf(action.references)).toEqual(['template order_notification at actions[0].template']);
    expect(action.reads.map(({ segments }) => segments.join('.')).sort()).toEqual([
      'event.actor',
      'payload.amount',
      'payload.customer.name',
      'payload.order_id',
    ]);
  });
});
