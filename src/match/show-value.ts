import { isExactNumber } from '../model/decimal.ts';
import { type Json, stringifyJson } from '../model/json.ts';

const longestText = 200;

/** A value as an execution log keeps it: short, and nothing that JSON cannot say. */
export function showValue(value: Json | undefined): Json | undefined {
  switch (typeof value) {
    case 'string':
      return cutText(value);
    case 'bigint':
      return String(value);
    case 'object':
      return value === null ? null : cutText(jsonText(value));
    default:
      return value;
  }
}

/** A value inside a sentence: texts in quotes, lists and objects as JSON. */
export function quoteValue(value: Json | undefined): string {
  return value === undefined ? 'nothing' : cutText(jsonText(value));
}

/** A value with its kind inside a sentence: `the text "abc"`. */
export function describeValue(value: Json): string {
  if (value === null) return 'null';
  if (typeof value === 'boolean') return String(value);
  if (Array.isArray(value)) return `the list ${quoteValue(value)}`;
  if (isExactNumber(value)) return `the number ${quoteValue(value)}`;
  return `the ${typeof value === 'string' ? 'text' : 'object'} ${quoteValue(value)}`;
}

/** The first 200 characters of a text, the last of them `…` when there was more. */
export function cutText(text: string): string {
  return text.length <= longestText ? text : `${text.slice(0, longestText - 1)}…`.toWellFormed();
}

const texts = new WeakMap<object, string>();

/** The beginning of a value as JSON: enough to cut. One that many conditions look at is written once. */
function jsonText(value: Json): string {
  if (typeof value === 'string') return JSON.stringify(value.slice(0, longestText));
  if (typeof value !== 'object' || value === null) return String(value);
  const known = texts.get(value);
  if (known !== undefined) return known;
  const text = cutText(writtenJson(value));
  texts.set(value, text);
  return text;
}

function writtenJson(value: Json): string {
  try {
    return stringifyJson(value);
  } catch {
    return '(nested too deep to show)';
  }
}
