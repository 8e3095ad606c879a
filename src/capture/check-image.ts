import type { Issue } from '../errors.ts';
import { stringifyJson } from '../model/json.ts';
import { pathText } from '../model/parse-input.ts';
import { isStorableText, unstorable } from '../model/storable-text.ts';

/** Most bytes of a domain event's payload, as JSON. */
export const maxImageBytes = 1_048_576;
/** Most arrays and objects inside each other in it. */
export const maxImageDepth = 64;

type Keys = readonly (string | number)[];

/**
 * What keeps a value from being stored as it is: text that PostgreSQL cannot hold, values that JSON has no words for, too much
 * of it. The path says where, from `path` on. A value with `toJSON` (a Date) counts as what it becomes.
 */
export function checkImage(path: string, image: unknown): Issue[] {
  const issue = firstIssue(image, []);
  if (issue) return [{ path: pathText(path, issue.keys), message: issue.message }];
  const bytes = Buffer.byteLength(stringifyJson(image));
  return bytes > maxImageBytes ? [{ path, message: `is ${bytes} bytes as JSON; ${maxImageBytes} are allowed` }] : [];
}

type Found = { readonly keys: Keys; readonly message: string };

function firstIssue(written: unknown, keys: Keys): Found | undefined {
  const value = hasToJson(written) ? written.toJSON() : written;
  switch (typeof value) {
    case 'undefined':
    case 'boolean':
    case 'bigint':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : { keys, message: `${value} is not JSON: write null or a text` };
    case 'string':
      return isStorableText(value) ? undefined : { keys, message: unstorable };
    case 'object':
      return value === null ? undefined : issueWithin(value, keys);
    default:
      return { keys, message: `a ${typeof value} is not JSON` };
  }
}

function issueWithin(value: object, keys: Keys): Found | undefined {
  if (keys.length >= maxImageDepth) return { keys: [], message: `is nested deeper than ${maxImageDepth}` };
  if (value instanceof Map || value instanceof Set) {
    return { keys, message: `a ${value.constructor.name} is not JSON: write an object or an array` };
  }
  const parts: [string | number, unknown][] = Array.isArray(value) ? [...value.entries()] : Object.entries(value);
  for (const [key, part] of parts) {
    if (typeof key === 'string' && !isStorableText(key)) return { keys: [...keys, key], message: unstorable };
    const found = firstIssue(part, [...keys, key]);
    if (found) return found;
  }
  return undefined;
}

function hasToJson(value: unknown): value is { toJSON(): unknown } {
  return typeof value === 'object' && value !== null && 'toJSON' in value && typeof value.toJSON === 'function';
}
