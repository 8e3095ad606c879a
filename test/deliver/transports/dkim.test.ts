import { generateKeyPairSync } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OutgoingMail } from '../../../src/deliver/action.ts';
import { type DkimOptions, readDkim } from '../../../src/deliver/transports/dkim.ts';
import { createSmtpTransport } from '../../../src/deliver/transports/smtp.ts';
import { SmtpReceiver } from '../../support/smtp-receiver.ts';
import { verifyDkim } from '../../support/verify-dkim.ts';

function newPair(bits = 2048) {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: bits });
  return { privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(), publicKey };
}

const shop = newPair();
const acme = newPair();
const options: DkimOptions = {
  domainName: 'shop.example',
  keySelector: 's1',
  privateKey: shop.privateKey,
  domains: [{ domainName: 'acme.example', keySelector: 'tocsin', privateKey: acme.privateKey }],
};

let receiver: SmtpReceiver;
beforeEach(async () => {
  receiver = await SmtpReceiver.start();
});
afterEach(() => receiver.close());

/** Sends one mail; answers it as it came in. */
async function send(more: Partial<OutgoingMail> = {}): Promise<string> {
  const transport = createSmtpTransport({ url: receiver.url, from: 'Shop <no-reply@shop.example>', dkim: options });
  const outcome = await transport.sendMail(
    {
      deliveryId: '01931b2a-7c00-8000-8000-000000000001',
      to: { name: 'Ada', address: 'ada@example.com' },
      fromName: null,
      replyTo: 'help@shop.example',
      subject: 'Bestellung für Sie  ok ',
      text: 'Hello Ada  \r\n\r\n\ttab\r\n\r\n\r\n',
      html: '<p>Hello Ädä</p>',
      unsubscribeUrl: `https://shop.example/stop/${'a'.repeat(200)}`,
      ...more,
    },
    AbortSignal.timeout(10_000),
  );
  transport.close();
  expect(outcome).toMatchObject({ status: 'delivered' });
  return receiver.mails.at(-1)?.raw ?? '';
}

describe('the DKIM signature of a mail', () => {
  test('verifies, and covers who, what and both headers for opting out', async () => {
    const raw = await send();
    const tags = verifyDkim(raw, shop.publicKey);
    expect(tags).toMatchObject({ d: 'shop.example', s: 's1' });
    const covered = tags?.h?.replace(/\s/g, '').split(':') ?? [];
    expect(covered).toEqual(
      expect.arrayContaining([
        'from',
        'to',
        'reply-to',
        'subject',
        'message-id',
        'list-unsubscribe',
        'list-unsubscribe-post',
      ]),
    );
    expect(verifyDkim(raw, acme.publicKey)).toBeNull();
  });

  test.each([
    ['subject', /^Subject: /m, 'Subject: X'],
    ['sender', /^From: Shop/m, 'From: Evil'],
    ['unsubscribe link', /stop\/a/, 'stop/b'],
    ['unsubscribe way', /One-Click/, 'Two-Click'],
    ['body', /Hello Ada/, 'Hello Eve'],
  ])('does not verify when the %s was changed', async (_what, pattern, replacement) => {
    const raw = await send();
    expect(raw).toMatch(pattern);
    expect(verifyDkim(raw.replace(pattern, replacement), shop.publicKey)).toBeNull();
  });

  test("is of the domain that the mail is from: a tenant's own, if there is a key for it", async () => {
    const own = { name: 'Acme', address: 'orders@mail.acme.example' };
    expect(verifyDkim(await send({ sender: own }), acme.publicKey)).toMatchObject({ d: 'acme.example', s: 'tocsin' });
    const other = { name: 'Other', address: 'orders@other.example' };
    expect(verifyDkim(await send({ sender: other }), shop.publicKey)).toMatchObject({ d: 'shop.example' });
  });
});

describe('readDkim', () => {
  test.each([
    ['shop.example', 's1'],
    ['mail.shop.example', 's1'],
    ['acme.example', 'tocsin'],
    ['ACME.example', 'tocsin'],
    ['a.b.acme.example', 'tocsin'],
    ['notacme.example', 's1'],
    ['example', 's1'],
  ])('picks for %s the key %s', (domain, keySelector) => {
    expect(readDkim(options)(`x@${domain}`)).toMatchObject({ keySelector });
  });

  test.each([
    [{ domainName: 'shop example' }, /smtp\.dkim\.domainName "shop example" is not a domain/],
    [{ domainName: 'x@shop.example' }, /smtp\.dkim\.domainName/],
    [{ domainName: 'shop.example; d=evil.example' }, /smtp\.dkim\.domainName/],
    [{ keySelector: 's1; h=x' }, /smtp\.dkim\.keySelector/],
    [{ keySelector: 's\r\nX-Evil: 1' }, /smtp\.dkim\.keySelector/],
    [{ privateKey: 'nonsense' }, /smtp\.dkim\.privateKey is not a private key as PEM/],
    [{ privateKey: newPair(512).privateKey }, /smtp\.dkim\.privateKey is not an RSA key of 1024 bits or more/],
    [
      { privateKey: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() },
      /not an RSA key/,
    ],
    [{ domains: [{ ...options, privateKey: 'x' }] }, /smtp\.dkim\.domains\[0\]\.privateKey/],
    [{ domains: [options, options] }, /smtp\.dkim\.domains\[1\]\.domainName "shop.example" stands there twice/],
  ])('throws for %j, and never shows a key', (change, message) => {
    const read = () => readDkim({ ...options, ...change });
    expect(read).toThrow(message);
    expect(read).not.toThrow(/BEGIN|MII/);
  });
});
