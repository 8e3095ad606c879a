import type { Meter } from '../run/meter.ts';
import { numericOf } from '../run/number.ts';
import { textOf } from '../run/value.ts';

/** A whole number between 0 and `most`; `fallback` for what is no number. */
export function countOf(value: unknown, fallback: number, most: number): number {
  const number = numericOf(value);
  if (number === undefined) return fallback;
  return Math.max(0, Math.min(most, Math.trunc(Number(number))));
}

/** The text of an argument; `fallback` if it is missing. */
export function textOr(value: unknown, fallback: string, meter: Meter): string {
  return value === undefined || value === null ? fallback : textOf(value, meter);
}

/** The text a text filter works on: charged for reading; false counts as nothing, as nunjucks has it. */
export function inputText(value: unknown, meter: Meter): string {
  const text = value === false ? '' : textOf(value, meter);
  meter.read(text.length);
  return text;
}
