import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareNumbers, Decimal, type ExactNumber, exactNumber } from '../../src/model/decimal.ts';
import { parseJson, stringifyJson } from '../../src/model/json.ts';

const sign = (order: number | undefined) => (order === undefined ? undefined : Math.sign(order));

/** Numbers as text, and what they are as a fraction of two whole numbers. */
const someDecimal = fc
  .record({
    digits: fc.bigInt({ min: -(10n ** 25n), max: 10n ** 25n }),
    scale: fc.integer({ min: 0, max: 30 }),
    exponent: fc.integer({ min: -20, max: 20 }),
  })
  .map(({ digits, scale, exponent }) => {
    const padded = String(digits < 0n ? -digits : digits).padStart(scale + 1, '0');
    const point = padded.length - scale;
    const plain = scale === 0 ? padded : `${padded.slice(0, point)}.${padded.slice(point)}`;
    return {
      text: `${digits < 0n ? '-' : ''}${plain}e${exponent}`,
      value: digits * 10n ** BigInt(50 + exponent - scale),
    };
  });

/** What a text writes, as `value` above. */
function scaled(text: string): bigint {
  const [, sign, whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/.exec(text) ?? [];
  const shift = 50 + Number(exponent) - fraction.length;
  const digits = BigInt(`${sign}${whole}${fraction}`);
  return shift < 0 ? digits / 10n ** BigInt(-shift) : digits * 10n ** BigInt(shift);
}

describe('exactNumber', () => {
  test.each<[string, number | bigint]>([
    ['0', 0],
    ['0.1', 0.1],
    ['-1.50', -1.5],
    ['1e2', 100],
    ['1e21', 1e21],
    ['9007199254740991', 9007199254740991],
    ['9007199254740992', 9007199254740992n],
    ['-9007199254740993', -9007199254740993n],
    ['9007199254740993.0', 9007199254740993n],
    ['12345678901234567000', 12345678901234567000n],
    ['0.30000000000000004', 0.30000000000000004],
    ['1.7976931348623157e308', Number.MAX_VALUE],
    ['5e-324', Number.MIN_VALUE],
    ['0.0000000000000000000000', 0],
    ['000000000000000000001', 1],
    ['1.00000000000000000000', 1],
  ])('%s is an ordinary number or a whole one', (text, expected) => {
    expect(exactNumber(text)).toBe(expected);
  });

  test.each([
    ['12345678901234567.89', '12345678901234567.89'],
    ['12345678901234567.8900', '12345678901234567.89'],
    ['0012345678901234567.89', '12345678901234567.89'],
    ['1234567890123456789e-2', '12345678901234567.89'],
    ['1.00000000000000001', '1.00000000000000001'],
    ['9007199254740990.5', '9007199254740990.5'],
    ['-0.12345678901234567890', '-0.1234567890123456789'],
    ['1e-400', `0.${'0'.repeat(399)}1`],
    ['1e-2000', '1e-2000'],
    ['12.5e5000', '1.25e+5001'],
    ['1e999999999', '1e+999999999'],
    ['9'.repeat(1001), `9.${'9'.repeat(1000)}e+1000`],
  ])('%s is the Decimal %s', (text, expected) => {
    const number = exactNumber(text);
    expect(number).toBeInstanceOf(Decimal);
    expect(String(number)).toBe(expected);
    expect(JSON.stringify([number])).toBe(`[${expected}]`);
  });

  test('1e400 is the whole number it writes, not Infinity', () => {
    expect(exactNumber('1e400')).toBe(10n ** 400n);
  });

  test('loses nothing, and writes one number in one way, whatever the spelling', () => {
    fc.assert(
      fc.property(someDecimal, fc.nat(5), ({ text, value }, zeros) => {
        const number = exactNumber(text);
        expect(scaled(String(number))).toBe(value);
        expect(String(exactNumber(String(number)))).toBe(String(number));
        const [mantissa = '', exponent] = text.split('e');
        const padded = mantissa.includes('.') ? `${mantissa}${'0'.repeat(zeros)}e${exponent}` : text;
        expect(isDeepStrictEqual([exactNumber(padded)], [number])).toBe(true);
        expect(sign(compareNumbers(number, 0))).toBe(value === 0n ? 0 : value < 0n ? -1 : 1);
      }),
    );
  });

  test('a Decimal survives the copy that JSON makes of it, and no structured clone', () => {
    const value = { amount: exactNumber('12345678901234567.89'), id: 9007199254740993n };
    expect(isDeepStrictEqual(parseJson(stringifyJson(value)), value)).toBe(true);
    expect(structuredClone(value).amount).not.toBeInstanceOf(Decimal);
  });

  test('a Decimal has no property a field path or a template could read', () => {
    const number = exactNumber('12345678901234567.89');
    expect(Object.keys(number)).toEqual([]);
    expect(Object.isFrozen(number)).toBe(true);
    expect(isDeepStrictEqual(number, exactNumber('12345678901234567.88'))).toBe(false);
    expect(Number(number)).toBe(12345678901234568);
  });
});

describe('exactNumber of what is no number to it', () => {
  test.each(['e1234567890123456', 'e-1234567890123456', '.5e1234567890123456', 'x'])(
    'takes linear time for endless digits before %s',
    (end) => {
      const start = process.cpuUsage();
      expect(exactNumber('1'.repeat(100_000) + end)).not.toBeInstanceOf(Decimal);
      expect(process.cpuUsage(start).user / 1000).toBeLessThan(250);
    },
  );
});

describe('compareNumbers', () => {
  test('orders as the numbers are ordered, whatever holds them', () => {
    fc.assert(
      fc.property(someDecimal, someDecimal, (a, b) => {
        const expected = a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
        expect(sign(compareNumbers(exactNumber(a.text), exactNumber(b.text)))).toBe(expected);
      }),
      { numRuns: 2_000 },
    );
  });

  test.each<[ExactNumber, ExactNumber, number | undefined]>([
    [1e30, 10n ** 30n, 0],
    [0.1, exactNumber('0.1000000000000000055511151231257827'), -1],
    [Number.POSITIVE_INFINITY, exactNumber('1e5000'), 1],
    [Number.NEGATIVE_INFINITY, exactNumber('-1e5000'), -1],
    [Number.NaN, exactNumber('1e5000'), undefined],
    [Number.NaN, 1n, undefined],
    [exactNumber('1e999999999'), exactNumber('1e999999998'), 1],
    [exactNumber('-1e-999999999'), 0, -1],
  ])('%s and %s: %s', (left, right, expected) => {
    expect(sign(compareNumbers(left, right))).toBe(expected);
    expect(sign(compareNumbers(right, left))).toBe(expected === undefined ? undefined : 0 - expected);
  });

  test('takes linear time for endless digits', () => {
    const start = process.cpuUsage();
    const zeros = '0'.repeat(130_000);
    const [long, longer] = [exactNumber(`1${zeros}1${zeros}.5`), exactNumber(`1${zeros}1${zeros}.${zeros}5`)];
    expect(sign(compareNumbers(long, longer))).toBe(1);
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(250);
  });
});
