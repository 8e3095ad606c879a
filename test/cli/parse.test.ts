import { describe, expect, test } from 'vitest';
import { eventWord, moment, momentAhead } from '../../src/cli/parse.ts';

const now = new Date('2026-01-31T08:00:00Z');

describe('momentAhead', () => {
  test('counts from now on, where moment counts back', () => {
    expect(momentAhead('2h', now)).toEqual(new Date('2026-01-31T10:00:00Z'));
    expect(moment('2h', now)).toEqual(new Date('2026-01-31T06:00:00Z'));
  });

  test('takes a moment as it is written', () => {
    expect(momentAhead('2026-02-01T09:00:00+01:00', now)).toEqual(new Date('2026-02-01T08:00:00Z'));
    expect(() => momentAhead('tomorrow', now)).toThrow(/no moment/);
  });
});

describe('eventWord', () => {
  test('takes what an entity type or an operation can be called', () => {
    expect(eventWord('order_line.v2')).toBe('order_line.v2');
    expect(() => eventWord('order line')).toThrow(/a letter and then letters/);
  });
});
