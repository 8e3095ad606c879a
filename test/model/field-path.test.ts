import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fieldReader } from '../../src/match/field-reader.ts';
import { exactNumber } from '../../src/model/decimal.ts';
import { parseFieldPath, readField } from '../../src/model/field-path.ts';
import type { Json } from '../../src/model/json.ts';
import { seed } from '../support/fuzz.ts';
import { sampleEvent } from '../support/sample-event.ts';

/** Names that objects, arrays, texts, numbers and Decimals have without anybody having given them. */
const inherited = [Object.prototype, Array.prototype, Function.prototype, String.prototype, exactNumber('1e5000')]
  .flatMap((prototype) => Object.getOwnPropertyNames(prototype))
  .concat('__proto__', 'constructor', 'prototype', 'toJSON', 'text', 'length', '0');
const names = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('a', 'toString', 'length', 'toJSON') },
  fc.constantFrom(...inherited),
  fc.constantFrom('a', 'b', '1', 'x y', '__proto__x'),
  fc.string(),
);

/** Records as JSON.parse makes them: with keys of any name, also `__proto__`, and values of every kind. */
const { value: someValue } = fc.letrec<{ value: Json; record: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom<Json>(null, true, 0, 'text', '', 10n ** 20n, exactNumber('12345678901234567.89')),
    fc.array(tie('value'), { maxLength: 3 }),
    tie('record'),
  ),
  record: fc
    .array(fc.tuple(names, tie('value')), { maxLength: 4 })
    .map((entries) =>
      Object.defineProperties(
        {},
        Object.fromEntries(
          entries.map(([key, value]) => [key, { value, enumerable: true, configurable: true, writable: true }]),
        ),
      ),
    ),
}));

/** What stands at the end of own properties; no other way to a value. */
function ownValue(value: unknown, keys: readonly string[]): unknown {
  return keys.reduce<unknown>((at, key) => {
    const descriptor = typeof at === 'object' && at !== null ? Object.getOwnPropertyDescriptor(at, key) : undefined;
    return descriptor?.value;
  }, value);
}

describe('parseFieldPath', () => {
  test.each([
    ['total', ['payload', 'total']],
    ['customer.id', ['payload', 'customer', 'id']],
    ['previous.status', ['previous', 'status']],
    ['event.actor', ['event', 'actor']],
    ['items.0.sku', ['payload', 'items', '0', 'sku']],
    ['payload', ['payload', 'payload']],
  ])('reads %s', (path, segments) => {
    expect(parseFieldPath(path)).toEqual(segments);
  });

  test.each([
    '__proto__',
    'a.__proto__.b',
    'constructor.constructor',
    'a.prototype',
    'payload.__proto__',
    'previous.constructor',
    '',
    '.',
    'a..b',
    'a.',
    ' a',
    'a[0]',
    'a.'.repeat(40),
    `a${'b'.repeat(200)}`,
  ])('refuses %j', (path) => {
    expect(parseFieldPath(path)).toBeNull();
  });
});

describe('readField', () => {
  test(`reads own properties and nothing else, whatever the path and the record (seed ${seed})`, () => {
    const before = Object.getOwnPropertyNames(Object.prototype).length;
    let found = 0;
    fc.assert(
      fc.property(
        someValue,
        someValue,
        fc.array(names, { minLength: 1, maxLength: 4 }),
        fc.constantFrom('', 'payload.', 'previous.', 'event.'),
        (payload, previous, parts, root) => {
          const event = sampleEvent({ payload, previous });
          const segments = parseFieldPath(root + parts.join('.'));
          if (segments === null) return;
          const [source, ...keys] = segments;
          const read = readField(event, segments);
          const subject = { event, now: event.occurredAt };
          expect(fieldReader(segments)(subject)).toBe(read);
          if (source === 'event') expect(typeof read).not.toBe('function');
          else expect(read).toBe(ownValue(source === 'payload' ? payload : previous, keys));
          if (read !== undefined) found++;
        },
      ),
      { seed, numRuns: 10_000 },
    );
    expect(found).toBeGreaterThan(100);
    expect(Object.getOwnPropertyNames(Object.prototype)).toHaveLength(before);
  });

  test('an event whose payload was made to look like the prototype changes no other object', () => {
    const payload = JSON.parse('{"__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}}');
    const event = sampleEvent({ payload });
    expect(readField(event, ['payload', '__proto__', 'polluted'])).toBe(true);
    expect(readField(event, ['payload', 'polluted'])).toBeUndefined();
    expect('polluted' in {}).toBe(false);
  });
});
