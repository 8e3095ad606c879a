import { DateTime, IANAZone, Settings } from 'luxon';
import { textOr } from './argument.ts';
import type { Filter } from './filter.ts';
import { localeNamed, localeProblem, zoneNamed, zoneProblem } from './intl-format.ts';

const longestFormat = 100;
const defaultFormat = 'yyyy-LL-dd HH:mm';
const stepsPerFormatter = 100;
const mostFormatters = 1_000;
const usedPatterns = new Map<string, number>();

/**
 * Writes a moment: `{{ payload.created_at | date('dd LLL yyyy', 'Europe/Berlin', 'de') }}`. Takes ISO 8601 text or
 * milliseconds since 1970; the format is luxon's. Text without an offset is UTC, a date without a time stays that date
 * in every zone. What is no moment gives undefined. There is no "now": the same event renders the same text for ever.
 */
export const date: Filter = {
  parameters: ['format', 'zone', 'locale'],
  check: ([format, zone, locale]) => formatProblem(format) ?? zoneProblem(zone) ?? localeProblem(locale),
  apply: (value, [format, zone, locale], meter) => {
    const pattern = textOr(format, defaultFormat, meter).slice(0, longestFormat);
    const use = `${asKey(locale)} ${asKey(zone)} ${pattern}`;
    const formatters = 2 + (pattern.match(/([A-Za-z])\1*/g)?.length ?? 0);
    meter.stepOnce(use, stepsPerFormatter * formatters);
    meter.step(20 + 5 * pattern.length);
    const moment = momentOf(value, zoneNamed(zone) ?? IANAZone.create('UTC'));
    if (!moment?.isValid) return undefined;
    limitCaches(use, formatters);
    const text = moment.setLocale(localeNamed(locale) ?? 'en').toFormat(pattern);
    meter.build(text.length);
    return text;
  },
};

function formatProblem(format: unknown): string | undefined {
  const isUsable =
    format === undefined || format === null || (typeof format === 'string' && format.length <= longestFormat);
  return isUsable ? undefined : `the date format must be a text of at most ${longestFormat} characters`;
}

function momentOf(value: unknown, zone: IANAZone): DateTime | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return DateTime.fromMillis(Number(value), { zone });
  if (typeof value !== 'string' || value.length > 64) return undefined;
  const text = value
    .trim()
    .replace(/^\d{5,6}(?=-)/, (year) => `+${year.padStart(6, '0')}`)
    .replace(/(?<=^[^ ]*-\d{2}) (?=\d)/, 'T');
  if (/^(?:\d{4}|[+-]\d{6})-\d{2}-\d{2}$/.test(text)) return DateTime.fromISO(text, { zone });
  const isMoment = /^(?:\d{4}|[+-]\d{6})-\d{2}-\d{2}T/.test(text);
  return isMoment ? DateTime.fromISO(text, { zone: 'UTC' }).setZone(zone) : undefined;
}

function asKey(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, 64) : '';
}

/**
 * luxon remembers an Intl formatter (30 KB each, measured) per locale, zone and token, for ever. Locale, zone and format
 * can come from event data, so its caches are emptied before they grow beyond about 30 MB.
 */
function limitCaches(use: string, formatters: number): void {
  if (usedPatterns.has(use)) return;
  const remembered = [...usedPatterns.values()].reduce((sum, count) => sum + count, 0);
  if (remembered + formatters > mostFormatters) {
    usedPatterns.clear();
    Settings.resetCaches();
  }
  usedPatterns.set(use, formatters);
}
