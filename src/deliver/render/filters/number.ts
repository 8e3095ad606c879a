import { Decimal, exactNumber, isExactNumber } from '../../../model/decimal.ts';
import type { Meter } from '../run/meter.ts';
import { calculate, numericOf, settle } from '../run/number.ts';
import { round as roundScaled, scaledOf, truncate } from '../run/scaled.ts';
import { countOf, inputText } from './argument.ts';
import type { Filter, FilterFamily, KnownArgument } from './filter.ts';
import { currencyProblem, localeProblem, type NumberFormatOptions, numberFormat } from './intl-format.ts';

const formatSteps = 20;
const firstFormatSteps = 200;
const longestNumber = 400;

const round: Filter = {
  parameters: ['precision', 'method'],
  check: ([, method]) =>
    method === undefined || method === 'common' || method === 'ceil' || method === 'floor'
      ? undefined
      : 'round knows the methods "common", "ceil" and "floor"',
  apply: (value, [precision, method]) => {
    const number = numericOf(value);
    const places = countOf(precision, 0, 15);
    const how = method === 'ceil' || method === 'floor' ? method : 'common';
    if (typeof number !== 'number') return number && settle(roundScaled(scaledOf(number), places, how));
    const factor = 10 ** places;
    const rounded = rounders[how](number * factor) / factor;
    return Number.isFinite(rounded) ? rounded : number;
  },
};

const rounders = { common: Math.round, ceil: Math.ceil, floor: Math.floor };

const abs: Filter = {
  parameters: [],
  apply: (value) => {
    const number = numericOf(value);
    return number !== undefined && Number(number) < 0 ? calculate('-', 0, number) : number;
  },
};

const int: Filter = {
  parameters: ['default', 'base'],
  apply: (value, [fallback, base], meter) => {
    if (typeof value === 'number' && Number.isFinite(value)) return Math.trunc(value);
    if (typeof value === 'bigint') return value;
    const exact = value instanceof Decimal ? numericOf(value) : undefined;
    if (exact !== undefined) return settle(truncate(scaledOf(exact)));
    const text = inputText(value, meter).slice(0, longestNumber).trim();
    const radix = countOf(base, 10, 36);
    const whole = radix === 10 ? /^[+-]?\d+/.exec(text)?.[0] : undefined;
    if (whole !== undefined) return settle(exactNumber(whole));
    const parsed = Number.parseInt(text, radix);
    return Number.isFinite(parsed) ? parsed : fallback;
  },
};

const float: Filter = {
  parameters: ['default'],
  apply: (value, [fallback], meter) => {
    if (isExactNumber(value)) return numericOf(value) ?? fallback;
    const text = inputText(value, meter).slice(0, longestNumber);
    const parsed = numericOf(text) ?? Number.parseFloat(text);
    return typeof parsed === 'number' && !Number.isFinite(parsed) ? fallback : parsed;
  },
};

type Formattable = number | bigint | `${number}`;

/** What a number format gets: a Decimal goes in as text, so that no digit is lost. */
function formattable(value: unknown, meter: Meter): Formattable | undefined {
  meter.step(formatSteps);
  const number = numericOf(value);
  return number instanceof Decimal ? (String(number) as `${number}`) : number;
}

const number: Filter = {
  parameters: ['locale', 'digits'],
  check: ([locale, digits]) => localeProblem(locale) ?? digitsProblem(digits),
  apply: (value, [locale, digits], meter) => {
    const input = formattable(value, meter);
    if (input === undefined) return undefined;
    const places = digits === undefined || digits === null ? undefined : countOf(digits, 0, 20);
    return formatNumber(input, { locale, places }, meter);
  },
};

function digitsProblem(digits: KnownArgument): string | undefined {
  const isCount = typeof digits === 'number' && Number.isInteger(digits) && digits >= 0 && digits <= 20;
  return digits === undefined || digits === null || isCount ? undefined : 'number takes 0 to 20 digits';
}

const currency: Filter = {
  parameters: ['code', 'locale'],
  required: 1,
  check: ([code, locale]) => currencyProblem(code) ?? localeProblem(locale),
  apply: (value, [code, locale], meter) => {
    const input = formattable(value, meter);
    return input === undefined ? undefined : formatNumber(input, { locale, currency: code }, meter);
  },
};

function formatNumber(input: Formattable, options: NumberFormatOptions, meter: Meter): string {
  meter.stepOnce(JSON.stringify([options.locale, options.currency, options.places].map(shortText)), firstFormatSteps);
  const text = numberFormat(options).format(input);
  meter.build(text.length);
  return text;
}

function shortText(value: unknown): unknown {
  return typeof value === 'string' ? value.slice(0, 64) : typeof value === 'number' ? value : null;
}

/** Numbers and how they are written. Decimal text counts as its number; what is no number gives undefined. */
export const numberFilters: FilterFamily = { abs, currency, float, int, number, round };
