import { createSecretKey, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  deriveUnsubscribeKey,
  makeUnsubscribeToken,
  readUnsubscribeToken,
} from '../../src/service/unsubscribe-token.ts';

const newKey = () => deriveUnsubscribeKey(createSecretKey(randomBytes(32)));
const key = newKey();
const of = {
  tenantId: 'acme',
  userId: 'ada@example.com',
  channel: 'email',
  workflowId: '01931b2a-7c00-7000-8000-00000000000e',
};

describe('makeUnsubscribeToken', () => {
  test('makes tokens that read back, whatever the ids are', () => {
    const id = fc.string({ unit: 'binary', minLength: 1, maxLength: 100 }).filter((text) => !text.includes('\0'));
    fc.assert(
      fc.property(id, id, id, fc.option(id), (tenantId, userId, channel, workflowId) => {
        const given = { tenantId, userId, channel, workflowId };
        expect(readUnsubscribeToken([key], makeUnsubscribeToken(key, given))).toEqual(given);
      }),
    );
  });

  test('is the same for the same, and fits into a URL as it is', () => {
    expect(makeUnsubscribeToken(key, of)).toBe(makeUnsubscribeToken(key, { ...of }));
    expect(makeUnsubscribeToken(key, of)).toMatch(/^[A-Za-z0-9_-]{100,300}$/);
  });

  test('shows nothing of tenant, user, channel and workflow', () => {
    const token = makeUnsubscribeToken(key, of);
    const shown = [token, Buffer.from(token, 'base64url').toString('latin1')].join(' ');
    for (const part of Object.values(of)) expect(shown).not.toContain(part);
    const neighbour = makeUnsubscribeToken(key, { ...of, userId: 'ada@example.con' });
    // No more than chance is the same.
    expect([...token].filter((sign, index) => index > 2 && sign === neighbour[index]).length).toBeLessThan(30);
  });
});

describe('readUnsubscribeToken', () => {
  test('refuses a token with any byte changed, cut or added', () => {
    const bytes = Buffer.from(makeUnsubscribeToken(key, of), 'base64url');
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ change;
        return readUnsubscribeToken([key], changed.toString('base64url')) === null;
      }),
    );
    for (let length = 0; length < bytes.length; length += 1) {
      expect(readUnsubscribeToken([key], bytes.subarray(0, length).toString('base64url'))).toBeNull();
    }
    expect(readUnsubscribeToken([key], Buffer.concat([bytes, Buffer.of(0)]).toString('base64url'))).toBeNull();
  });

  test('takes one spelling of a token and no other', () => {
    const token = makeUnsubscribeToken(key, of);
    expect(readUnsubscribeToken([key], token)).not.toBeNull();
    const others = [`${token}=`, `${token}!`, ` ${token}`, `${token.slice(0, 4)}\n${token.slice(4)}`];
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    for (const letter of letters) if (!token.endsWith(letter)) others.push(`${token.slice(0, -1)}${letter}`);
    for (const other of others) expect(readUnsubscribeToken([key], other), other).toBeNull();
  });

  test('refuses whatever was not made with one of the keys', () => {
    const token = makeUnsubscribeToken(newKey(), of);
    expect(readUnsubscribeToken([key, newKey()], token)).toBeNull();
    expect(readUnsubscribeToken([], token)).toBeNull();
    fc.assert(fc.property(fc.string(), (text) => readUnsubscribeToken([key], text) === null));
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const token = Buffer.from([1, ...bytes]).toString('base64url');
        return readUnsubscribeToken([key], token) === null;
      }),
    );
  });

  test('takes tokens of earlier keys', () => {
    expect(readUnsubscribeToken([newKey(), key], makeUnsubscribeToken(key, of))).toEqual(of);
  });

  test('refuses what is longer than any token without looking at it', () => {
    const long = { ...of, userId: 'x'.repeat(4_000) };
    expect(readUnsubscribeToken([key], makeUnsubscribeToken(key, long))).toBeNull();
    expect(readUnsubscribeToken([key], 'A'.repeat(10_000_000))).toBeNull();
  });
});
