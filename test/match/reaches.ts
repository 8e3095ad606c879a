import type { AccessPredicate } from '../../src/match/condition.ts';
import { comparisonKey } from '../../src/model/compare-values.ts';
import type { Json } from '../../src/model/json.ts';

/** Whether a value of the (one) field fits all that the index is told to look for. */
export function reaches(access: readonly AccessPredicate[], value: Json): boolean {
  const key = comparisonKey(value);
  return access.every((predicate) => {
    if ('values' in predicate) return predicate.values.some((wanted) => comparisonKey(wanted) === key);
    return typeof key === 'number' && key >= predicate.range.min && key <= predicate.range.max;
  });
}
