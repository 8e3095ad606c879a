import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openSealedSecret, readSecretKeys, sealSecret } from '../../src/service/seal-secret.ts';

const key = randomBytes(32);
const other = randomBytes(32);
const place = { tenantId: 'acme', name: 'api_key', hosts: null };
const keys = readSecretKeys({ current: key.toString('base64'), previous: [] });

describe('sealSecret', () => {
  test('opens again what it sealed, any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 500 }), (text) => {
        return openSealedSecret(keys, place, sealSecret(keys, place, text)) === text;
      }),
    );
  });

  test('gives another ciphertext each time, of no more than the text and its tag', () => {
    const [a, b] = [sealSecret(keys, place, 'token-1'), sealSecret(keys, place, 'token-1')];
    expect(a.ciphertext.equals(b.ciphertext)).toBe(false);
    expect(a.nonce.equals(b.nonce)).toBe(false);
    expect(a.ciphertext).toHaveLength('token-1'.length + 16);
  });
});

describe('openSealedSecret', () => {
  const sealed = sealSecret(keys, place, 'token-1');

  test.each([
    ['another tenant', { ...place, tenantId: 'other' }],
    ['another name', { ...place, name: 'api_key2' }],
    ['hosts it was not bound to', { ...place, hosts: ['evil.example'] }],
    ['a tenant and name that only together read the same', { ...place, tenantId: 'acme\0api', name: '_key' }],
  ])('does not open for %s', (_name, elsewhere) => {
    expect(openSealedSecret(keys, elsewhere, sealed)).toBeNull();
  });

  test('opens only for the hosts it was bound to when it was sealed', () => {
    const bound = { ...place, hosts: ['a.example', 'b.example'] };
    const secret = sealSecret(keys, bound, 'token-1');
    expect(openSealedSecret(keys, bound, secret)).toBe('token-1');
    for (const hosts of [null, [], ['a.example'], ['a.example', 'c.example'], ['b.example', 'a.example']]) {
      expect(openSealedSecret(keys, { ...place, hosts }, secret), JSON.stringify(hosts)).toBeNull();
    }
  });

  test('does not open when a single bit is changed', () => {
    for (const part of ['nonce', 'ciphertext'] as const) {
      for (let i = 0; i < sealed[part].length; i++) {
        const bytes = Buffer.from(sealed[part]);
        bytes.writeUInt8((bytes[i] as number) ^ 1, i);
        expect(openSealedSecret(keys, place, { ...sealed, [part]: bytes })).toBeNull();
      }
    }
  });

  test('does not open what is cut or empty', () => {
    expect(openSealedSecret(keys, place, { ...sealed, ciphertext: sealed.ciphertext.subarray(1) })).toBeNull();
    expect(openSealedSecret(keys, place, { ...sealed, ciphertext: Buffer.alloc(0) })).toBeNull();
    expect(openSealedSecret(keys, place, { ...sealed, nonce: Buffer.alloc(0) })).toBeNull();
  });

  test('does not open with another key, also not under the right id', () => {
    const otherKeys = readSecretKeys({ current: other.toString('hex'), previous: [] });
    const [otherId] = [...otherKeys.keys()];
    expect(openSealedSecret(otherKeys, place, sealed)).toBeNull();
    expect(openSealedSecret(otherKeys, place, { ...sealed, keyId: otherId as string })).toBeNull();
  });

  test('opens with an earlier key after a change, while new ones are sealed with the current', () => {
    const rotated = readSecretKeys({ current: other.toString('hex'), previous: [key.toString('base64')] });
    expect(openSealedSecret(rotated, place, sealed)).toBe('token-1');
    const renewed = sealSecret(rotated, place, 'token-2');
    expect(renewed.keyId).not.toBe(sealed.keyId);
    expect(openSealedSecret(keys, place, renewed)).toBeNull();
  });
});

describe('readSecretKeys', () => {
  test('takes Base64, Base64 for URLs and hexadecimal as the same key', () => {
    const ids = [
      key.toString('base64'),
      key.toString('base64url'),
      key.toString('hex'),
      ` ${key.toString('hex').toUpperCase()}\n`,
    ].map((current) => [...readSecretKeys({ current, previous: [] }).keys()][0]);
    expect(new Set(ids).size).toBe(1);
    expect(ids[0]).toMatch(/^[0-9a-f]{8}$/);
  });

  test.each([
    '',
    'short',
    'x'.repeat(32),
    randomBytes(31).toString('base64'),
    randomBytes(33).toString('hex'),
    '*'.repeat(44),
  ])('names the option and not the key for %j', (current) => {
    expect(() => readSecretKeys({ current, previous: [] })).toThrow(/secretsKey: is not a key of 32 bytes/);
    const previous = [key.toString('hex'), current];
    expect(() => readSecretKeys({ current: key.toString('hex'), previous })).toThrow(
      /previousSecretsKeys\[1\]: is not/,
    );
  });
});
