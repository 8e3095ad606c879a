import { type ComparisonKey, comparisonKey } from '../model/compare-values.ts';
import type { AccessPredicate } from './condition.ts';

/** What the index looks for in one field: one of some keys, or a key in a window. */
export type FieldAccess = { readonly segments: readonly string[] } & (
  | { readonly keys: readonly ComparisonKey[] }
  | { readonly min: number; readonly max: number }
);

/** One access per field: of several equalities the one with the fewest values, else the common part of all windows. */
export function narrowAccess(predicates: readonly AccessPredicate[]): readonly FieldAccess[] {
  const byPath = new Map<string, FieldAccess>();
  for (const predicate of predicates) {
    const access = fieldAccess(predicate);
    if (!access) continue;
    const path = access.segments.join('.');
    const known = byPath.get(path);
    byPath.set(path, known ? narrower(known, access) : access);
  }
  return [...byPath.values()];
}

/** Null when it cannot be looked for: arrays and objects have no keys. */
function fieldAccess(predicate: AccessPredicate): FieldAccess | null {
  const { segments } = predicate;
  if ('range' in predicate) return { segments, ...predicate.range };
  const keys = new Set<ComparisonKey>();
  for (const value of predicate.values) {
    const key = comparisonKey(value);
    if (key === undefined) return null;
    keys.add(key);
  }
  return keys.size > 0 ? { segments, keys: [...keys] } : null;
}

function narrower(one: FieldAccess, other: FieldAccess): FieldAccess {
  if ('keys' in one) return 'keys' in other && other.keys.length < one.keys.length ? other : one;
  if ('keys' in other) return other;
  return { ...one, min: Math.max(one.min, other.min), max: Math.min(one.max, other.max) };
}
