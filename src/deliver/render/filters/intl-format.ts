import { IANAZone } from 'luxon';
import { nearest } from '../../../errors.ts';
import { quoted } from '../template-error.ts';
import type { KnownArgument } from './filter.ts';

const rememberedKeys = 500;
const zones = new Map<string, IANAZone | undefined>();
const locales = new Map<string, string | undefined>();
const numberFormats = new Map<string, Intl.NumberFormat>();
const currencies: ReadonlySet<string> = new Set(Intl.supportedValuesOf('currency'));

/** Remembers what `make` gives for a key; forgets all at a fixed size, since keys come from event data. */
function remembered<T>(memory: Map<string, T>, key: string, make: (key: string) => T): T {
  const known = memory.get(key);
  if (known !== undefined || memory.has(key)) return known as T;
  if (memory.size >= rememberedKeys) memory.clear();
  const made = make(key);
  memory.set(key, made);
  return made;
}

/** The time zone with this IANA name, by its canonical name (luxon caches by name for ever); undefined if there is none. */
export function zoneNamed(name: unknown): IANAZone | undefined {
  if (typeof name !== 'string' || !/^[A-Za-z][A-Za-z0-9_+/-]{0,63}$/.test(name)) return undefined;
  return remembered(zones, name, (key) => {
    try {
      const { timeZone } = new Intl.DateTimeFormat('en', { timeZone: key }).resolvedOptions();
      return IANAZone.create(timeZone);
    } catch {
      return undefined;
    }
  });
}

/** The nearest locale this Node has data for; undefined for what is no language tag. */
export function localeNamed(name: unknown): string | undefined {
  if (typeof name !== 'string' || !/^[A-Za-z0-9_-]{2,35}$/.test(name)) return undefined;
  return remembered(locales, name.replaceAll('_', '-'), (key) => {
    try {
      const { baseName } = new Intl.Locale(key);
      return Intl.DateTimeFormat.supportedLocalesOf(baseName).length > 0
        ? new Intl.DateTimeFormat(baseName).resolvedOptions().locale
        : undefined;
    } catch {
      return undefined;
    }
  });
}

/** What a number is written as; what is not usable (a bad locale or currency in event data) counts as not given. */
export type NumberFormatOptions = {
  readonly locale?: unknown;
  readonly places?: number | undefined;
  readonly currency?: unknown;
};

/** The number format for these options; `en` if the locale is not usable, two decimals if the currency is not. */
export function numberFormat(options: NumberFormatOptions): Intl.NumberFormat {
  const locale = localeNamed(options.locale) ?? 'en';
  const isMoney = options.currency !== undefined;
  const code = currencyNamed(options.currency);
  const places = options.places ?? (isMoney && !code ? 2 : undefined);
  return remembered(numberFormats, `${locale} ${code} ${places}`, () => {
    const style: Intl.NumberFormatOptions = code ? { style: 'currency', currency: code } : {};
    const digits = places === undefined ? (code ? {} : { maximumFractionDigits: 20 }) : fixed(places);
    return new Intl.NumberFormat(locale, { ...style, ...digits });
  });
}

function fixed(places: number): Intl.NumberFormatOptions {
  return { minimumFractionDigits: places, maximumFractionDigits: places };
}

function currencyNamed(code: unknown): string | undefined {
  const upper = typeof code === 'string' && code.length === 3 ? code.toUpperCase() : '';
  return currencies.has(upper) ? upper : undefined;
}

/** What is wrong with a literal time zone. */
export function zoneProblem(name: KnownArgument): string | undefined {
  if (name === undefined || name === null || zoneNamed(name)) return undefined;
  return `unknown time zone ${quoted(String(name))}${meant(String(name), Intl.supportedValuesOf('timeZone'))}`;
}

/** What is wrong with a literal locale. */
export function localeProblem(name: KnownArgument): string | undefined {
  if (name === undefined || name === null || localeNamed(name)) return undefined;
  return `unknown locale ${quoted(String(name))}: write a language tag such as "en" or "de-DE"`;
}

/** What is wrong with a literal currency code. */
export function currencyProblem(code: KnownArgument): string | undefined {
  if (code === undefined || currencyNamed(code)) return undefined;
  return `unknown currency ${quoted(String(code))}${meant(String(code), currencies)}`;
}

function meant(written: string, allowed: Iterable<string>): string {
  const near = nearest(written.slice(0, 64), allowed);
  return near ? `: did you mean "${near}"?` : '';
}
