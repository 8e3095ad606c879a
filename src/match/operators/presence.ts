/** Operators that ask whether a field has a value. A field that is not there counts as null and as empty. */
import { isExactNumber } from '../../model/decimal.ts';
import { fieldTypes } from '../../model/entity-type.ts';
import type { Json } from '../../model/json.ts';
import type { PresenceOperator } from '../operator.ts';

/** `is_null`, `is_not_null`, `is_empty`, `is_not_empty`. */
export const presenceOperators: readonly PresenceOperator[] = [
  presence('is_null', isNull),
  presence('is_not_null', (value) => !isNull(value)),
  presence('is_empty', isEmpty),
  presence('is_not_empty', (value) => !isEmpty(value)),
];

function presence(name: string, decide: PresenceOperator['decide']): PresenceOperator {
  return { kind: 'presence', name, types: fieldTypes, decide };
}

function isNull(value: Json | undefined): boolean {
  return value === undefined || value === null;
}

/** Null, '', [] and {}; never a number, true or false. */
function isEmpty(value: Json | undefined): boolean {
  if (value === undefined || value === null || value === '') return true;
  if (typeof value !== 'object' || isExactNumber(value)) return false;
  return Array.isArray(value) ? value.length === 0 : Object.keys(value).length === 0;
}
