import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { OutgoingMail } from '../../../src/deliver/action.ts';
import { createSmtpTransport, type SmtpTransport } from '../../../src/deliver/transports/smtp.ts';
import { SmtpDialogue } from '../../support/smtp-dialogue.ts';
import { SmtpReceiver } from '../../support/smtp-receiver.ts';
import { mailHeaders } from './mail-headers.ts';

let receiver: SmtpReceiver;
let dialogue: SmtpDialogue;
let transport: SmtpTransport;
beforeAll(async () => {
  receiver = await SmtpReceiver.start();
  dialogue = await SmtpDialogue.before(receiver.port);
  transport = createSmtpTransport({ url: dialogue.url, from: 'Shop <no-reply@shop.example>', connections: 1 });
});
afterAll(async () => {
  transport.close();
  await dialogue.close();
  await receiver.close();
});

/** Pieces by which one value becomes two, or text becomes a header, a part or a command. */
const hostile = fc.constantFrom(
  '\r\n',
  '\n',
  '\r',
  '\r\n\r\n',
  '\u0085',
  '\u2028',
  '\0',
  '\t',
  ' ',
  ',',
  ';',
  ':',
  '<',
  '>',
  '(',
  ')',
  '"',
  '\\',
  '@',
  '\r\nBcc: evil@evil.example',
  '\nX-Evil: yes',
  '\r\n.\r\nRCPT TO:<evil@evil.example>',
  'evil@evil.example',
  'Team: evil@evil.example;',
  '=?utf-8?q?=0D=0ABcc:_evil=40evil.example?=',
  '=?utf-8?b?DQpCY2M6IGV2aWxAZXZpbC5leGFtcGxl?=',
  '--boundary\r\nContent-Type: text/html\r\n\r\n<h1>evil</h1>',
  '\u202e',
  '\u200b',
  '\ud800',
  '＠',
  '，',
  'https://',
  '%0d%0aBcc:',
  'ü',
  '🎉',
);
const anyText = fc
  .array(fc.oneof({ weight: 3, arbitrary: hostile }, fc.string({ unit: 'binary', maxLength: 20 })), { maxLength: 8 })
  .map((parts) => parts.join(''));
const anyAddress = fc.oneof(
  fc
    .tuple(anyText, fc.constantFrom('ada@example.com', 'jürgen@bücher.example'))
    .map(([text, address]) => `${text}${address}`),
  fc.tuple(anyText, fc.constantFrom('ada@example.com')).map(([text, address]) => `${address}${text}`),
  fc.emailAddress(),
  anyText,
);

const anyMail: fc.Arbitrary<Required<OutgoingMail>> = fc.record({
  deliveryId: fc.uuid(),
  to: fc.record({ name: fc.option(anyText), address: fc.oneof(fc.constant('ada@example.com'), anyAddress) }),
  fromName: fc.option(anyText),
  replyTo: fc.option(fc.oneof(fc.constant('help@shop.example'), anyAddress)),
  subject: anyText,
  text: anyText.map((text) => `Hello ${text}`),
  html: fc.option(anyText.map((text) => `<p>Hello</p>${text}`)),
  sender: fc.record({
    name: fc.option(anyText),
    address: fc.option(fc.oneof(fc.constant('orders@acme.example'), anyAddress)),
  }),
  unsubscribeUrl: fc.option(
    fc.oneof(
      fc.constant('https://shop.example/stop/token'),
      anyText.map((text) => `https://shop.example/${text}`),
      anyText,
    ),
  ),
});

/** The content types of a message and of its parts, by the boundary that its header names. */
function partTypes(raw: string): (string | undefined)[] {
  const typeOf = (part: string) => /^content-type: ([^;\r]+)/im.exec(part.slice(0, part.indexOf('\r\n\r\n')))?.[1];
  const boundary = /^content-type: multipart[\s\S]*?boundary="([^"]+)"/im.exec(
    raw.slice(0, raw.indexOf('\r\n\r\n')),
  )?.[1];
  const parts = boundary === undefined ? [] : raw.split(`\r\n--${boundary}`).slice(1, -1);
  return [raw, ...parts].map(typeOf);
}

describe('a mail made of any values', () => {
  test('has no header, no recipient, no part and no command but its own', { timeout: 120_000 }, async () => {
    let delivered = 0;
    await fc.assert(
      fc.asyncProperty(anyMail, async (mail) => {
        dialogue.clear();
        const before = receiver.mails.length;
        const outcome = await transport.sendMail(mail, AbortSignal.timeout(20_000));
        const received = receiver.mails.slice(before);
        if (outcome.status !== 'delivered') {
          expect(outcome).toEqual({ status: 'failed', reason: 'invalid_address' });
          expect([received, dialogue.commands]).toEqual([[], []]);
          return;
        }
        delivered += 1;
        const said = dialogue.commands.filter((command) => !/^(EHLO|RSET|NOOP)/.test(command));
        expect(said).toEqual([
          expect.stringMatching(/^MAIL FROM:<no-reply@shop\.example>( SMTPUTF8)?$/),
          expect.stringMatching(/^RCPT TO:<[^<>\s,;:]+@[^<>\s,;:@]+>$/),
          'DATA',
        ]);
        expect(received).toHaveLength(1);
        const [{ raw, mail: parsed, to } = { raw: '', mail: undefined, to: [] }] = received;
        expect(to).toHaveLength(1);
        const keys = parsed?.headers.map(({ key }) => key) ?? [];
        expect(keys.filter((key) => !mailHeaders.includes(key))).toEqual([]);
        expect(new Set(keys).size).toBe(keys.length);
        expect(parsed?.to).toHaveLength(1);
        expect(parsed?.replyTo?.length ?? 0).toBe(mail.replyTo === null ? 0 : 1);
        expect(parsed?.from?.name ?? '').not.toMatch(/[@＠\p{Cc}\p{Cf}<>]/u);
        expect(parsed?.subject ?? '').not.toMatch(/\p{Cc}/u);
        expect(parsed?.attachments).toEqual([]);
        expect(partTypes(raw)).toEqual(
          mail.html ? ['multipart/alternative', 'text/plain', 'text/html'] : ['text/plain'],
        );
        const head = raw.slice(0, raw.indexOf('\r\n\r\n'));
        expect(head.replace(/\r\n/g, '')).not.toMatch(/[\r\n\0]/);
      }),
      { numRuns: 400 },
    );
    // It was not all refused.
    expect(delivered).toBeGreaterThan(50);
  });
});
