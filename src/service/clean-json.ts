import type { Issue } from '../errors.ts';
import { Decimal, exactNumber } from '../model/decimal.ts';
import { type Json, stringifyJson } from '../model/json.ts';
import { pathText } from '../model/parse-input.ts';
import { isStorableText, unstorable } from '../model/storable-text.ts';

/** Most bytes of a definition as JSON. */
export const maxDefinitionBytes = 262_144;
/** Most arrays and objects inside each other. */
export const maxDefinitionDepth = 32;

const sizeIssue: Issue = { path: '', message: `is larger than ${maxDefinitionBytes / 1024} KiB as JSON` };

/**
 * An input as the JSON that will be stored: a copy without properties that are undefined. Issues name what PostgreSQL or
 * JSON cannot hold; in the copy null stands there. `value` is undefined when the whole is too large or too deep to look at.
 */
export function cleanJson(input: unknown): { value: Json | undefined; issues: readonly Issue[] } {
  const cleaner = new Cleaner();
  const value = cleaner.clean(input, []);
  const isTooLarge =
    cleaner.isExhausted || (!cleaner.isTooDeep && Buffer.byteLength(stringifyJson(value)) > maxDefinitionBytes);
  if (isTooLarge) return { value: undefined, issues: [sizeIssue] };
  return { value: cleaner.isTooDeep ? undefined : value, issues: cleaner.issues };
}

type Keys = readonly (string | number)[];

class Cleaner {
  readonly issues: Issue[] = [];
  isTooDeep = false;
  /** Every value takes a byte at least, so more values than bytes are too many; also ends input that refers to itself. */
  #left = maxDefinitionBytes;

  get isExhausted(): boolean {
    return this.#left < 0;
  }

  clean(value: unknown, keys: Keys): Json {
    this.#left -= 1;
    if (this.isExhausted) return null;
    if (value === null || typeof value === 'boolean' || typeof value === 'bigint' || value instanceof Decimal)
      return value;
    if (typeof value === 'number')
      return Number.isFinite(value) ? asItIsRead(value) : this.#refuse(keys, `${value} is not JSON`);
    if (typeof value === 'string') return this.#cleanText(value, keys);
    if (typeof value !== 'object') return this.#refuse(keys, `a value of type ${typeof value} is not JSON`);
    if (keys.length >= maxDefinitionDepth) {
      if (!this.isTooDeep) this.#refuse(keys, `is nested deeper than ${maxDefinitionDepth}`);
      this.isTooDeep = true;
      return null;
    }
    // By index: an array may have an iterator of any kind.
    if (Array.isArray(value))
      return Array.from({ length: value.length }, (_, index) => this.clean(value[index], [...keys, index]));
    if (!isPlainObject(value)) return this.#refuse(keys, `a ${value.constructor?.name ?? 'class'} is not JSON`);
    return this.#cleanObject(value, keys);
  }

  #cleanText(text: string, keys: Keys): Json {
    this.#left -= text.length;
    if (isStorableText(text)) return text;
    return this.#refuse(keys, unstorable);
  }

  #cleanObject(value: object, keys: Keys): Json {
    const copy: Record<string, Json> = {};
    for (const [key, part] of Object.entries(value)) {
      if (part === undefined) continue;
      this.#left -= key.length;
      const isAllowed = key !== '__proto__' && isStorableText(key);
      if (isAllowed) copy[key] = this.clean(part, [...keys, key]);
      else this.#refuse(keys, `${JSON.stringify(key)} cannot be the name of a field`);
      if (this.isExhausted) break;
    }
    return copy;
  }

  #refuse(keys: Keys, message: string): null {
    this.issues.push({ path: pathText('', keys), message });
    return null;
  }
}

/** A whole number beyond 2^53 comes back as a bigint: parts that name one are then as they were. */
function asItIsRead(value: number): Json {
  return Number.isInteger(value) ? exactNumber(String(value)) : value;
}

/** Also an object of another realm, whose prototype is not our Object.prototype. */
function isPlainObject(value: object): boolean {
  const prototype: object | null = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
