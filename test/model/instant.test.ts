import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { instantOf } from '../../src/model/instant.ts';

const micros = (text: string) => new Date(text).getTime() * 1000;

describe('instantOf', () => {
  test.each([
    ['2026-11-21', micros('2026-11-21T00:00:00Z')],
    ['2026-11-21T09:30', micros('2026-11-21T09:30:00Z')],
    ['2026-11-21 09:30:00', micros('2026-11-21T09:30:00Z')],
    ['2026-11-21T09:30:00+02:00', micros('2026-11-21T07:30:00Z')],
    ['2026-11-21 09:30:00-05', micros('2026-11-21T14:30:00Z')],
    ['2026-11-21T09:30:00.123456Z', micros('2026-11-21T09:30:00.123Z') + 456],
    ['1969-12-31T23:59:59.999999Z', -1],
    ['0001-01-01T00:00:00Z', BigInt(micros('0001-01-01T00:00:00Z'))],
    ['0099-03-01', BigInt(micros('0099-03-01T00:00:00Z'))],
    ['2024-02-29', micros('2024-02-29T00:00:00Z')],
    ['9999-12-31T23:59:59Z', BigInt(micros('9999-12-31T23:59:59Z'))],
    ['9999-12-31T23:59:59.999999Z', BigInt(micros('9999-12-31T23:59:59Z')) + 999_999n],
    ['10000-01-01', BigInt(micros('+010000-01-01T00:00:00Z'))],
    ['+010000-01-01T00:00:00.000Z', BigInt(micros('+010000-01-01T00:00:00Z'))],
    ['10000-01-01T00:00:00+02:00', BigInt(micros('+010000-01-01T00:00:00Z')) - 7_200_000_000n],
    ['294276-12-31T23:59:59.999999Z', 9_224_318_015_999_999_999n],
    ['0044-03-15 BC', BigInt(micros('-000043-03-15T00:00:00Z'))],
    ['0044-03-15T12:00:00+00:00 BC', BigInt(micros('-000043-03-15T12:00:00Z'))],
    ['-000043-03-15T12:00:00.000Z', BigInt(micros('-000043-03-15T12:00:00Z'))],
    ['4713-11-24 BC', BigInt(micros('-004712-11-24T00:00:00Z'))],
    ['1892-01-01T00:00:00+01:05:21', micros('1891-12-31T22:54:39Z')],
    ['infinity', Number.POSITIVE_INFINITY],
    ['-infinity', Number.NEGATIVE_INFINITY],
  ])('reads %s', (text, expected) => {
    expect(instantOf(text)).toBe(expected);
  });

  test.each([
    '2026-02-29',
    '2026-13-01',
    '2026-00-10',
    '2026-01-00',
    '2026-11-21T24:00:00Z',
    '2026-11-21T09:60',
    '2026-11-21T09:30:00+2',
    '2026-11-21 soon',
    '21.11.2026',
    '2026-1-1',
    '12345',
    '',
    'infinite',
    '0000-01-01 BC',
    '1000000-01-01',
    '10000-02-30',
    '2026-11-21T09:30:00+25:00',
    '2026-11-21T09:30:00 AD',
  ])('does not read %j', (text) => {
    expect(instantOf(text)).toBeUndefined();
  });

  test('reads what JavaScript writes of any date', () => {
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true }), (date) => {
        expect(BigInt(instantOf(date.toISOString()) ?? 0)).toBe(BigInt(date.getTime()) * 1000n);
      }),
    );
  });
});
