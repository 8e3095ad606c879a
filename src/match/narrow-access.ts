import { type ComparisonKey, comparisonKey } from '../model/compare-values.ts';
import type { AccessPredicate } from './condition.ts';

/** What the index looks for in one field: one of some keys, or a key in a window. */
export type FieldAccess = { readonly path: string; readonly segments: readonly string[] } & (
  | { readonly keys: readonly ComparisonKey[] }
  | { readonly min: number; readonly max: number }
);

/** One access per field: of several equalities the one with the fewest values, else the common part of all windows. */
export type NarrowAccess = {
  readonly accesses: readonly FieldAccess[];
  /** True when they say all that the predicates say. */
  readonly saysAll: boolean;
};

/** More fields tell no more workflows apart. */
const mostFields = 16;

/** Makes of predicates that must all be true what the index looks for. */
export function narrowAccess(predicates: readonly AccessPredicate[]): NarrowAccess {
  const accesses: FieldAccess[] = [];
  let saysAll = true;
  for (const predicate of predicates) {
    const access = fieldAccess(predicate);
    if (!access) {
      saysAll = false;
      continue;
    }
    const at = accesses.findIndex(({ path }) => path === access.path);
    const known = accesses[at];
    if (known) {
      if ('keys' in known || 'keys' in access) saysAll = false;
      accesses[at] = narrower(known, access);
    } else if (accesses.length < mostFields) accesses.push(access);
    else saysAll = false;
  }
  return { accesses, saysAll };
}

/** Null when it cannot be looked for: arrays and objects have no keys. */
function fieldAccess(predicate: AccessPredicate): FieldAccess | null {
  const { segments } = predicate;
  const path = segments.join('.');
  if ('range' in predicate) return { path, segments, min: predicate.range.min, max: predicate.range.max };
  const keys: ComparisonKey[] = [];
  for (const value of predicate.values) {
    const key = comparisonKey(value);
    if (key === undefined) return null;
    keys.push(key);
  }
  if (keys.length === 0) return null;
  return { path, segments, keys: keys.length === 1 ? keys : [...new Set(keys)] };
}

function narrower(one: FieldAccess, other: FieldAccess): FieldAccess {
  if ('keys' in one) return 'keys' in other && other.keys.length < one.keys.length ? other : one;
  if ('keys' in other) return other;
  return { ...one, min: Math.max(one.min, other.min), max: Math.min(one.max, other.max) };
}
