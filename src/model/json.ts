import { type Decimal, exactNumber, rawJson } from './decimal.ts';

/**
 * What JSON can say, exactly: whole numbers beyond 2^53 are bigints, other numbers that a double would round are Decimals, so
 * that ids and amounts keep every digit. Copy it with `parseJson(stringifyJson(value))`: `structuredClone` keeps no class, and
 * what it makes of a Decimal has no digits.
 */
export type Json =
  | null
  | boolean
  | number
  | bigint
  | Decimal
  | string
  | readonly Json[]
  | { readonly [key: string]: Json };

/** Sixteen digits in a row or around a point, or an exponent of three digits: what a double may not hold. */
const longDigits = /\d(?:[\d.]{15}|[eE][+-]?\d{3})/;
/** The same without the likes of `9e123` inside a UUID; asked second, since it takes longer. */
const longNumber = /\d[\d.]{15}|(?:^|[\s:,[])-?[\d.]{1,15}[eE][+-]?\d{3}/;

/**
 * JSON.parse that keeps numbers exact. Reading them digit by digit is slow, so it is done only when the text has a number of
 * more digits than every double holds.
 */
export function parseJson(text: string): Json {
  return longDigits.test(text) && longNumber.test(text)
    ? (JSON.parse(text, exactly) as Json)
    : (JSON.parse(text) as Json);
}

function exactly(_key: string, value: unknown, context?: { source?: string }): unknown {
  return typeof value === 'number' && context?.source !== undefined ? exactNumber(context.source) : value;
}

/** JSON.stringify that writes bigints as the digits they are. */
export function stringifyJson(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch (error) {
    // A replacer is slow, and bigints are rare: without one JSON.stringify throws at the first.
    if (!(error instanceof TypeError)) throw error;
    return JSON.stringify(value, (_key, part: unknown) => (typeof part === 'bigint' ? rawJson(part.toString()) : part));
  }
}

/** An own property of a JSON object; undefined for everything else, prototypes included. */
export function ownProperty(value: unknown, key: string): Json | undefined {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, Json>)[key]
    : undefined;
}
