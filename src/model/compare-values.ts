/**
 * How two values are compared, everywhere: conditions, the index that finds workflows by value, and saved queries in memory.
 *
 * - Every value is of a kind: number, moment, text, boolean, null, list or object. A text that writes a number
 *   (PostgreSQL's `numeric` is often handed on as text) has the order of numbers, one that writes an ISO date or timestamp
 *   the order of moments; what has no zone is UTC.
 * - Only values of one kind have an order, and NaN has none. Numbers compare exactly: 64-bit integers are bigints. Other
 *   texts compare by code point, like PostgreSQL's collation "C": the same on every machine.
 * - Values are equal when they are the same number, moment, text and so on. Two texts that write one number differently
 *   ("007", "7") stay different texts; a text and a number are equal when the text writes that number.
 */
import { isDeepStrictEqual } from 'node:util';
import { instantOf } from './instant.ts';
import type { Json } from './json.ts';

/** Below 0, 0 or above 0 as `left` is less than, equal to or greater than `right`; undefined when they have no order. */
export function compareValues(left: Json, right: Json): number | undefined {
  if (typeof left === 'string') {
    if (typeof right === 'string') return compareTexts(left, right);
    return isNumber(right) && isNumericText(left) ? compareNumbers(left, right) : undefined;
  }
  if (!isNumber(left)) return undefined;
  if (isNumber(right)) return order(left, right);
  return typeof right === 'string' && isNumericText(right) ? compareNumbers(left, right) : undefined;
}

/**
 * True when both are the same value, of whatever kind; arrays and objects when all their parts are the same. Undefined when
 * they are nested too deep to tell.
 */
export function equalValues(left: Json, right: Json): boolean | undefined {
  if (left === right) return true;
  if (typeof left === 'object' && typeof right === 'object') return equalParts(left, right);
  if (typeof left === 'string' && typeof right === 'string') return isSameInstant(left, right);
  return compareValues(left, right) === 0;
}

/** What values can be looked up by. */
export type ComparisonKey = string | number | boolean | null;

/**
 * A key that equal values share, and that grows with the value where values have an order. Different values may share one,
 * so what is found by it is still to be compared. Undefined for arrays and objects.
 */
export function comparisonKey(value: Json | undefined): ComparisonKey | undefined {
  switch (typeof value) {
    case 'string':
      return mayBeNumberOrInstant(value) ? textKey(value) : value;
    case 'bigint':
      return Number(value);
    case 'object':
      return value === null ? null : undefined;
    default:
      return value;
  }
}

/** True for a text that writes a number: `12`, `-0.50`, `1e3`, `Infinity`. */
export function isNumericText(text: string): boolean {
  return text.length <= longestNumericText && numericPattern.test(text);
}

/** By code point: UTF-16 code units put characters beyond U+FFFF before U+E000. */
export function compareCodePoints(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let i = 0; i < length; i++) {
    const difference = codePointRank(left.charCodeAt(i)) - codePointRank(right.charCodeAt(i));
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

function equalParts(left: Json, right: Json): boolean | undefined {
  try {
    return isDeepStrictEqual(left, right);
  } catch {
    return undefined;
  }
}

function isSameInstant(left: string, right: string): boolean {
  const instant = instantOf(left);
  return instant !== undefined && instant === instantOf(right);
}

function isNumber(value: Json): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}

/** Longer digits are text: reading them takes quadratic time. */
const longestNumericText = 100;
const numericPattern = /^-?(?:\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?|Infinity)$/;

/** So short that a double holds every digit of it. */
const exactDigits = 15;

function compareTexts(left: string, right: string): number | undefined {
  const leftInstant = instantOf(left);
  const rightInstant = instantOf(right);
  if (leftInstant !== undefined && rightInstant !== undefined) return order(leftInstant, rightInstant);
  if (leftInstant !== rightInstant) return undefined;
  const isNumeric = isNumericText(left);
  if (isNumeric !== isNumericText(right)) return undefined;
  return isNumeric ? compareNumbers(left, right) : compareCodePoints(left, right);
}

function compareNumbers(left: number | bigint | string, right: number | bigint | string): number | undefined {
  const leftShort = shortNumber(left);
  const rightShort = shortNumber(right);
  if (leftShort !== undefined && rightShort !== undefined) return order(leftShort, rightShort);
  return compareDecimals(String(left), String(right));
}

function order(left: number | bigint, right: number | bigint): number | undefined {
  if (left < right) return -1;
  if (left > right) return 1;
  return left === right || !(Number.isNaN(left) || Number.isNaN(right)) ? 0 : undefined;
}

function shortNumber(value: number | bigint | string): number | bigint | undefined {
  if (typeof value !== 'string') return value;
  return value.length <= exactDigits ? Number(value) : undefined;
}

function compareDecimals(left: string, right: string): number | undefined {
  const a = decimalOf(left);
  const b = decimalOf(right);
  if (!a || !b) return order(Number(left), Number(right));
  const exponent = Math.min(a.exponent, b.exponent);
  return order(a.digits * 10n ** BigInt(a.exponent - exponent), b.digits * 10n ** BigInt(b.exponent - exponent));
}

/** The number as digits times a power of ten; null when it is not finite. */
function decimalOf(text: string): { digits: bigint; exponent: number } | null {
  const parts = /^(-?\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (!parts) return null;
  const [, whole, fraction = '', exponent = '0'] = parts;
  return { digits: BigInt(`${whole}${fraction}`), exponent: Number(exponent) - fraction.length };
}

function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

/** By the first character: a digit, a sign, or the first letter of `Infinity`. */
function mayBeNumberOrInstant(text: string): boolean {
  const first = text.charCodeAt(0);
  return (first >= 48 && first <= 57) || first === 45 || first === 73 || first === 105;
}

function textKey(text: string): string | number {
  return isNumericText(text) ? Number(text) : (instantOf(text) ?? text);
}
