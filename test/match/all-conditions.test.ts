import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allConditions } from '../../src/match/all-conditions.ts';
import { allOf } from '../../src/model/condition.ts';
import { compile, subjectOf } from './compile.ts';

const field = (name: string, operator: string, value?: unknown) =>
  compile({ type: 'field_value', field: name, operator, ...(value !== undefined && { value }) });
const isTrue = field('total', 'gte', 10);
const isFalse = field('total', 'lt', 10);
const isUnknown = field('nowhere', 'eq', 1);
const isDeferred = compile({ type: 'role_based', user_field: 'owner', required_role: 'r' });
const subject = subjectOf({ payload: { total: 10, status: 'Open', owner: 'ann' } });

describe('allConditions', () => {
  test('says of conditions of every kind, however many, what allOf says of each', async () => {
    const condition = fc.constantFrom(
      isTrue,
      isTrue,
      isTrue,
      field('status', 'is_not_null'),
      compile({ type: 'field_value', field: 'status', operator: 'eq', value: 'OPEN', caseSensitive: false }),
      compile({ type: 'field_value', field: 'status', operator: 'eq', valueField: 'status' }),
      compile({ type: 'composite', not: { type: 'field_value', field: 'total', operator: 'gt', value: 10 } }),
      isFalse,
      isUnknown,
      isDeferred,
    );
    await fc.assert(
      fc.property(fc.array(condition, { maxLength: 40, size: 'max' }), (conditions) => {
        const joined = allConditions(conditions);
        expect(joined.test(subject)).toBe(allOf(conditions.map((one) => one.test(subject))));
        expect(joined.test(subject)).toBe(allOf(joined.trace(subject).map(({ result }) => result)));
      }),
      { numRuns: 1_000 },
    );
  });

  test.each([
    ['true', isTrue, true],
    ['false', isFalse, false],
    ['an error', isUnknown, 'error'],
    ['deferred', isDeferred, 'deferred'],
  ] as const)('takes a list of any length of which the last is %s', (_name, last, expected) => {
    const many = Array.from({ length: 100_000 }, () => isTrue);
    expect(allConditions([...many, last]).test(subject)).toBe(expected);
  });
});
