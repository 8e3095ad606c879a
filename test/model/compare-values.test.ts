import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  compareCodePoints,
  compareValues,
  comparisonKey,
  equalValues,
  isNumericText,
} from '../../src/model/compare-values.ts';
import { exactNumber } from '../../src/model/decimal.ts';
import type { Json } from '../../src/model/json.ts';

const sign = (order: number | undefined) => (order === undefined ? undefined : Math.sign(order));

/** Values that are near each other, in every spelling. */
const someValue: fc.Arbitrary<Json> = fc.oneof(
  fc.integer({ min: -3, max: 3 }),
  fc.double({ min: -3, max: 3, noNaN: true }),
  fc.constantFrom<Json>(
    Number.POSITIVE_INFINITY,
    2 ** 53,
    9_007_199_254_740_993n,
    9_007_199_254_740_992n,
    '9007199254740993',
    '0.1',
    0.1,
    '0.10',
    '0.1000000000000000055511151231257827',
    '1e2',
    100,
    '007',
    7,
    'NaN',
    'Infinity',
    'infinity',
    exactNumber('0.1000000000000000055511151231257827'),
    exactNumber('9007199254740992.5'),
    exactNumber('1e5000'),
    1e30,
    10n ** 30n,
    '1e30',
  ),
  fc.constantFrom<Json>(
    '2026-11-21',
    '2026-11-21T00:00:00Z',
    '2026-11-21T01:00:00+01:00',
    '2026-11-21T00:00:00.000001Z',
    '2026-11-22',
    '2254-09-29T00:00:00+02:00',
    '2254-09-28T22:00:00Z',
  ),
  fc.constantFrom<Json>('', 'a', 'b', 'é', '\u{1F600}', '\uFFFD', null, true, false),
);

describe('compareValues', () => {
  test.each<[Json, Json, number | undefined]>([
    [9_007_199_254_740_993n, 2 ** 53, 1],
    ['9007199254740993', 9_007_199_254_740_993n, 0],
    ['9007199254740993', 2 ** 53, 1],
    [0.1 + 0.2, '0.3', 1],
    ['0.30000000000000004', 0.1 + 0.2, 0],
    ['100.00000000000000000001', 100, 1],
    ['9.99', '10.00', -1],
    [exactNumber('12345678901234567.89'), '12345678901234567.890', 0],
    [exactNumber('12345678901234567.89'), exactNumber('12345678901234567.88'), 1],
    [exactNumber('12345678901234567.89'), 12345678901234568n, -1],
    ['Infinity', exactNumber('1e5000'), 1],
    [exactNumber('1e5000'), 'NaN', undefined],
    [exactNumber('1e5000'), null, undefined],
    ['10000-01-01', '9999-12-31', 1],
    ['9999-12-31T23:59:59.999999Z', '9999-12-31T23:59:59.999998Z', 1],
    ['0044-03-15 BC', '0043-03-15 BC', -1],
    ['-infinity', '4713-11-24 BC', -1],
    ['infinity', '294276-12-31', 1],
    [Number.POSITIVE_INFINITY, '1e308', 1],
    ['-Infinity', -5, -1],
    [Number.NaN, 1, undefined],
    ['NaN', 1, undefined],
    ['abc', 1, undefined],
    [true, 1, undefined],
    [true, false, undefined],
    [null, 1, undefined],
    [[1], [2], undefined],
    ['2026-11-21T09:00:00+01:00', '2026-11-21T08:30:00Z', -1],
    ['2026-11-21', '2026-11-21T00:00:00Z', 0],
    ['2254-09-29T00:00:00+02:00', '2254-09-28T22:00:00Z', 0],
    ['infinity', '2026-11-21', 1],
    ['2026-11-21', 'soon', undefined],
    ['\u{1F600}', '\uFFFD', 1],
    ['ab', 'abc', -1],
  ])('of %s and %s is %s', (left, right, expected) => {
    expect(sign(compareValues(left, right))).toBe(expected);
    expect(sign(compareValues(right, left))).toBe(expected === undefined ? undefined : 0 - expected);
  });

  test('is an order: what is below something is below all above that', async () => {
    await fc.assert(
      fc.property(someValue, someValue, someValue, (a, b, c) => {
        const [ab, bc] = [compareValues(a, b), compareValues(b, c)];
        if (ab === undefined || bc === undefined || ab > 0 || bc > 0) return;
        expect(sign(compareValues(a, c))).toBe(ab < 0 || bc < 0 ? -1 : 0);
      }),
      { numRuns: 2_000 },
    );
  });

  test('reads no endless digits as a number', () => {
    expect(isNumericText('9'.repeat(101))).toBe(false);
    expect(compareValues('1e999', 1)).toBeGreaterThan(0);
  });
});

describe('equalValues', () => {
  test.each<[Json, Json, boolean]>([
    [1, 1n, true],
    [1, '1.0', true],
    ['007', '7', false],
    ['2026-11-21', '2026-11-21T00:00:00+00', true],
    ['2254-09-29T00:00:00+02:00', '2254-09-28T22:00:00Z', true],
    ['2254-09-29T00:00:00+02:00', '2254-09-28T22:00:00.000001Z', false],
    ['2300-01-01', '2300-01-01T00:00:00Z', true],
    ['infinity', '2300-01-01', false],
    [null, null, true],
    [null, '', false],
    [false, 0, false],
    ['true', true, false],
    [{ a: [1, { b: null }] }, { a: [1, { b: null }] }, true],
    [{ a: 1 }, { a: 2 }, false],
    [{ a: exactNumber('12345678901234567.89') }, { a: exactNumber('12345678901234567.890') }, true],
    [{ a: exactNumber('12345678901234567.89') }, { a: exactNumber('12345678901234567.88') }, false],
    [exactNumber('12345678901234567.89'), {}, false],
    [exactNumber('12345678901234567.89'), null, false],
    [null, {}, false],
    [Number.NaN, Number.NaN, false],
    [[-0], [0], true],
    [[1e22], [10n ** 22n], true],
    [{ a: [1e22] }, { a: [10n ** 22n + 1n] }, false],
    [[1], ['1'], false],
    [[], {}, false],
    [[1], { 0: 1 }, false],
    [{ a: 1 }, { b: 1 }, false],
    [{ a: null }, {}, false],
  ])('of %s and %s is %s', (left, right, expected) => {
    expect(equalValues(left, right)).toBe(expected);
    expect(equalValues(right, left)).toBe(expected);
  });

  test('does not go down a bomb of lists', () => {
    const bomb = (): Json => {
      let value: Json = [];
      for (let depth = 0; depth < 200_000; depth++) value = [value];
      return value;
    };
    expect(equalValues(bomb(), bomb())).toBeUndefined();
  });
});

describe('comparisonKey', () => {
  test('is the same for equal values, and grows with values that have an order', async () => {
    await fc.assert(
      fc.property(someValue, someValue, (a, b) => {
        const [keyA, keyB] = [comparisonKey(a), comparisonKey(b)];
        // As maps and sets compare: 0 and -0 are one key.
        if (equalValues(a, b)) expect(new Set([keyA]).has(keyB)).toBe(true);
        const order = compareValues(a, b);
        if (order === undefined || typeof keyA !== 'number' || typeof keyB !== 'number') return;
        if (order < 0) expect(keyA).toBeLessThanOrEqual(keyB);
        if (order > 0) expect(keyA).toBeGreaterThanOrEqual(keyB);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('compareCodePoints', () => {
  test('orders texts as their code points are ordered', async () => {
    await fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), (left, right) => {
        const points = (text: string) => [...text].map((character) => character.codePointAt(0) as number);
        const [a, b] = [points(left), points(right)];
        const at = a.findIndex((point, index) => point !== b[index]);
        const expected = at === -1 ? a.length - b.length : (a[at] as number) - (b[at] ?? -1);
        expect(sign(compareCodePoints(left, right))).toBe(sign(expected));
      }),
    );
  });
});
