import { describe, expect, test } from 'vitest';
import type { ConditionServices } from '../../../src/match/condition.ts';
import { compile, refusals, servicesOf, subjectOf } from '../compile.ts';

type Asked = Parameters<ConditionServices['countMatches']>[0];

/** Services whose every query finds `found` rows, and what they were asked. */
function finding(found: number): { services: ConditionServices; asked: Asked[] } {
  const asked: Asked[] = [];
  const services = servicesOf({
    countMatches: async (question) => {
      asked.push(question);
      return Math.min(found, question.atMost);
    },
  });
  return { services, asked };
}

const query = (settings: object = {}) => compile({ type: 'query_match', query: 'open orders', ...settings });

describe('queryMatchCondition', () => {
  test('asks the saved query of the tenant with values and fields', async () => {
    const { services, asked } = finding(3);
    const condition = query({ parameters: { customer: { field: 'owner' }, above: { value: 100 } } });
    expect(condition.test(subjectOf())).toBe('deferred');
    expect(await condition.evaluate(subjectOf(), services)).toEqual({
      type: 'query_match',
      result: true,
      expected: 'at least 1 found by "open orders"',
      actual: '1 or more ({"above":100,"customer":"ann"})',
    });
    expect(asked).toEqual([
      { tenantId: 'acme', query: 'open orders', parameters: { customer: 'ann', above: 100 }, atMost: 1 },
    ]);
  });

  test.each<[unknown, number, boolean]>([
    ['any', 0, false],
    ['any', 1, true],
    ['none', 0, true],
    ['none', 1, false],
    [{ atLeast: 3 }, 2, false],
    [{ atLeast: 3 }, 9, true],
    [{ atMost: 3 }, 3, true],
    [{ atMost: 3 }, 4, false],
    [{ atLeast: 2, atMost: 3 }, 1, false],
    [{ atLeast: 2, atMost: 3 }, 3, true],
    [{ atLeast: 2, atMost: 3 }, 4, false],
  ])('with expect %o and %d rows is %s', async (expect_, found, expected) => {
    const { services, asked } = finding(found);
    expect(await query({ expect: expect_ }).evaluate(subjectOf(), services)).toMatchObject({ result: expected });
    expect(asked[0]?.atMost).toBeLessThanOrEqual(4);
  });

  test('cannot be decided when a field is not there or null, or when the query fails', async () => {
    const condition = query({ parameters: { customer: { field: 'customer_id' } }, expect: 'none' });
    expect(condition.test(subjectOf())).toBe('error');
    expect(condition.trace(subjectOf()).error).toBe('the field "customer_id" (parameter "customer") is not there');
    expect(condition.trace(subjectOf({ payload: { customer_id: null } })).error).toMatch(/is null$/);
    expect(await query().evaluate(subjectOf(), servicesOf())).toMatchObject({
      result: 'error',
      error: 'nobody asked for matches',
    });
  });

  test('refuses names and bounds that cannot work', () => {
    const savedQueries = new Map([['open orders', ['customer']]]);
    const refusal = (settings: object) =>
      refusals({ type: 'query_match', query: 'open orders', ...settings }, { savedQueries });
    expect(refusal({ query: 'open order' })[0]).toMatch(
      /unknown saved query "open order": did you mean "open orders"\?/,
    );
    expect(refusal({ parameters: { custmer: { value: 1 } } })).toEqual([
      'conditions[0].parameters.custmer: unknown parameter "custmer": did you mean "customer"?',
      'conditions[0].parameters.customer: is missing: "open orders" needs it',
    ]);
    expect(refusal({ parameters: { customer: { field: '..' } } })[0]).toMatch(
      /parameters.customer.field: "\.\." is not a field path/,
    );
    expect(refusal({ parameters: { customer: 5 } })[0]).toMatch(/must be \{ "field": a path \}/);
    expect(refusal({ parameters: { customer: { value: 1 } }, expect: { atLeast: 3, atMost: 2 } })[0]).toMatch(
      /no count fits/,
    );
    expect(refusal({ parameters: { customer: { value: 1 } }, expect: 'some' })[0]).toMatch(/must be "any", "none"/);
    expect(() => query({ query: 'whatever' })).not.toThrow();
  });
});
