/**
 * Operators that ask which value is above the other, as `model/compare-values.ts` says. A field that is not there is an
 * error, and so are values without an order. Null is neither above nor below anything.
 */
import { compareValues, comparisonKey } from '../../model/compare-values.ts';
import type { FieldType } from '../../model/entity-type.ts';
import type { Json } from '../../model/json.ts';
import type { AccessPredicate } from '../condition.ts';
import type { BinaryOperator, Decision } from '../operator.ts';
import { scalarTypes } from './equality.ts';

/** Types of fields whose values have an order. */
export const orderedTypes: readonly FieldType[] = scalarTypes.filter((type) => type !== 'boolean' && type !== 'uuid');

const gt = ordering({
  name: 'gt',
  accepts: (order) => order > 0,
  withNumber: (decide) => (left, right) =>
    typeof left === 'number' ? left > right || (left <= right ? false : 'error') : decide(left, right),
  range: (right) => ({ min: right, max: Number.POSITIVE_INFINITY }),
});

const gte = ordering({
  name: 'gte',
  accepts: (order) => order >= 0,
  withNumber: (decide) => (left, right) =>
    typeof left === 'number' ? left >= right || (left < right ? false : 'error') : decide(left, right),
  range: (right) => ({ min: right, max: Number.POSITIVE_INFINITY }),
});

const lt = ordering({
  name: 'lt',
  accepts: (order) => order < 0,
  withNumber: (decide) => (left, right) =>
    typeof left === 'number' ? left < right || (left >= right ? false : 'error') : decide(left, right),
  range: (right) => ({ min: Number.NEGATIVE_INFINITY, max: right }),
});

const lte = ordering({
  name: 'lte',
  accepts: (order) => order <= 0,
  withNumber: (decide) => (left, right) =>
    typeof left === 'number' ? left <= right || (left > right ? false : 'error') : decide(left, right),
  range: (right) => ({ min: Number.NEGATIVE_INFINITY, max: right }),
});

const between: BinaryOperator = {
  kind: 'binary',
  name: 'between',
  operand: { kind: 'pair', takes: 'ordered' },
  types: orderedTypes,
  allowsField: false,
  decide: (left, right) => {
    if (left === undefined) return 'error';
    if (left === null) return false;
    const [low, high] = right as readonly [Json, Json];
    const aboveLow = compareValues(left, low);
    const aboveHigh = compareValues(left, high);
    return aboveLow === undefined || aboveHigh === undefined ? 'error' : aboveLow >= 0 && aboveHigh <= 0;
  },
  access: (segments, right) => {
    const [min, max] = (right as readonly [Json, Json]).map(rangeKey);
    return min === undefined || max === undefined ? null : { segments, range: { min, max } };
  },
  isDecidedByAccess: (right) => (right as readonly [Json, Json]).every(isNumber),
};

/** `gt`, `gte`, `lt`, `lte`, `between`. */
export const orderOperators: readonly BinaryOperator[] = [gt, gte, lt, lte, between];

type Decide<Right> = (left: Json | undefined, right: Right) => Decision;
type Range = Extract<AccessPredicate, { range: unknown }>['range'];

function ordering(options: {
  name: string;
  accepts: (order: number) => boolean;
  /** The same decision for a number on the right side, without detours; NaN has no order. */
  withNumber: (decide: Decide<Json>) => Decide<number>;
  range: (right: number) => Range;
}): BinaryOperator {
  const { name, accepts, withNumber, range } = options;
  const decide = (left: Json | undefined, right: Json): Decision => {
    if (left === undefined) return 'error';
    if (left === null || right === null) return false;
    const order = compareValues(left, right);
    return order === undefined ? 'error' : accepts(order);
  };
  const decideNumber = withNumber(decide);
  return {
    kind: 'binary',
    name,
    operand: { kind: 'value', takes: 'ordered' },
    types: orderedTypes,
    allowsField: true,
    decide,
    fixed: (right) => ({ right, decide: typeof right === 'number' ? decideNumber : decide }),
    access: (segments, right) => {
      const key = rangeKey(right);
      return key === undefined ? null : { segments, range: range(key) };
    },
    isDecidedByAccess: isNumber,
  };
}

/** The number a right side is looked up by; none for texts that write no number and no moment. */
function rangeKey(right: Json): number | undefined {
  const key = comparisonKey(right);
  return typeof key === 'number' ? key : undefined;
}

function isNumber(value: Json): boolean {
  return typeof value === 'number';
}
