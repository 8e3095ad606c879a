import { isExactNumber } from '../../../model/decimal.ts';
import { isSame, order } from './compare.ts';
import type { Meter } from './meter.ts';
import { calculate, numericOf } from './number.ts';
import { isList, isRecord } from './value.ts';

/** One test of the language: `value is name` or `value is name(argument)`. Total, as filters are. */
export type ValueTest = {
  /** How many arguments must be given. */
  readonly takes: 0 | 1;
  readonly holds: (value: unknown, argument: unknown, meter: Meter) => boolean;
};

function simple(holds: (value: unknown) => boolean): ValueTest {
  return { takes: 0, holds };
}

function against(holds: (value: unknown, argument: unknown, meter: Meter) => boolean): ValueTest {
  return { takes: 1, holds };
}

function ordered(holds: (difference: number) => boolean): ValueTest {
  return against((value, argument, meter) => {
    const difference = order(value, argument, meter);
    return difference !== undefined && holds(difference);
  });
}

const greater = ordered((difference) => difference > 0);
const less = ordered((difference) => difference < 0);
const same = against(isSame);

function isMultiple(value: unknown, of: unknown): boolean {
  return calculate('%', value, of) === 0;
}

function inCase(change: (text: string) => string): ValueTest {
  return {
    takes: 0,
    holds: (value, _argument, meter) => {
      if (typeof value !== 'string') return false;
      meter.reserve(value.length * 3);
      meter.build(value.length);
      return change(value) === value;
    },
  };
}

/** Every test of the language by name. */
export const valueTests: ReadonlyMap<string, ValueTest> = new Map(
  Object.entries({
    boolean: simple((value) => typeof value === 'boolean'),
    defined: simple((value) => value !== undefined),
    divisibleby: against(isMultiple),
    eq: same,
    equalto: same,
    even: simple((value) => isMultiple(value, 2)),
    falsy: simple((value) => !value),
    ge: ordered((difference) => difference >= 0),
    greaterthan: greater,
    gt: greater,
    iterable: simple((value) => isList(value) || typeof value === 'string'),
    le: ordered((difference) => difference <= 0),
    lessthan: less,
    lower: inCase((text) => text.toLowerCase()),
    lt: less,
    mapping: simple(isRecord),
    ne: against((value, argument, meter) => !isSame(value, argument, meter)),
    none: simple((value) => value === null),
    null: simple((value) => value === null),
    number: simple(isExactNumber),
    odd: simple((value) => numericOf(value) !== undefined && isMultiple(calculate('-', value, 1), 2)),
    sameas: same,
    string: simple((value) => typeof value === 'string'),
    truthy: simple(Boolean),
    undefined: simple((value) => value === undefined),
    upper: inCase((text) => text.toUpperCase()),
  }),
);
