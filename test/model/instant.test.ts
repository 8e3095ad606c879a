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
    ['0001-01-01T00:00:00Z', micros('0001-01-01T00:00:00Z')],
    ['0099-03-01', micros('0099-03-01T00:00:00Z')],
    ['2024-02-29', micros('2024-02-29T00:00:00Z')],
    ['9999-12-31T23:59:59Z', micros('9999-12-31T23:59:59Z')],
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
  ])('does not read %j', (text) => {
    expect(instantOf(text)).toBeUndefined();
  });
});
