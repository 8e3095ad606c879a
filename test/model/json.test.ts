import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareNumbers, exactNumber } from '../../src/model/decimal.ts';
import { type Json, ownProperty, parseJson, stringifyJson } from '../../src/model/json.ts';

describe('parseJson', () => {
  test('keeps integers that a double cannot hold as bigints, wherever they stand', () => {
    expect(parseJson('{"id": 9007199254740993, "items": [-9223372036854775808, 7]}')).toEqual({
      id: 9007199254740993n,
      items: [-9223372036854775808n, 7],
    });
  });

  test('keeps decimals exact, and what a double holds a number', () => {
    const text = '[12345678901234567.89,1e400,-1E-0400,9007199254740990.5,0.1,1.5e300,1234567890.1234567]';
    const [long, huge, tiny, half, ...ordinary] = parseJson(text) as Json[];
    expect([long, tiny, half].map(String)).toEqual([
      '12345678901234567.89',
      `-0.${'0'.repeat(399)}1`,
      '9007199254740990.5',
    ]);
    expect(huge).toBe(10n ** 400n);
    expect(ordinary).toEqual([0.1, 1.5e300, 1234567890.1234567]);
    expect(parseJson(stringifyJson(parseJson(text)))).toEqual(parseJson(text));
  });

  test('reads every number as PostgreSQL would', () => {
    const digits = fc.stringMatching(/^-?(0|[1-9]\d{0,25})(\.\d{1,25})?([eE][+-]?\d{1,4})?$/);
    const layout = fc.constantFrom('%', '[%]', '{"a":%}', '{ "a": 1, "b": % }', '[1,%,"x"]');
    fc.assert(
      fc.property(digits, layout, (number, around) => {
        const written = stringifyJson(parseJson(around.replace('%', number)));
        const again = written.replaceAll(/"[^"]*":?|[[\]{}]/g, ' ').match(/[-\d.e+]+/g) ?? [];
        const found = again.find((text) => compareNumbers(exactNumber(text), exactNumber(number)) === 0);
        expect(found, `${number} became ${written}`).toBeDefined();
      }),
      { numRuns: 2_000 },
    );
  });

  test('leaves digits in text alone', () => {
    expect(parseJson('{"card": "4111111111111111", "n": 1}')).toEqual({ card: '4111111111111111', n: 1 });
  });

  test('reads what stringifyJson wrote, bigints included', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.oneof(fc.bigInt({ min: 2n ** 53n, max: 2n ** 80n }), fc.string(), fc.integer())),
        (value) => {
          expect(parseJson(stringifyJson(value))).toEqual({ ...value });
        },
      ),
    );
  });
});

describe('ownProperty', () => {
  test('reads own properties only', () => {
    expect(ownProperty({ a: 1 }, 'a')).toBe(1);
    for (const key of ['constructor', 'toString', '__proto__', 'hasOwnProperty'])
      expect(ownProperty({ a: 1 }, key)).toBeUndefined();
    expect(ownProperty(JSON.parse('{"__proto__": 5}'), '__proto__')).toBe(5);
    expect(ownProperty('text', 'length')).toBeUndefined();
    expect(ownProperty(null, 'a')).toBeUndefined();
  });
});
