import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Mail } from '../../../src/deliver/action.ts';
import {
  createSmtpTransport,
  type SmtpTransport,
  type SmtpTransportOptions,
} from '../../../src/deliver/transports/smtp.ts';
import { SmtpReceiver } from '../../support/smtp-receiver.ts';

const never = new AbortController().signal;
const deliveryId = '01931b2a-7c00-8000-8000-000000000001';

let receiver: SmtpReceiver;
const open: SmtpTransport[] = [];

function transport(options: Partial<SmtpTransportOptions> = {}): SmtpTransport {
  const made = createSmtpTransport({ url: receiver.url, from: 'Acme <no-reply@acme.example>', ...options });
  open.push(made);
  return made;
}

function mail(more: Partial<Mail> = {}): Mail {
  return {
    deliveryId,
    to: { name: 'Ada Lovelace', address: 'ada@example.com' },
    fromName: null,
    replyTo: null,
    subject: 'Order 7',
    text: 'Hello Ada',
    html: null,
    ...more,
  };
}

beforeEach(async () => {
  receiver = await SmtpReceiver.start();
});

afterEach(async () => {
  for (const made of open.splice(0)) made.close();
  await receiver.close();
});

describe('createSmtpTransport', () => {
  test('sends one mail to one recipient, with text and HTML', async () => {
    const outcome = await transport().sendMail(
      mail({ html: '<p>Hello <b>Ädä</b></p>', replyTo: 'help@acme.example' }),
      never,
    );
    expect(outcome).toMatchObject({ status: 'delivered', detail: { messageId: `<${deliveryId}@acme.example>` } });
    const [received] = await receiver.received(1);
    expect(received).toMatchObject({ from: 'no-reply@acme.example', to: ['ada@example.com'] });
    expect(received?.mail).toMatchObject({
      subject: 'Order 7',
      from: { name: 'Acme', address: 'no-reply@acme.example' },
      to: [{ name: 'Ada Lovelace', address: 'ada@example.com' }],
      replyTo: [{ name: '', address: 'help@acme.example' }],
      messageId: `<${deliveryId}@acme.example>`,
      text: expect.stringContaining('Hello Ada'),
      html: expect.stringContaining('<p>Hello <b>Ädä</b></p>'),
    });
  });

  test('sets no other headers than it must', async () => {
    await transport().sendMail(mail({ html: '<p>x</p>' }), never);
    const [received] = await receiver.received(1);
    const names = received?.mail.headers.map(({ key }) => key).sort();
    expect(names).toEqual([
      'auto-submitted',
      'content-type',
      'date',
      'from',
      'message-id',
      'mime-version',
      'subject',
      'to',
    ]);
  });

  test('uses the same Message-ID for every attempt, under the given domain', async () => {
    const { sendMail } = transport({ messageIdDomain: 'mail.acme.example' });
    receiver.failNext({ at: 'data', reply: 451 });
    expect(await sendMail(mail(), never)).toMatchObject({ status: 'retry' });
    expect(await sendMail(mail(), never)).toMatchObject({ status: 'delivered' });
    await sendMail(mail(), never);
    const mails = await receiver.received(2);
    expect(new Set(mails.map((received) => received.mail.messageId))).toEqual(
      new Set([`<${deliveryId}@mail.acme.example>`]),
    );
  });

  test('uses a connection again', async () => {
    const { sendMail } = transport({ connections: 2 });
    await Promise.all(Array.from({ length: 20 }, () => sendMail(mail(), never)));
    expect(receiver.mails).toHaveLength(20);
    expect(receiver.connections).toBeLessThanOrEqual(2);
  });

  test('shows a chosen sender name only with the name of the operator', async () => {
    await transport().sendMail(mail({ fromName: 'Sales\u202e <boss@bank.example>' }), never);
    const [received] = await receiver.received(1);
    expect(received?.mail.from).toEqual({ name: 'Sales boss bank.example via Acme', address: 'no-reply@acme.example' });
  });

  test('takes a sender without a name, also of this machine', async () => {
    await transport({ from: 'tocsin@localhost' }).sendMail(mail({ fromName: 'Sales' }), never);
    const [received] = await receiver.received(1);
    expect(received?.mail.from).toEqual({ name: 'Sales', address: 'tocsin@localhost' });
  });

  test('logs in, and tells in verify when that fails', async () => {
    const closed = await SmtpReceiver.start({ login: { user: 'app', pass: 'p@ss/word' } });
    const right = transport({ url: `smtp://app:${encodeURIComponent('p@ss/word')}@127.0.0.1:${closed.port}` });
    const wrong = transport({ url: `smtp://app:no@127.0.0.1:${closed.port}` });
    const sent = await right.sendMail(mail(), never);
    const refused = await wrong.sendMail(mail(), never);
    const answers = [await right.verify(), await wrong.verify()];
    await closed.close();
    expect(sent).toMatchObject({ status: 'delivered' });
    expect(refused).toMatchObject({ status: 'retry', reason: 'connection_failed', detail: { reply: 535 } });
    expect(JSON.stringify(refused)).not.toContain('p@ss');
    expect(answers).toEqual([null, expect.stringContaining('535')]);
  });

  test('tells in verify when nobody is there', async () => {
    const { url } = receiver;
    await receiver.close();
    expect(await transport({ url }).verify()).toMatch(/ECONNREFUSED/);
    receiver = await SmtpReceiver.start();
  });

  test.each([
    [{ from: 'nobody' }, /smtp.from "nobody" is not a mail address/],
    [{ from: 'a@x.example, b@x.example' }, /smtp.from/],
    [{ url: 'http://mail.example.com' }, /smtp.url/],
    [{ url: 'smtp://mail.example.com?tls.rejectUnauthorized=false' }, /without parameters/],
    [{ url: 'smtp://app@mail.example.com' }, /user and pass together/],
  ])('throws for %j', (options, message) => {
    expect(() => transport(options)).toThrow(message);
  });

  test('does not send a password without TLS to another machine', async () => {
    const { sendMail } = transport({ user: 'app', pass: 'secret', requireTls: true });
    const outcome = await sendMail(mail(), never);
    expect(outcome).toMatchObject({ status: 'retry', reason: 'connection_failed' });
    expect(receiver.mails).toHaveLength(0);
  });
});

describe('what a mail server answers', () => {
  test.each(['sender', 'recipient', 'data'] as const)('4xx at %s is tried again', async (at) => {
    const { sendMail } = transport();
    receiver.failNext({ at, reply: 451, text: 'greylisted' });
    expect(await sendMail(mail(), never)).toMatchObject({
      status: 'retry',
      reason: 'smtp_deferred',
      detail: { reply: 451, response: expect.stringContaining('greylisted') },
    });
    expect(await sendMail(mail(), never)).toMatchObject({ status: 'delivered' });
  });

  test.each(['sender', 'data'] as const)('5xx at %s is final', async (at) => {
    const { sendMail } = transport();
    receiver.failNext({ at, reply: 550, text: 'no such user' });
    expect(await sendMail(mail(), never)).toMatchObject({
      status: 'failed',
      reason: 'smtp_rejected',
      detail: { reply: 550, response: expect.stringContaining('no such user') },
    });
    expect(await sendMail(mail(), never)).toMatchObject({ status: 'delivered' });
  });

  test.each([
    [550, 'no such user'],
    [550, '5.1.1 no mailbox here by that name'],
    [550, '5.1.10 recipient address has a null MX'],
    [550, '5.2.1 this account has been disabled'],
    [551, 'user not local'],
    [553, 'mailbox name not allowed'],
    [550, '<ada@example.com>: Recipient address rejected: User unknown'],
    [550, 'sorry, no mailbox here by that name (#5.1.1)'],
    [550, "The user ada@example.com doesn't exist"],
  ])('%i %s at the recipient means that the address does not exist', async (reply, text) => {
    receiver.failNext({ at: 'recipient', reply, text });
    expect(await transport().sendMail(mail(), never)).toMatchObject({
      status: 'failed',
      reason: 'hard_bounce',
      detail: { reply, response: expect.stringContaining(text) },
    });
  });

  test.each([
    [550, '5.7.1 message refused by policy'],
    [550, 'relay not permitted'],
    [550, '5.1.8 sender domain does not exist'],
    [550, 'rejected: your address is on a block list'],
    [550, 'blocked by SPF'],
    [552, '5.2.2 mailbox full'],
    [554, 'transaction failed'],
    [550, '5.2.1 The user is receiving mail at a rate that prevents additional messages from being delivered'],
    [553, "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"],
    [550, 'Administrative prohibition'],
    [550, 'User quota exceeded'],
    [550, 'SMTP AUTH is required'],
    [550, 'You are not authorized to send to this user'],
    [550, 'Too many recipients'],
    [550, 'No PTR record found for this address'],
    [550, 'Requested action not taken: mailbox unavailable'],
  ])('%i %s at the recipient is final, and says nothing about the address', async (reply, text) => {
    receiver.failNext({ at: 'recipient', reply, text });
    expect(await transport().sendMail(mail(), never)).toMatchObject({ status: 'failed', reason: 'smtp_rejected' });
  });

  test('421 at the greeting, and 4xx in general there, are tried again', async () => {
    receiver.failNext({ at: 'greeting', reply: 421 });
    expect(await transport().sendMail(mail(), never)).toMatchObject({ status: 'retry', reason: 'smtp_deferred' });
  });

  test('503 and 530 speak of the session and not of the mail: they are tried again', async () => {
    const { sendMail } = transport();
    receiver.failNext({ at: 'sender', reply: 503 }, { at: 'sender', reply: 530 });
    expect(await sendMail(mail(), never)).toMatchObject({ status: 'retry', reason: 'smtp_deferred' });
    expect(await sendMail(mail(), never)).toMatchObject({ status: 'retry', reason: 'connection_failed' });
  });
});

describe('a mail server that fails', () => {
  test('not there: tried again', async () => {
    const { url } = receiver;
    await receiver.close();
    const outcome = await transport({ url }).sendMail(mail(), never);
    expect(outcome).toMatchObject({ status: 'retry', reason: 'connection_failed', detail: { code: 'ECONNREFUSED' } });
    receiver = await SmtpReceiver.start();
  });

  test.each(['greeting', 'sender', 'recipient'] as const)(
    'drops at %s, before the message: not reached',
    async (at) => {
      receiver.failAlways({ at, kind: 'drop' });
      const outcome = await transport().sendMail(mail(), AbortSignal.timeout(10_000));
      expect(outcome).toMatchObject({ status: 'retry', reason: 'connection_failed' });
    },
  );

  test('drops after the message: nobody knows, and the next attempt has the same Message-ID', async () => {
    const { sendMail } = transport();
    receiver.failNext({ at: 'data', kind: 'drop' });
    expect(await sendMail(mail(), never)).toMatchObject({ status: 'retry', reason: 'outcome_unknown' });
    expect(await sendMail(mail(), never)).toMatchObject({ status: 'delivered' });
    expect(receiver.mails[0]?.mail.messageId).toBe(`<${deliveryId}@acme.example>`);
  });

  test.each(['greeting', 'sender', 'recipient', 'data'] as const)('hangs at %s: ends at the deadline', async (at) => {
    receiver.failAlways({ at, kind: 'hang' });
    const startedAt = performance.now();
    const outcome = await transport().sendMail(mail(), AbortSignal.timeout(200));
    expect(outcome).toMatchObject({ status: 'retry', reason: 'timeout' });
    expect(performance.now() - startedAt).toBeLessThan(1_500);
  });

  test('hangs without a deadline: ends at the timeouts of the connection', async () => {
    receiver.failNext({ at: 'greeting', kind: 'hang' }, { at: 'data', kind: 'hang' });
    const { sendMail } = transport({ greetingTimeoutMs: 150, socketTimeoutMs: 150 });
    expect(await sendMail(mail(), never)).toMatchObject({ status: 'retry', reason: 'timeout' });
    expect(await sendMail(mail(), never)).toMatchObject({ status: 'retry', reason: 'timeout' });
  });

  test('hangs: a mail that waits for its connection ends at its own deadline and is not sent later', async () => {
    receiver.failNext({ at: 'data', kind: 'hang' });
    const { sendMail } = transport({ connections: 1 });
    const [first, second] = await Promise.all([
      sendMail(mail(), AbortSignal.timeout(400)),
      sendMail(mail({ subject: 'second' }), AbortSignal.timeout(100)),
    ]);
    expect([first.status, second.status]).toEqual(['retry', 'retry']);
    expect(await sendMail(mail({ subject: 'third' }), never)).toMatchObject({ status: 'delivered' });
    expect(receiver.mails.map((received) => received.mail.subject)).toEqual(['third']);
  });

  test('ends idle connections: the next mail takes another', async () => {
    const { sendMail } = transport();
    await sendMail(mail(), never);
    receiver.dropConnections();
    expect(await sendMail(mail(), never)).toMatchObject({ status: 'delivered' });
  });

  test('does not speak SMTP: tried again, and its answer is cut', async () => {
    const server = await talkative(`554 ${'x'.repeat(50_000)}\r\n`);
    const outcome = await transport({ url: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}` }).sendMail(
      mail(),
      never,
    );
    server.close();
    expect(outcome).toMatchObject({ status: 'retry', reason: 'connection_failed', detail: { reply: 554 } });
    expect(JSON.stringify(outcome).length).toBeLessThan(2_000);
  });
});

describe('what a mail may hold', () => {
  const hostile = 'x\r\nBcc: evil@example.com\r\nX-Evil: yes\r\n\r\n<h1>evil</h1>';

  test.each([
    ['subject', { subject: hostile }],
    ['sender name', { fromName: hostile }],
    ['recipient name', { to: { name: hostile, address: 'ada@example.com' } }],
    ['quoted recipient name', { to: { name: '"Ada" <evil@example.com>, other', address: 'ada@example.com' } }],
  ] satisfies [string, Partial<Mail>][])('makes no header and no recipient of a %s', async (_name, more) => {
    await transport().sendMail(mail(more), never);
    const [received] = await receiver.received(1);
    expect(received?.to).toEqual(['ada@example.com']);
    expect(received?.mail.headers.some(({ key }) => ['bcc', 'cc', 'x-evil'].includes(key))).toBe(false);
    expect(received?.mail.to).toHaveLength(1);
    expect(received?.mail.to?.[0]?.address).toBe('ada@example.com');
    expect(received?.mail.text?.trim()).toBe('Hello Ada');
  });

  test.each([
    'ada@example.com, evil@example.com',
    'ada@example.com\r\nRCPT TO:<evil@example.com>',
    'Team: ada@example.com, evil@example.com;',
    'Ada <ada@example.com>',
    '',
  ])('refuses %j as recipient or reply address', async (address) => {
    const { sendMail } = transport();
    expect(await sendMail(mail({ to: { name: null, address } }), never)).toMatchObject({ reason: 'invalid_address' });
    expect(await sendMail(mail({ replyTo: address }), never)).toMatchObject({ reason: 'invalid_address' });
    expect(receiver.connections).toBe(0);
  });

  test('cuts a subject at 250 characters, whole ones', async () => {
    await transport().sendMail(mail({ subject: '🎉'.repeat(5_000) }), never);
    const [received] = await receiver.received(1);
    expect(received?.mail.subject).toBe('🎉'.repeat(250));
    expect(Math.max(...(received?.raw.split('\r\n') ?? []).map((line) => line.length))).toBeLessThan(999);
  });

  test('keeps lines that begin with dots, and characters of every plane', async () => {
    const text = '.\r\n..\r\n.quit\r\nMAIL FROM:<x>\r\n ü 漢 🎉';
    await transport().sendMail(mail({ text }), never);
    const [received] = await receiver.received(1);
    expect(received?.mail.text?.trim().split(/\r?\n/)).toEqual(text.split('\r\n'));
  });

  test('takes text and HTML for what they are: no file or address is read for them', async () => {
    const text = { path: '/etc/hostname' } as unknown as string;
    const html = { href: 'http://127.0.0.1:1/' } as unknown as string;
    expect((await transport().sendMail(mail({ text }), never)).status).not.toBe('delivered');
    expect((await transport().sendMail(mail({ html }), never)).status).not.toBe('delivered');
    expect(receiver.mails).toHaveLength(0);
  });

  test('reaches addresses in other scripts', async () => {
    await transport().sendMail(mail({ to: { name: null, address: 'jürgen@bücher.example' } }), never);
    const [received] = await receiver.received(1);
    expect(received?.to).toHaveLength(1);
    expect(received?.to[0]).toMatch(/^jürgen@(bücher|xn--bcher-kva)\.example$/);
  });
});

async function talkative(greeting: string): Promise<Server> {
  const server = createServer((socket: Socket) => {
    socket.on('error', () => undefined);
    socket.end(greeting);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
