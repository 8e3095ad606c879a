import { Decimal } from '../../../model/decimal.ts';
import type { Json } from '../../../model/json.ts';
import type { Allowance } from './run.ts';
import { checkDepth, isList, isRecord, keysOf, memberOf } from './value.ts';

/**
 * A copy of a value as JSON, charged as output. What JSON cannot hold (undefined, functions, symbols, numbers that are
 * not finite) becomes null; a key such as `__proto__` stays an ordinary key.
 */
export function jsonOf(value: unknown, allowance: Allowance, depth = 0): Json {
  allowance.meter.step();
  allowance.write(lengthOf(value));
  if (typeof value === 'number') return Number.isFinite(value) ? value : null;
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'bigint') return value;
  if (value instanceof Decimal) return value;
  if (typeof value !== 'object' || value === null) return null;
  checkDepth(depth);
  if (isList(value)) return Array.from(value, (element) => jsonOf(element, allowance, depth + 1));
  if (!isRecord(value)) return null;
  const keys = keysOf(value, allowance.meter);
  return objectOf(
    keys.map((key) => {
      allowance.write(lengthOf(key) + 2);
      return [key, jsonOf(memberOf(value, key), allowance, depth + 1)];
    }),
  );
}

/** About how many characters a scalar, or the brackets of anything else, will take. */
function lengthOf(value: unknown): number {
  if (typeof value === 'string') return value.length + 2;
  return typeof value === 'bigint' || value instanceof Decimal ? String(value).length : 4;
}

/** An object with exactly these own keys, whatever they are called. */
export function objectOf(entries: readonly (readonly [string, Json])[]): Json {
  return Object.fromEntries(entries);
}
