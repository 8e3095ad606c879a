import { Decimal, type ExactNumber, isExactNumber } from '../../../model/decimal.ts';
import { limits } from '../limits.ts';
import { TemplateFault } from '../template-error.ts';
import type { Meter } from './meter.ts';

/**
 * Reads an own property and nothing else: no prototype, no coercion of the key, no function or symbol as value.
 * Text and lists answer `length` and whole-number indices. Whatever is not there is undefined.
 */
export function memberOf(target: unknown, key: unknown): unknown {
  if (typeof target === 'string') return memberOfText(target, key);
  if (typeof target !== 'object' || target === null) return undefined;
  if (typeof key !== 'string' && typeof key !== 'number' && typeof key !== 'bigint') return undefined;
  const name = typeof key === 'string' ? key : String(key);
  if (!Object.hasOwn(target, name)) return undefined;
  return dataOnly((target as Record<string, unknown>)[name]);
}

function memberOfText(text: string, key: unknown): unknown {
  if (key === 'length') return text.length;
  return typeof key === 'number' && Number.isInteger(key) && key >= 0 && key < text.length ? text[key] : undefined;
}

/** The value, or undefined for what is no data (functions, symbols). */
export function dataOnly(value: unknown): unknown {
  return typeof value === 'function' || typeof value === 'symbol' ? undefined : value;
}

/** True for an object that is read by keys: not null, not a list, not a number. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Decimal);
}

/** True for a list. An object that only has a `length` is none. */
export function isList(value: unknown): value is readonly unknown[] {
  return Array.isArray(value);
}

/** The own keys of an object, charged. */
export function keysOf(value: Readonly<Record<string, unknown>>, meter: Meter): readonly string[] {
  const keys = Object.keys(value);
  meter.step(keys.length);
  return keys;
}

/**
 * The text of a value: text as it is, numbers as JSON prints them, lists as their elements with commas, objects as JSON; undefined, null and what is no finite number as nothing.
 */
export function textOf(value: unknown, meter: Meter): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : '';
  return textOfRest(value, meter, 0);
}

function textOfRest(value: unknown, meter: Meter, depth: number): string {
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (isExactNumber(value)) return textOfDigits(value, meter);
  if (isList(value)) return textOfList(value, meter, depth);
  return isRecord(value) ? jsonTextOf(value, meter, { depth }) : '';
}

function textOfDigits(value: ExactNumber, meter: Meter): string {
  const digits = String(value);
  meter.build(digits.length);
  return digits;
}

function textOfList(list: readonly unknown[], meter: Meter, depth: number): string {
  checkDepth(depth);
  let text = '';
  for (let index = 0; index < list.length; index++) {
    const value = dataOnly(list[index]);
    const isPlain = typeof value === 'string' || typeof value === 'number';
    const element = isPlain ? textOf(value, meter) : textOfRest(value, meter, depth + 1);
    meter.build(element.length + 1);
    text += index === 0 ? element : `,${element}`;
  }
  return text;
}

/** How a value is printed as JSON: blanks per level, and the level it starts at. */
export type JsonTextOptions = { readonly indent?: string; readonly depth?: number };

/** The value as JSON text, charged piece by piece; whatever JSON cannot hold becomes null. Never calls `toJSON`. */
export function jsonTextOf(value: unknown, meter: Meter, options: JsonTextOptions = {}): string {
  const { indent = '', depth = 0 } = options;
  const piece = jsonScalarOf(value, meter);
  if (piece !== undefined) return piece;
  checkDepth(depth);
  meter.step();
  const isArray = isList(value);
  const entries: string[] = [];
  const inner = { indent, depth: depth + 1 };
  if (isArray) {
    for (const element of value) entries.push(jsonTextOf(element, meter, inner));
  } else if (isRecord(value)) {
    for (const key of keysOf(value, meter)) {
      const name = jsonTextOf(key, meter);
      entries.push(`${name}:${indent ? ' ' : ''}${jsonTextOf(value[key], meter, inner)}`);
    }
  }
  return jsonBlockOf(entries, meter, { indent, depth, isArray });
}

function jsonScalarOf(value: unknown, meter: Meter): string | undefined {
  if (typeof value === 'string') {
    meter.reserve(value.length * 6);
    const text = JSON.stringify(value);
    meter.build(text.length);
    return text;
  }
  if (typeof value === 'bigint' || value instanceof Decimal) return textOfDigits(value, meter);
  if (typeof value === 'object' && value !== null) return undefined;
  const text = typeof value === 'number' || typeof value === 'boolean' ? JSON.stringify(value) : 'null';
  meter.build(text.length);
  return text;
}

function jsonBlockOf(
  entries: readonly string[],
  meter: Meter,
  shape: { indent: string; depth: number; isArray: boolean },
): string {
  const { indent, depth, isArray } = shape;
  const [open, close] = isArray ? ['[', ']'] : ['{', '}'];
  if (entries.length === 0) return open + close;
  const margin = indent.length * (depth + 1) + 1;
  meter.build(entries.reduce((sum, entry) => sum + entry.length + margin, 2));
  if (!indent) return open + entries.join(',') + close;
  const line = `\n${indent.repeat(depth + 1)}`;
  return `${open}${line}${entries.join(`,${line}`)}\n${indent.repeat(depth)}${close}`;
}

/** Ends the render if a value is nested deeper than allowed. */
export function checkDepth(depth: number): void {
  if (depth >= limits.valueDepth) {
    throw new TemplateFault(
      'value_too_deep',
      `a value is nested deeper than ${limits.valueDepth} levels: render a part of it`,
    );
  }
}
