const pattern =
  /^(\d{4,6}|[+-]\d{6})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:Z|([+-])(\d\d)(?::?(\d\d)(?::(\d\d))?)?)?)?( BC)?$/i;

const dayMicros = 86_400_000_000;
/** Farther from 1970 (the years 1684 to 2255) microseconds are bigints: a double no longer counts them. */
const exactDays = 104_000;
const monthDays = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * The moment an ISO 8601 date or timestamp names, as PostgreSQL and JavaScript write it in JSON: microseconds since 1970. Years
 * have 4 to 6 digits; `BC`, `infinity` and `-infinity` are understood. Undefined for any other text. A date is its midnight;
 * what has no zone is UTC, on every machine.
 */
export function instantOf(text: string): number | bigint | undefined {
  if (text.charCodeAt(4) !== 45 && !mayBeFar(text)) return infiniteInstant(text);
  const parts = pattern.exec(text);
  if (!parts) return undefined;
  const day = dayOf(parts);
  const micros = microsOfDay(parts);
  if (day === undefined || micros === undefined) return undefined;
  return Math.abs(day) < exactDays ? day * dayMicros + micros : BigInt(day) * BigInt(dayMicros) + BigInt(micros);
}

/** A year of five or six digits, with or without a sign. */
function mayBeFar(text: string): boolean {
  return text.charCodeAt(5) === 45 || text.charCodeAt(6) === 45 || text.charCodeAt(7) === 45;
}

function infiniteInstant(text: string): number | undefined {
  if (text === 'infinity') return Number.POSITIVE_INFINITY;
  return text === '-infinity' ? Number.NEGATIVE_INFINITY : undefined;
}

/** Days since 1970 in the Gregorian calendar, which PostgreSQL and ISO 8601 use for all times. */
function dayOf(parts: RegExpExecArray): number | undefined {
  const [month, day] = [Number(parts[2]), Number(parts[3])];
  const year = yearOf(Number(parts[1]), parts[12] !== undefined);
  if (year === undefined || day < 1 || day > daysIn(year, month)) return undefined;
  // Years begin in March here, so that a leap day is the last day of its year.
  const marchYear = month > 2 ? year : year - 1;
  const marchMonth = (month + 9) % 12;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  return 365 * marchYear + leapDays + Math.floor((153 * marchMonth + 2) / 5) + day - 1 - 719_468;
}

/** 1 BC is the year 0; there is no year 0 before or after Christ, but ISO 8601 writes it. */
function yearOf(written: number, isBeforeChrist: boolean): number | undefined {
  if (!isBeforeChrist) return written;
  return written > 0 ? 1 - written : undefined;
}

function daysIn(year: number, month: number): number {
  const isLeap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return month === 2 && isLeap ? 29 : (monthDays[month - 1] ?? 0);
}

function microsOfDay(parts: RegExpExecArray): number | undefined {
  const [hour = 0, minute = 0, second = 0] = [4, 5, 6].map((index) => Number(parts[index] ?? 0));
  const [zoneHour = 0, zoneMinute = 0, zoneSecond = 0] = [9, 10, 11].map((index) => Number(parts[index] ?? 0));
  if (hour > 23 || minute > 59 || second > 59 || zoneHour > 15 || zoneMinute > 59 || zoneSecond > 59) return undefined;
  const offset = (zoneHour * 3_600 + zoneMinute * 60 + zoneSecond) * (parts[8] === '-' ? -1 : 1);
  const fraction = Math.round(Number(`0.${parts[7] ?? 0}`) * 1_000_000);
  return (hour * 3_600 + minute * 60 + second - offset) * 1_000_000 + fraction;
}
