import { describe, expect, test } from 'vitest';
import { retryAfterMs } from '../../../src/deliver/transports/retry-after.ts';

const now = new Date('2026-11-21T12:00:00Z');
const date = 'Sat, 21 Nov 2026 12:00:00 GMT';

describe('retryAfterMs', () => {
  test.each([
    ['0', 0],
    ['120', 120_000],
    [' 120 ', 120_000],
    ['86400', 86_400_000],
    ['9999999999', 86_400_000],
    ['Sat, 21 Nov 2026 12:01:00 GMT', 60_000],
    ['Saturday, 21-Nov-26 12:01:00 GMT', 60_000],
    ['Sat Nov 21 12:01:00 2026', 60_000],
    ['Sat, 21 Nov 2026 11:00:00 GMT', 0],
    ['Thu, 21 Nov 2030 12:00:00 GMT', 86_400_000],
  ])('reads %j', (retryAfter, expected) => {
    expect(retryAfterMs({ retryAfter, date, now })).toBe(expected);
  });

  test.each([undefined, '', '-5', '1.5', '12 s', 'soon', '2026-11-21', '99999999999999'])(
    'reads nothing in %j',
    (retryAfter) => {
      expect(retryAfterMs({ retryAfter, date, now })).toBeUndefined();
    },
  );

  test('counts a date from the clock of the other side if it tells, else from ours', () => {
    const retryAfter = 'Sat, 21 Nov 2026 15:01:00 GMT';
    expect(retryAfterMs({ retryAfter, date: 'Sat, 21 Nov 2026 15:00:00 GMT', now })).toBe(60_000);
    expect(retryAfterMs({ retryAfter, date: undefined, now })).toBe(10_860_000);
    expect(retryAfterMs({ retryAfter, date: 'no date', now })).toBe(10_860_000);
  });
});
