const longestWaitMs = 86_400_000;

/** Weekday first, GMT last: the three forms of HTTP dates (RFC 9110, section 5.6.7) all parse as JavaScript dates. */
const httpDate = /^(mon|tue|wed|thu|fri|sat|sun)[a-z]*,? .*\d{2}:\d{2}:\d{2}/i;

/**
 * The wait that a `Retry-After` header asks for, in milliseconds, 24 hours at most; undefined without a readable one.
 * A date counts from the `Date` of the same answer if it has one, so that a wrong clock on either side does not matter.
 *
 * @param date the answer's `Date` header
 * @param now the present moment, for answers without one
 */
export function retryAfterMs(options: {
  retryAfter: string | undefined;
  date: string | undefined;
  now: Date;
}): number | undefined {
  const value = options.retryAfter?.trim() ?? '';
  if (/^\d{1,10}$/.test(value)) return Math.min(Number(value) * 1_000, longestWaitMs);
  const until = readDate(value);
  if (until === undefined) return undefined;
  const from = readDate(options.date?.trim() ?? '') ?? options.now.getTime();
  return Math.min(Math.max(until - from, 0), longestWaitMs);
}

function readDate(text: string): number | undefined {
  if (!httpDate.test(text)) return undefined;
  const time = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(time) ? undefined : time;
}
