/**
 * How two values are compared, everywhere: in conditions, and in the index that finds workflows by value.
 *
 * - Every value is of a kind: number, moment, text, boolean, null, list or object. A text that writes a number
 *   (PostgreSQL's `numeric` is often handed on as text) has the order of numbers, one that writes an ISO date or timestamp
 *   the order of moments; what has no zone is UTC.
 * - Only values of one kind have an order, and NaN has none. Numbers compare exactly, however many digits they have. Other
 *   texts compare by code point, like PostgreSQL's collation "C": the same on every machine.
 * - Values are equal when they are the same number, moment, text and so on. Two texts that write one number differently
 *   ("007", "7") stay different texts; a text and a number are equal when the text writes that number.
 */
import { compareNumbers, Decimal, exactNumber, isExactNumber } from './decimal.ts';
import { instantOf } from './instant.ts';
import { type Json, ownProperty } from './json.ts';

/** Below 0, 0 or above 0 as `left` is less than, equal to or greater than `right`; undefined when they have no order. */
export function compareValues(left: Json, right: Json): number | undefined {
  if (typeof left === 'string') {
    if (typeof right === 'string') return compareTexts(left, right);
    return isExactNumber(right) && isNumericText(left) ? compareNumbers(exactNumber(left), right) : undefined;
  }
  if (!isExactNumber(left)) return undefined;
  if (isExactNumber(right)) return compareNumbers(left, right);
  return typeof right === 'string' && isNumericText(right) ? compareNumbers(left, exactNumber(right)) : undefined;
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
      if (value instanceof Decimal) return Number(value);
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
    return isSame(left, right);
  } catch {
    return undefined;
  }
}

/** In lists and objects texts are the same only as they are written; numbers however they are held (1e22, 10^22, -0). */
function isSame(left: Json | undefined, right: Json | undefined): boolean {
  if (isExactNumber(left) && isExactNumber(right)) return compareNumbers(left, right) === 0;
  if (!isStructure(left) || !isStructure(right)) return left === right;
  const names = Object.keys(left);
  return (
    Array.isArray(left) === Array.isArray(right) &&
    names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && isSame(ownProperty(left, name), ownProperty(right, name)))
  );
}

function isStructure(value: Json | undefined): value is Json & object {
  return typeof value === 'object' && value !== null && !(value instanceof Decimal);
}

function isSameInstant(left: string, right: string): boolean {
  const leftInstant = instantOf(left);
  const rightInstant = leftInstant === undefined ? undefined : instantOf(right);
  // Not by ===: of two spellings of one moment in 2254 one can be a number and the other a bigint.
  return leftInstant !== undefined && rightInstant !== undefined && compareNumbers(leftInstant, rightInstant) === 0;
}

/** Longer digits are text. */
const longestNumericText = 100;
const numericPattern = /^-?(?:\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?|Infinity)$/;

function compareTexts(left: string, right: string): number | undefined {
  const leftInstant = instantOf(left);
  const rightInstant = instantOf(right);
  if (leftInstant !== undefined && rightInstant !== undefined) return compareNumbers(leftInstant, rightInstant);
  if (leftInstant !== rightInstant) return undefined;
  const isNumeric = isNumericText(left);
  if (isNumeric !== isNumericText(right)) return undefined;
  return isNumeric ? compareNumbers(exactNumber(left), exactNumber(right)) : compareCodePoints(left, right);
}

function codePointRank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

/** By the first character: a digit, a sign, or the first letter of `Infinity`. */
function mayBeNumberOrInstant(text: string): boolean {
  const first = text.charCodeAt(0);
  return (first >= 48 && first <= 57) || first === 43 || first === 45 || first === 73 || first === 105;
}

function textKey(text: string): string | number {
  if (isNumericText(text)) return Number(text);
  const instant = instantOf(text);
  return instant === undefined ? text : Number(instant);
}
