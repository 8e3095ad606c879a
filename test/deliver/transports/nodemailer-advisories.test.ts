import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OutgoingMail } from '../../../src/deliver/action.ts';
import { createSmtpTransport, type SmtpTransportOptions } from '../../../src/deliver/transports/smtp.ts';
import { SmtpDialogue } from '../../support/smtp-dialogue.ts';
import { SmtpReceiver } from '../../support/smtp-receiver.ts';
import { mailHeaders } from './mail-headers.ts';

/**
 * Each advisory of nodemailer that could matter here, driven through our own way out against a real mail server. The floor of
 * the version stops most of them too: these tests hold whichever of the two walls is gone.
 */
let receiver: SmtpReceiver;
let dialogue: SmtpDialogue;
let web: Server;
const requests: string[] = [];
let secretFile: string;

beforeEach(async () => {
  receiver = await SmtpReceiver.start();
  dialogue = await SmtpDialogue.before(receiver.port);
  requests.length = 0;
  web = createServer((request, response) => {
    requests.push(request.url ?? '');
    response.end('content of a page');
  });
  web.listen(0, '127.0.0.1');
  await once(web, 'listening');
  const folder = await mkdtemp(join(tmpdir(), 'tocsin-mail-'));
  secretFile = join(folder, 'secret');
  await writeFile(secretFile, 'content of a file');
});
afterEach(async () => {
  await dialogue.close();
  await receiver.close();
  web.close();
  await rm(join(secretFile, '..'), { recursive: true });
});

const webUrl = () => `http://127.0.0.1:${(web.address() as AddressInfo).port}/`;

/** Sends one mail with whatever is smuggled into it and into the options, past the types. */
async function send(smuggled: Record<string, unknown>, options: Record<string, unknown> = {}) {
  const transport = createSmtpTransport({
    ...options,
    url: dialogue.url,
    from: 'Shop <no-reply@shop.example>',
  } as SmtpTransportOptions);
  const mail = {
    deliveryId: randomUUID(),
    to: { name: 'Ada', address: 'ada@example.com' },
    fromName: null,
    replyTo: null,
    subject: 'Order 7',
    text: 'Hello Ada',
    html: null,
    ...smuggled,
  } as OutgoingMail;
  const outcome = await transport.sendMail(mail, AbortSignal.timeout(20_000));
  transport.close();
  return outcome;
}

/** What went over the wire is one plain mail to Ada, or nothing at all. */
function expectHeld(): void {
  for (const command of dialogue.commands) {
    expect(command).toMatch(
      /^(EHLO [\w.[\]:-]+|MAIL FROM:<no-reply@shop\.example>|RCPT TO:<ada@example\.com>|DATA|QUIT|RSET)$/,
    );
  }
  for (const { to, mail, raw } of receiver.mails) {
    expect(to).toEqual(['ada@example.com']);
    expect(mail.headers.map(({ key }) => key).filter((key) => !mailHeaders.includes(key))).toEqual([]);
    expect(mail.attachments).toEqual([]);
    expect(raw).not.toContain('content of a');
  }
  expect(requests).toEqual([]);
}

const command = '1\r\nRCPT TO:<evil@example.com>\r\n';
const header = 'x\r\nBcc: evil@example.com\r\nX-Evil: yes\r\n\r\nbody of another';

describe('nodemailer advisories, through our way out', () => {
  test('GHSA-c7w3-x93f-qmm8: SMTP commands in envelope.size', async () => {
    await send({ envelope: { from: 'x@x.example', to: ['evil@example.com'], size: command }, size: command });
    expectHeld();
    expect(receiver.mails).toHaveLength(1);
  });

  test('GHSA-vvjj-xcjg-gr5g: SMTP commands in the EHLO name', async () => {
    await send({ name: command }, { name: command });
    expectHeld();
    expect(receiver.mails).toHaveLength(1);
  });

  test('GHSA-268h-hp4c-crq3: header lines in List-*', async () => {
    const list = { unsubscribe: { url: header, comment: header }, help: header };
    await send({ list, unsubscribeUrl: `https://shop.example/${header}` });
    await send({ list, unsubscribeUrl: header });
    await send({ unsubscribeUrl: 'https://shop.example/a>, <https://evil.example/' });
    expectHeld();
    const links = receiver.mails.map(({ mail }) => mail.headers.find(({ key }) => key === 'list-unsubscribe')?.value);
    expect(links).toEqual([
      expect.stringMatching(/^<https:\/\/shop\.example\/[^<>\s]*>$/),
      undefined,
      '<https://shop.example/a%3E,%20%3Chttps://evil.example/>',
    ]);
  });

  test.each([
    ['text', 'path'],
    ['html', 'path'],
    ['text', 'href'],
    ['html', 'href'],
  ])('GHSA-wqvq-jvpq-h66f: %s read from a %s although that is off', async (part, way) => {
    const content = { [way]: way === 'path' ? secretFile : webUrl() };
    const outcome = await send(
      { [part]: content, attachments: [content], attachDataUrls: true },
      { jsonTransport: true },
    );
    expect(outcome.status).not.toBe('delivered');
    expectHeld();
  });

  test('GHSA-p6gq-j5cr-w38f: a raw message read from a file or page', async () => {
    await send({ raw: { path: secretFile } });
    await send({ raw: { href: webUrl() } });
    await send({ raw: `Bcc: evil@example.com\r\n\r\n${header}` });
    await send({
      alternatives: [{ raw: { path: secretFile } }],
      icalEvent: { path: secretFile },
      amp: { path: secretFile },
    });
    expectHeld();
    expect(receiver.mails).toHaveLength(4);
  });

  test('fixed in 9.0.5 (b7d772e): tags and header names in DKIM options and headers', async () => {
    const key = { domainName: 'x; h=from', keySelector: 'y\r\nX-Evil: 1', privateKey: 'z' };
    await send({
      dkim: key,
      headers: { 'X-Evil': 'yes', 'A\r\nBcc': 'evil@example.com' },
      _dkim: { skipFields: 'from' },
    });
    expectHeld();
    expect(receiver.mails).toHaveLength(1);
    await expect(send({}, { dkim: key })).rejects.toThrow(/smtp\.dkim\.domainName/);
  });

  test('GHSA-r7g4-qg5f-qqm2: tokens fetched over OAuth2, and every other plug-in, cannot be switched on', async () => {
    const auth = {
      type: 'OAuth2',
      user: 'x',
      accessUrl: webUrl(),
      clientId: 'x',
      clientSecret: 'y',
      refreshToken: 'z',
    };
    await send({ auth, proxy: webUrl() }, { auth, proxy: webUrl(), service: 'gmail', sendmail: true, socket: {} });
    expectHeld();
    expect(receiver.mails).toHaveLength(1);
  });

  test('fixed in 9.0.2 (6347b47): requests to a proxy', async () => {
    await send({}, { proxy: `${webUrl()}\r\nX-Evil: 1` });
    expectHeld();
    expect(receiver.mails).toHaveLength(1);
  });

  test('CVE-2021-23400: header lines in an address object', async () => {
    const address = 'ada@example.com\r\nBcc: evil@example.com';
    expect(await send({ to: { name: 'Ada', address } })).toMatchObject({ reason: 'invalid_address' });
    expect(await send({ replyTo: address })).toMatchObject({ reason: 'invalid_address' });
    await send({ sender: { name: header, address } });
    expectHeld();
    expect(receiver.mails.map(({ mail }) => mail.from?.address)).toEqual(['no-reply@shop.example']);
  });

  test('GHSA-mm7p-fcc7-pg87: a mail to another domain than the address seems to have', async () => {
    for (const address of [
      '"ada@example.com evil@evil.example"@example.com',
      'ada@example.com <evil@evil.example>',
      'ada(@evil.example)@example.com',
      'ada@evil.example\u0000@example.com',
      'ada@[evil.example]',
    ]) {
      expect(await send({ to: { name: null, address } })).toMatchObject({ reason: 'invalid_address' });
    }
    expect(dialogue.commands).toEqual([]);
  });

  // A megabyte each: what takes more than linear time does not end within the test.
  const megabyte = 1_000_000;
  const bombs = {
    'GHSA-46j5-6fg5-4gv3 (nested groups)': `${'g:'.repeat(megabyte / 2)}ada@example.com`,
    'GHSA-cc9r-2j5m-2m83 (long lists)': 'ada@example.com,'.repeat(megabyte / 16),
    'GHSA-prgh-xp8r-p3m5 (nested arrays)': '['.repeat(megabyte),
    'GHSA-v53p-9fqp-m79j (open angles)': '<'.repeat(megabyte),
    'GHSA-g57g-f23g-4646 (comments)': '('.repeat(megabyte),
    'GHSA-4g23-2xm8-66gc (quotes)': '"\\'.repeat(megabyte / 2),
    'GHSA-85x2-q946-cp5h (addresses in display text)': 'a@b '.repeat(megabyte / 4),
  };
  test.each(Object.entries(bombs))('%s: work that grows faster than an address', async (_id, bomb) => {
    for (const address of [bomb, `${bomb}@example.com`, `ada@${bomb}`]) {
      expect(await send({ to: { name: null, address } })).toMatchObject({ reason: 'invalid_address' });
      expect(await send({ replyTo: address })).toMatchObject({ reason: 'invalid_address' });
    }
    expect(dialogue.commands).toEqual([]);
    // Where any text may stand.
    await send({ to: { name: bomb, address: 'ada@example.com' }, fromName: bomb, subject: bomb });
    await send({ sender: { name: bomb, address: bomb } });
    expectHeld();
    expect(receiver.mails).toHaveLength(2);
  });
});
