import { z } from 'zod';
import { type Issue, unknownWord } from '../../errors.ts';
import { pathText } from '../../model/parse-input.ts';
import { err, ok, type Result } from '../../model/result.ts';
import { type ConditionHandler, defineConditionHandler } from '../condition.ts';
import { type LocalTime, localClock } from '../local-time.ts';
import { pureCondition } from '../pure-condition.ts';

const dayNames = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const dayWords = new Map<string, readonly number[]>([
  ...dayNames.flatMap((name, day): [string, number[]][] => [
    [name.toLowerCase(), [day]],
    [name.slice(0, 3).toLowerCase(), [day]],
  ]),
  ['weekdays', [1, 2, 3, 4, 5]],
  ['weekends', [0, 6]],
]);

const startTime = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a time of day from "00:00" to "23:59"');
const endTime = z.string().regex(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, 'must be a time of day from "00:00" to "24:00"');

const config = z.strictObject({
  /** Names of days, whole or three letters, in any case; also `weekdays` and `weekends`. Default: every day. */
  days: z.array(z.string()).min(1).max(7).optional(),
  /** `HH:mm`, the first minute of the window. Default `00:00`. */
  start_time: startTime.optional(),
  /** `HH:mm`, the first minute after the window. Default `24:00`. Before `start_time`: the window ends the next day. */
  end_time: endTime.optional(),
  /** IANA name. Default `UTC`. */
  timezone: z.string().default('UTC'),
});

type Window = { readonly start: number; readonly end: number; readonly days: ReadonlySet<number> };

/**
 * True on these days between these times, by the clock of a time zone, when the event happened. A window over midnight
 * belongs to the day it began.
 */
export const timeBasedCondition: ConditionHandler<z.infer<typeof config>> = defineConditionHandler({
  type: 'time_based',
  schema: config,
  compile: (written, { path }) => {
    const window = windowOf(written, path);
    const clock = localClock(written.timezone, pathText(path, ['timezone']));
    if (!window.ok || !clock.ok) return err([...(window.ok ? [] : window.error), ...(clock.ok ? [] : [clock.error])]);
    const { value: tellTime } = clock;
    const { timezone, start_time = '00:00', end_time = '24:00' } = written;
    const days = [...window.value.days].map((day) => dayNames[day]).join(', ');
    return ok(
      pureCondition({
        type: 'time_based',
        test: ({ now }) => isInside(window.value, tellTime(now)),
        explain: ({ now }) => ({
          expected: `${window.value.days.size === 7 ? '' : `${days} `}${start_time}-${end_time} ${timezone}`,
          actual: `${timeText(tellTime(now))} ${timezone}`,
        }),
      }),
    );
  },
});

function windowOf(written: z.infer<typeof config>, path: string): Result<Window, readonly Issue[]> {
  const { days, start_time, end_time } = written;
  if (!days && !start_time && !end_time)
    return err([{ path, message: 'names no days and no times: give days, start_time or end_time' }]);
  const issues: Issue[] = [];
  if (start_time && start_time === end_time) {
    const message = 'is the start_time: the window would be empty; for the whole day leave both out';
    issues.push({ path: pathText(path, ['end_time']), message });
  }
  const numbers = new Set(days ? [] : dayNames.keys());
  for (const [index, name] of (days ?? []).entries()) {
    const meant = dayWords.get(name.toLowerCase());
    for (const day of meant ?? []) numbers.add(day);
    if (meant) continue;
    const allowed = [...dayNames, 'weekdays', 'weekends'];
    issues.push(unknownWord({ path: pathText(path, ['days', index]), kind: 'day', written: name, allowed }));
  }
  return issues.length > 0
    ? err(issues)
    : ok({ start: minutesOf(start_time ?? '00:00'), end: minutesOf(end_time ?? '24:00'), days: numbers });
}

function minutesOf(time: string): number {
  const [hour, minute] = time.split(':');
  return Number(hour) * 60 + Number(minute);
}

function isInside({ start, end, days }: Window, { day, minute }: LocalTime): boolean {
  if (start < end) return minute >= start && minute < end && days.has(day);
  if (minute >= start) return days.has(day);
  return minute < end && days.has((day + 6) % 7);
}

function timeText({ day, minute }: LocalTime): string {
  const [hours, minutes] = [Math.floor(minute / 60), minute % 60].map((part) => String(part).padStart(2, '0'));
  return `${dayNames[day]} ${hours}:${minutes}`;
}
