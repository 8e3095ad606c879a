import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { redact } from '../../src/log/redact.ts';

const secret = 'kéy/+&"<42> sEcret';

describe('redact', () => {
  const encoded: readonly (readonly [string, string])[] = [
    ['plain', secret],
    ['upper case', secret.toUpperCase()],
    ['Base64', Buffer.from(secret).toString('base64')],
    ['Base64 for URLs', Buffer.from(secret).toString('base64url')],
    ['Basic authentication', `Basic ${Buffer.from(`user:${secret}`).toString('base64')}`],
    ['inside longer Base64', Buffer.from(`{"token":"${secret}","x":1}`).toString('base64')],
    ['percent encoding', encodeURIComponent(secret)],
    ['form encoding', new URLSearchParams({ secret }).toString()],
    ['hexadecimal', Buffer.from(secret).toString('hex')],
    ['upper case hexadecimal', Buffer.from(secret).toString('hex').toUpperCase()],
    ['JSON text', JSON.stringify({ error: `bad token ${secret}` })],
    ['JSON text inside JSON text', JSON.stringify({ echo: JSON.stringify({ key: secret }) })],
    ['HTML', '<p>kéy/+&amp;&quot;&lt;42&gt; sEcret</p>'],
  ];
  test.each(encoded)('masks a secret in %s', (_name, text) => {
    const shown = JSON.stringify(redact({ body: `before ${text} after`, list: [text], [text]: 1 }, [secret]));
    expect(shown).toContain('[redacted]');
    expect(shown.toLowerCase()).not.toContain('secret');
    expect(shown).not.toContain(text);
  });

  test('masks each of several secrets, the longer before the one it begins with', () => {
    expect(redact('abcd-efgh and abcd', ['abcd', 'abcd-efgh'])).toBe('[redacted] and [redacted]');
  });

  test('masks the parts of a value that holds several keys, and a value with a line break as a header writes it', () => {
    expect(redact('got whsec_two', ['whsec_one whsec_two'])).toBe('got [redacted]');
    expect(redact('Bearer token-1', ['token-1\n'])).toBe('Bearer [redacted]');
  });

  test('masks a tail that is the beginning of a secret', () => {
    expect(redact('{"auth":"super-sec', ['super-secret-value'])).toBe('{"auth":"[redacted]');
    expect(redact('x super-sec', [`super-secret-${'value'.repeat(1_000)}`])).toBe('x [redacted]');
  });

  test('hides secrets as tenants may write them, many and of many words, at a cost that grows with the text only', () => {
    const words = (of: number) => Array.from({ length: 1_600 }, (_, word) => `${(of * 1_600 + word).toString(36)}xxx`);
    const many = Array.from({ length: 60 }, (_, of) => words(of).join(' '));
    const start = process.cpuUsage();
    expect(redact({ status: 500, error: 'no access', body: `got ${many[7]?.slice(0, 90)}` }, many)).toEqual({
      status: 500,
      error: 'no access',
      body: 'got [redacted]',
    });
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(1_000);
  });

  test('leaves a detail without secrets as it is, and other values alone', () => {
    const detail = { status: 503, ok: false, nested: { list: [1, 'two', null] } };
    expect(redact(detail, ['another'])).toEqual(detail);
    expect(redact(detail, ['ok', ''])).toEqual(detail);
  });

  test('does not change what it is given', () => {
    const detail = Object.freeze({ body: 'token-1' });
    expect(redact(detail, ['token-1'])).toEqual({ body: '[redacted]' });
    expect(detail.body).toBe('token-1');
  });

  test('cuts long strings, long details and deep ones', () => {
    expect(redact('x'.repeat(5_000), [])).toBe(`${'x'.repeat(2_048)}[cut]`);
    const many = JSON.stringify(
      redact(
        Array.from({ length: 500 }, () => 'y'.repeat(100)),
        [],
      ),
    );
    expect(many.length).toBeLessThan(20_000);
    expect(many).toContain('[cut]');
    let deep: unknown = 'end';
    for (let i = 0; i < 10_000; i++) deep = { deep };
    expect(JSON.stringify(redact(deep, []))).toContain('[cut]');
  });

  test('answers what JSON can say', () => {
    const detail = redact({ big: 9007199254740993n, missing: undefined, list: [undefined], call: () => 1 }, []);
    expect(JSON.stringify(detail)).toBe('{"big":"9007199254740993","list":[null]}');
  });

  test('answers only text that PostgreSQL can hold', () => {
    expect(redact({ 'a\0': 'b\0c\ud800' }, [])).toEqual({ 'a ': 'b c\ufffd' });
  });

  test('writes dates and errors as text, and keeps a hostile key an ordinary one', () => {
    const detail = JSON.parse('{"__proto__":{"polluted":true}}') as Record<string, unknown>;
    const copied = redact({ error: new Error('no token-1'), ...detail, [Symbol.iterator]: 1 }, ['token-1']);
    expect(copied).toMatchObject({ error: 'Error: no [redacted]' });
    const direct = redact(detail, []) as Record<string, unknown>;
    expect(Object.keys(direct)).toEqual(['__proto__']);
    expect(direct.polluted).toBeUndefined();
  });

  test('never shows a secret, wherever it stands and however it is encoded', () => {
    const encoders: readonly ((text: string) => string)[] = [
      (text) => text,
      encodeURIComponent,
      (text) => Buffer.from(text).toString('hex'),
      (text) => Buffer.from(text).toString('base64'),
      (text) => Buffer.from(text).toString('base64url'),
    ];
    const secrets = fc.string({ minLength: 8, maxLength: 60, unit: 'grapheme' }).filter((text) => /\w{4}/.test(text));
    fc.assert(
      fc.property(secrets, fc.string(), fc.string(), fc.constantFrom(...encoders), (hidden, before, after, encode) => {
        const shown = redact(`${before}${encode(hidden)}${after}`, [hidden]) as string;
        return !shown.includes(hidden) && !shown.includes(encode(hidden));
      }),
      { numRuns: 500 },
    );
  });
});
