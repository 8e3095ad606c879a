import { isExactNumber } from '../model/decimal.ts';
import { createMask } from '../model/mask-secrets.ts';

const longestString = 2_048;
const longestDetail = 16_384;
const deepest = 12;
const cutMark = '[cut]';

/**
 * A copy of what a handler or transport said, fit to be stored and shown: every text in which one of the secrets occurs -
 * as it is, as it stands in a header, JSON text, URL, hexadecimal or Base64, alone or inside a longer text - has
 * `[redacted]` in its place; so has a tail that is the beginning of one. Strings are cut at 2 KiB, the whole at 16 KiB, and
 * what PostgreSQL cannot hold (NUL, lone surrogates) is replaced.
 *
 * A last line, not the first: a receiver that sends a secret back reversed or in pieces gets past it.
 *
 * @param secrets clear texts; those shorter than 4 characters are left alone
 */
export function redact(value: unknown, secrets: readonly string[]): unknown {
  return copy(value, { budget: { left: longestDetail }, mask: createMask(secrets), depth: 0 });
}

/** A place inside the detail; `budget` counts the characters that may still come, for all places together. */
type Place = { readonly budget: { left: number }; readonly mask: (text: string) => string; readonly depth: number };

function copy(value: unknown, place: Place): unknown {
  switch (typeof value) {
    case 'string':
      return copyText(value, place);
    case 'number':
    case 'boolean':
      place.budget.left -= 8;
      return value;
    case 'bigint':
      return copyText(String(value), place);
    case 'object':
      if (value === null) return null;
      if (value instanceof Date || value instanceof Error || isExactNumber(value))
        return copyText(String(value), place);
      if (place.depth >= deepest) return cutMark;
      return Array.isArray(value) ? copyList(value, place) : copyObject(value, place);
    default:
      return undefined;
  }
}

function copyList(list: readonly unknown[], place: Place): unknown[] {
  const { budget, depth } = place;
  const copied: unknown[] = [];
  for (const item of list) {
    if (budget.left <= 0) return [...copied, cutMark];
    budget.left -= 1;
    copied.push(copy(item, { ...place, depth: depth + 1 }) ?? null);
  }
  return copied;
}

function copyObject(object: object, place: Place): Record<string, unknown> {
  const { budget, depth } = place;
  const copied: [string, unknown][] = [];
  for (const [key, item] of Object.entries(object)) {
    if (budget.left <= 0) {
      copied.push([cutMark, true]);
      break;
    }
    copied.push([copyText(key, place), copy(item, { ...place, depth: depth + 1 })]);
  }
  return Object.fromEntries(copied);
}

function copyText(text: string, { budget, mask }: Place): string {
  const masked = mask(text.toWellFormed().replaceAll('\0', ' '));
  const room = Math.min(longestString, Math.max(budget.left, 0));
  const shown = masked.length > room ? `${masked.slice(0, room).toWellFormed()}${cutMark}` : masked;
  budget.left -= shown.length + 1;
  return shown;
}
