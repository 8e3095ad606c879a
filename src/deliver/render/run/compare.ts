import { compareNumbers, type ExactNumber, isExactNumber } from '../../../model/decimal.ts';
import { findText } from './find-text.ts';
import type { Meter } from './meter.ts';
import { numericOf } from './number.ts';
import { isList, isRecord, textOf } from './value.ts';

/** `===`: same type and same value; numbers compare by value whatever their size, objects and lists by identity. */
export function isSame(left: unknown, right: unknown, meter: Meter): boolean {
  if (typeof left === 'string' && typeof right === 'string') {
    if (left.length !== right.length) return false;
    meter.read(left.length);
    return left === right;
  }
  if (left === right) return true;
  return isExactNumber(left) && isExactNumber(right) && isSameNumber(numericOf(left), numericOf(right));
}

/** `==`: as `===`, and null equals undefined, and text equals the number, true or false it spells. */
export function isEqual(left: unknown, right: unknown, meter: Meter): boolean {
  if (left === null || left === undefined) return right === null || right === undefined;
  if (typeof left === typeof right || !isScalar(left) || !isScalar(right)) return isSame(left, right, meter);
  return isSameNumber(spelledOut(left, meter), spelledOut(right, meter));
}

/** Text, true and false as the number that `==` takes them for. */
function spelledOut(value: unknown, meter: Meter): ExactNumber | undefined {
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value !== 'string') return numericOf(value);
  meter.read(value.length);
  return value.trim() === '' ? 0 : numericOf(value);
}

function isSameNumber(a: ExactNumber | undefined, b: ExactNumber | undefined): boolean {
  return a !== undefined && b !== undefined && compareNumbers(a, b) === 0;
}

function isScalar(value: unknown): boolean {
  return typeof value !== 'object' || isExactNumber(value);
}

/**
 * The order of two values: negative, 0 or positive. Numbers (and text that spells one, against a number) by value, text
 * by code units. Anything else has no order: undefined, and every comparison with it is false.
 */
export function order(left: unknown, right: unknown, meter: Meter): number | undefined {
  if (typeof left === 'string' && typeof right === 'string') {
    meter.read(Math.min(left.length, right.length));
    return left < right ? -1 : left > right ? 1 : 0;
  }
  const [a, b] = [numericOf(left), numericOf(right)];
  return a === undefined || b === undefined ? undefined : compareNumbers(a, b);
}

/** `in`: an element of a list, a part of a text, a key of an object; nothing is in anything else. */
export function isIn(needle: unknown, haystack: unknown, meter: Meter): boolean {
  if (isList(haystack)) {
    for (const element of haystack) {
      meter.step();
      if (isSame(element, needle, meter)) return true;
    }
    return false;
  }
  if (typeof needle === 'object' || needle === undefined) return false;
  const text = textOf(needle, meter);
  if (typeof haystack === 'string') return findText(haystack, text, 0, meter) >= 0;
  meter.read(text.length);
  return isRecord(haystack) && Object.hasOwn(haystack, text);
}
