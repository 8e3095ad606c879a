/**
 * Operators that look for equal values, as `model/compare-values.ts` says. A field that is not there is an error. Null is a
 * value: it equals only null, so `neq` and `nin` are true for it. Values of different kinds are merely not equal.
 */
import { comparisonKey, equalValues } from '../../model/compare-values.ts';
import type { FieldType } from '../../model/entity-type.ts';
import type { Json } from '../../model/json.ts';
import type { BinaryOperator, Decision, FixedDecision } from '../operator.ts';

/** Types of fields that hold one value. */
export const scalarTypes: readonly FieldType[] = [
  'text',
  'number',
  'boolean',
  'date',
  'timestamp',
  'time',
  'uuid',
  'json',
  'other',
];

/** `eq`, `neq`, `in`, `nin`. */
export const equalityOperators: readonly BinaryOperator[] = [
  {
    ...equality('eq', true),
    access: (segments, right) => ({ segments, values: [right] }),
    isDecidedByAccess: isItsOwnKey,
  },
  equality('neq', false),
  {
    ...membership('in', true),
    access: (segments, right) => ({ segments, values: right as readonly Json[] }),
    isDecidedByAccess: (right) => (right as readonly Json[]).every(isItsOwnKey),
  },
  membership('nin', false),
];

/** What `eq` says of two values that are there. */
export function isEqual(left: Json, right: Json): Decision {
  return equalValues(left, right) ?? 'error';
}

/** What `in` says of a value that is there. */
export function isMember(left: Json, list: readonly Json[]): Decision {
  let result: Decision = false;
  for (const element of list) {
    const same = isEqual(left, element);
    if (same === true) return true;
    if (same === 'error') result = same;
  }
  return result;
}

/** Texts of a right side in lower case. */
export function lowerCase(right: Json): Json {
  if (typeof right === 'string') return right.toLowerCase();
  return Array.isArray(right) ? right.map(lowerCase) : right;
}

/** @param wanted the answer that makes the operator true */
function equality(name: string, wanted: boolean): BinaryOperator {
  const decide = (left: Json | undefined, right: Json): Decision =>
    left === undefined ? 'error' : is(wanted, isEqual(left, right));
  const decidePlain = (left: Json | undefined, right: Json): Decision => {
    if (left === right) return wanted;
    return left === undefined ? 'error' : !wanted;
  };
  const decideNumber = (left: Json | undefined, right: number): Decision =>
    typeof left === 'number' ? (left === right) === wanted : decide(left, right);
  return {
    kind: 'binary',
    name,
    operand: { kind: 'value', takes: 'any' },
    types: scalarTypes,
    allowsField: true,
    foldCase: lowerCase,
    decide,
    fixed: (right) => {
      if (isPlain(right)) return { right, decide: decidePlain };
      return { right, decide: typeof right === 'number' ? decideNumber : decide };
    },
  };
}

/** So many are compared as fast as one is looked up in a set. */
const mostComparedOneByOne = 8;

type List = { readonly keys: ReadonlySet<Json | undefined>; readonly values: readonly Json[] };

function membership(name: string, wanted: boolean): BinaryOperator {
  const decide = (left: Json | undefined, right: Json): Decision =>
    left === undefined || !Array.isArray(right) ? 'error' : is(wanted, isMember(left, right));
  const decideFew = (left: Json | undefined, values: readonly Json[]): Decision => {
    for (let i = 0; i < values.length; i++) if (values[i] === left) return wanted;
    return left === undefined ? 'error' : !wanted;
  };
  const decidePlain = (left: Json | undefined, keys: List['keys']): Decision => {
    if (keys.has(left)) return wanted;
    return left === undefined ? 'error' : !wanted;
  };
  const decideList = (left: Json | undefined, { keys, values }: List): Decision => {
    if (left === undefined) return 'error';
    return keys.has(comparisonKey(left)) ? is(wanted, isMember(left, values)) : !wanted;
  };
  return {
    kind: 'binary',
    name,
    operand: { kind: 'list', takes: 'any' },
    types: scalarTypes,
    allowsField: true,
    foldCase: lowerCase,
    decide,
    fixed: (right): FixedDecision => {
      const values = right as readonly Json[];
      if (values.length <= mostComparedOneByOne && values.every(isPlain)) return { right: values, decide: decideFew };
      const keys = new Set<Json | undefined>(values.map(comparisonKey));
      return values.every(isPlain)
        ? { right: keys, decide: decidePlain }
        : { right: { keys, values }, decide: decideList };
    },
  };
}

function is(wanted: boolean, decision: Decision): Decision {
  return decision === 'error' ? decision : decision === wanted;
}

/** Neither a number nor a date in disguise: only the identical value equals it. */
function isPlain(value: Json): boolean {
  return typeof value !== 'number' && isItsOwnKey(value);
}

function isItsOwnKey(value: Json): boolean {
  return comparisonKey(value) === value;
}
