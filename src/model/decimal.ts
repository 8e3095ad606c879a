/**
 * Numbers that a double cannot hold, kept exact. Ordinary numbers stay numbers: a number stands for the shortest decimal that
 * reads as it (0.1 is 0.1). Whole numbers beyond 2^53 are bigints; what else would lose digits is a `Decimal`.
 *
 * Decimals are compared digit by digit and never multiplied out, so that `1e999999999` costs no more than it has characters.
 */
import { z } from 'zod';

/** A number, exactly. */
export type ExactNumber = number | bigint | Decimal;

const canonicalText = Symbol('decimal');

/**
 * A number of which a double loses digits, such as 12345678901234567.89 or 1e400. It is written as JSON writes it, by `String`
 * and by `JSON.stringify`; `Number` gives the nearest double. Made by `exactNumber`.
 */
export class Decimal {
  // A symbol: no field path and no template reads it, and two decimals of one number are deeply equal.
  readonly [canonicalText]: string;

  /** @param text the only spelling of this number, as `exactNumber` finds it */
  private constructor(text: string) {
    this[canonicalText] = text;
    Object.freeze(this);
  }

  /** For `exactNumber`; every number has one spelling here. */
  static fromCanonicalText(text: string): Decimal {
    return new Decimal(text);
  }

  toString(): string {
    return this[canonicalText];
  }

  /** The digits themselves, which JSON.stringify writes as a number. */
  toJSON(): unknown {
    return rawJson(this[canonicalText]);
  }
}

/** A Decimal in an input. */
export const decimalInput = z.custom<Decimal>((value) => value instanceof Decimal);

/** Writes digits into JSON as they are; engines that cannot, write them as text. */
export function rawJson(digits: string): unknown {
  const { rawJSON } = JSON as unknown as { rawJSON?: (text: string) => unknown };
  return rawJSON ? rawJSON(digits) : digits;
}

/** True for a number of any of the three kinds. */
export function isExactNumber(value: unknown): value is ExactNumber {
  return typeof value === 'number' || typeof value === 'bigint' || value instanceof Decimal;
}

/** So short that a double holds every digit. */
const shortText = 15;

/**
 * The number a decimal text writes: a number where a double holds it, a bigint for whole numbers beyond 2^53, else a Decimal.
 *
 * @param text an optional sign, digits, an optional fraction and exponent; NaN for any other text
 */
export function exactNumber(text: string): ExactNumber {
  const number = Number(text);
  if (text.length <= shortText && !/e/i.test(text)) return number;
  const parts = partsOf(text);
  if (!parts) return number;
  const isWhole = parts.point >= parts.digits.length && parts.point <= plainDigits;
  if (isWhole && Number.isSafeInteger(number)) return number;
  const isKept = isSame(parts, partsOf(String(number)));
  if (isKept && !(isWhole && /^[+-]?\d+$/.test(text))) return number;
  return isWhole ? BigInt(plainText(parts)) : Decimal.fromCanonicalText(canonical(parts));
}

/** Below 0, 0 or above 0 as `left` is less than, equal to or greater than `right`; undefined when one is NaN. */
export function compareNumbers(left: ExactNumber, right: ExactNumber): number | undefined {
  if (typeof left === typeof right && typeof left !== 'object') return compareNatively(left, right as typeof left);
  const [a, b] = [partsOf(String(left)), partsOf(String(right))];
  if (a && b) return compareParts(a, b);
  // Infinity and NaN have no digits, and are told from any number as from 0.
  return compareNatively(a ? 0 : Number(left), b ? 0 : Number(right));
}

function compareNatively(left: number | bigint, right: number | bigint): number | undefined {
  if (left < right) return -1;
  if (left > right) return 1;
  return Number.isNaN(left) || Number.isNaN(right) ? undefined : 0;
}

/** A number as digits times a power of ten: `0.digits * 10^point`. No zeros stand at either end; zero has no digits. */
type Parts = { readonly isNegative: boolean; readonly digits: string; readonly point: number };

/** In one way only, or a text that does not fit would take time by the square of its digits. */
const numberPattern = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d{1,15}))?$/i;

function partsOf(text: string): Parts | null {
  const found = numberPattern.exec(text);
  if (!found) return null;
  const [, sign, whole = '', fraction = '', exponent = '0'] = found;
  if (whole === '' && fraction === '') return null;
  const digits = whole + fraction;
  const from = skipZeros(digits, 0, 1);
  if (from === digits.length) return { isNegative: false, digits: '', point: 0 };
  const to = skipZeros(digits, digits.length - 1, -1) + 1;
  return {
    isNegative: sign === '-',
    digits: digits.slice(from, to),
    point: whole.length - from + Number(exponent),
  };
}

function skipZeros(digits: string, start: number, step: 1 | -1): number {
  let at = start;
  while (digits.charCodeAt(at) === 48) at += step;
  return at;
}

function isSame(one: Parts, other: Parts | null): boolean {
  return (
    other !== null && one.isNegative === other.isNegative && one.point === other.point && one.digits === other.digits
  );
}

function compareParts(a: Parts, b: Parts): number {
  if (a.isNegative !== b.isNegative) return a.isNegative ? -1 : 1;
  const size = compareSizes(a, b);
  return a.isNegative ? -size : size;
}

function compareSizes(a: Parts, b: Parts): number {
  if (a.digits === '' || b.digits === '') return a.digits.length - b.digits.length;
  if (a.point !== b.point) return a.point - b.point;
  if (a.digits === b.digits) return 0;
  return a.digits < b.digits ? -1 : 1;
}

/** Numbers of more digits are written with an exponent. */
const plainDigits = 1_000;

function canonical(parts: Parts): string {
  const { isNegative, digits, point } = parts;
  if (point > -plainDigits && point <= plainDigits) return plainText(parts);
  const fraction = digits.length > 1 ? `.${digits.slice(1)}` : '';
  return `${isNegative ? '-' : ''}${digits[0]}${fraction}e${point > 0 ? '+' : ''}${point - 1}`;
}

function plainText({ isNegative, digits, point }: Parts): string {
  const sign = isNegative ? '-' : '';
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  if (point >= digits.length) return sign + digits.padEnd(point, '0');
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}
