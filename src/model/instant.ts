const pattern =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:Z|([+-])(\d\d)(?::?(\d\d))?)?)?$/i;

/** Four hundred years have the same length everywhere in the calendar; `Date.UTC` takes years below 100 for 19xx. */
const cycleYears = 400;
const cycleMs = 146_097 * 86_400_000;

/**
 * The moment an ISO 8601 date or timestamp names, as PostgreSQL writes it in JSON: microseconds since 1970, `infinity` and
 * `-infinity` included. Undefined for any other text. A date is its midnight; what has no zone is UTC, on every machine.
 */
export function instantOf(text: string): number | undefined {
  if (text.charCodeAt(4) !== 45) return infiniteInstant(text);
  const parts = pattern.exec(text);
  if (!parts) return undefined;
  const [
    ,
    year,
    month,
    day,
    hour = '0',
    minute = '0',
    second = '0',
    fraction = '0',
    sign,
    zoneHour = '0',
    zoneMinute = '0',
  ] = parts;
  if (+hour > 23 || +minute > 59 || +second > 59 || +zoneHour > 15 || +zoneMinute > 59) return undefined;
  const midnight = new Date(Date.UTC(Number(year) + cycleYears, Number(month) - 1, Number(day)) - cycleMs);
  if (midnight.getUTCDate() !== Number(day) || midnight.getUTCMonth() + 1 !== Number(month)) return undefined;
  const offsetMinutes = (+zoneHour * 60 + +zoneMinute) * (sign === '-' ? -1 : 1);
  const minutes = +hour * 60 + +minute - offsetMinutes;
  return midnight.getTime() * 1000 + (minutes * 60 + +second) * 1_000_000 + Math.round(+`0.${fraction}` * 1_000_000);
}

function infiniteInstant(text: string): number | undefined {
  if (text === 'infinity') return Number.POSITIVE_INFINITY;
  return text === '-infinity' ? Number.NEGATIVE_INFINITY : undefined;
}
