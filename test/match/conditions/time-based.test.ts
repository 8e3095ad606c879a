import { describe, expect, test } from 'vitest';
import type { Subject } from '../../../src/match/condition.ts';
import { sampleEvent } from '../../support/sample-event.ts';
import { compile, refusals } from '../compile.ts';

function isOpen(window: object, moment: string): boolean {
  const condition = compile({ type: 'time_based', ...window });
  return condition.test(at(moment)) === true;
}

function at(moment: string): Subject {
  const occurredAt = new Date(moment);
  return { event: sampleEvent({ occurredAt }), now: occurredAt };
}

/** Minutes of a UTC day on which the window is open. */
function openMinutes(window: object, fromUtc: string, hours = 24): number {
  const condition = compile({ type: 'time_based', ...window });
  const start = new Date(fromUtc).getTime();
  let open = 0;
  for (let minute = 0; minute < hours * 60; minute++) {
    if (condition.test(at(new Date(start + minute * 60_000).toISOString())) === true) open += 1;
  }
  return open;
}

describe('timeBasedCondition', () => {
  test('is true from the first minute of the window up to its end, which is outside', () => {
    const office = { days: ['Monday', 'fri'], start_time: '09:00', end_time: '17:00', timezone: 'Europe/Vienna' };
    expect(isOpen(office, '2026-03-02T07:59:59.999Z')).toBe(false);
    expect(isOpen(office, '2026-03-02T08:00:00Z')).toBe(true);
    expect(isOpen(office, '2026-03-02T15:59:59.999Z')).toBe(true);
    expect(isOpen(office, '2026-03-02T16:00:00Z')).toBe(false);
    expect(isOpen(office, '2026-03-03T10:00:00Z')).toBe(false);
    expect(isOpen(office, '2026-03-06T10:00:00Z')).toBe(true);
  });

  test('is in UTC unless it says where', () => {
    expect(isOpen({ start_time: '09:00' }, '2026-03-02T09:00:00Z')).toBe(true);
    expect(isOpen({ end_time: '09:00' }, '2026-03-02T09:00:00Z')).toBe(false);
    expect(isOpen({ days: ['SUNDAY'] }, '2026-03-01T23:59:00Z')).toBe(true);
    expect(isOpen({ days: ['weekdays'] }, '2026-03-01T23:59:00Z')).toBe(false);
    expect(isOpen({ days: ['weekends'] }, '2026-03-01T23:59:00Z')).toBe(true);
    expect(isOpen({ days: ['Mon'], timezone: 'Pacific/Kiritimati' }, '2026-03-01T23:59:00Z')).toBe(true);
    expect(isOpen({ days: ['thu'] }, '1969-12-25T12:00:00Z')).toBe(true);
  });

  test('counts a window over midnight to the day it began', () => {
    const night = { days: ['Friday'], start_time: '22:00', end_time: '06:00' };
    expect(isOpen(night, '2026-03-06T21:59:00Z')).toBe(false);
    expect(isOpen(night, '2026-03-06T22:00:00Z')).toBe(true);
    expect(isOpen(night, '2026-03-07T05:59:00Z')).toBe(true);
    expect(isOpen(night, '2026-03-07T06:00:00Z')).toBe(false);
    expect(isOpen(night, '2026-03-07T22:00:00Z')).toBe(false);
    expect(isOpen(night, '2026-03-06T05:00:00Z')).toBe(false);
    const sunday = { days: ['Sunday'], start_time: '23:00', end_time: '01:00' };
    expect(isOpen(sunday, '2026-03-02T00:30:00Z')).toBe(true);
  });

  test.each([
    [
      'Europe/Berlin',
      '02:00',
      '03:00',
      { normal: 60, spring: 0, autumn: 120 },
      ['2026-03-02', '2026-03-29', '2026-10-25'],
    ],
    [
      'Australia/Lord_Howe',
      '02:00',
      '02:30',
      { normal: 30, spring: 0, autumn: 30 },
      ['2026-03-02', '2026-10-04', '2026-04-05'],
    ],
    [
      'Australia/Lord_Howe',
      '01:30',
      '02:00',
      { normal: 30, spring: 30, autumn: 60 },
      ['2026-03-02', '2026-10-04', '2026-04-05'],
    ],
    [
      'America/New_York',
      '01:00',
      '02:00',
      { normal: 60, spring: 60, autumn: 120 },
      ['2026-03-02', '2026-03-08', '2026-11-01'],
    ],
    [
      'Asia/Kolkata',
      '02:00',
      '03:00',
      { normal: 60, spring: 60, autumn: 60 },
      ['2026-03-02', '2026-03-29', '2026-10-25'],
    ],
  ])('in %s from %s to %s is open as long as the clocks show it', (timezone, start_time, end_time, expected, days) => {
    const [normal, spring, autumn] = days.map((day) => {
      const weekday = new Date(day).toLocaleDateString('en', { weekday: 'long', timeZone: 'UTC' });
      const dayBefore = new Date(new Date(day).getTime() - 14 * 3_600_000).toISOString();
      return openMinutes({ days: [weekday], start_time, end_time, timezone }, dayBefore, 52);
    });
    expect({ normal, spring, autumn }).toEqual(expected);
  });

  test('takes the old name of a zone for the zone', () => {
    const window = { days: ['Sunday'], start_time: '01:00', end_time: '03:00' };
    for (const timezone of ['US/Pacific', 'America/Los_Angeles']) {
      expect(openMinutes({ ...window, timezone }, '2026-03-08T00:00:00Z')).toBe(60);
    }
  });

  test('says what the clock showed', () => {
    const condition = compile({
      type: 'time_based',
      days: ['weekdays'],
      start_time: '09:00',
      end_time: '17:00',
      timezone: 'Europe/Vienna',
    });
    expect(condition.trace(at('2026-03-07T08:05:00Z'))).toEqual({
      type: 'time_based',
      result: false,
      expected: 'Monday, Tuesday, Wednesday, Thursday, Friday 09:00-17:00 Europe/Vienna',
      actual: 'Saturday 09:05 Europe/Vienna',
    });
  });

  test('refuses what names no window', () => {
    const refusal = (window: object) => refusals({ type: 'time_based', ...window });
    expect(refusal({})).toEqual(['conditions[0]: names no days and no times: give days, start_time or end_time']);
    expect(refusal({ days: ['Mondy', 'Tue', 'x'] })).toEqual([
      'conditions[0].days[0]: unknown day "Mondy": did you mean "Monday"?',
      expect.stringMatching(/^conditions\[0\]\.days\[2\]: unknown day "x"/),
    ]);
    expect(refusal({ start_time: '9:00' })[0]).toMatch(/start_time: must be a time of day/);
    expect(refusal({ start_time: '24:00' })[0]).toMatch(/start_time: must be a time of day/);
    expect(refusal({ start_time: '09:00', end_time: '09:00' })[0]).toMatch(/end_time: is the start_time/);
    expect(refusal({ startTime: '09:00' })[0]).toMatch(/unknown field "startTime": did you mean "start_time"\?/);
    expect(refusal({ end_time: '24:00', timezone: 'Europe/Viena' })).toEqual([
      'conditions[0].timezone: unknown time zone "Europe/Viena": did you mean "Europe/Vienna"?',
    ]);
    expect(refusal({ end_time: '24:00', timezone: '+02:00' })[0]).toMatch(/unknown time zone "\+02:00"/);
    expect(refusal({ end_time: '24:00', timezone: '+25:00' })[0]).toMatch(/unknown time zone "\+25:00"/);
    expect(refusal({ end_time: '24:00', timezone: 'US/Pacific-Now' })[0]).toMatch(
      /unknown time zone "US\/Pacific-Now"/,
    );
    expect(refusal({ end_time: '24:00', timezone: '../../etc' })[0]).toMatch(/unknown time zone/);
    expect(refusal({ end_time: '24:00', timezone: 'Local' })[0]).toMatch(/unknown time zone "Local"/);
    expect(refusal({ end_time: '24:00', timezone: '' })[0]).toMatch(/unknown time zone ""/);
  });
});
