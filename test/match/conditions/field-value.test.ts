import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { operators } from '../../../src/match/operators/index.ts';
import { workflowShare } from '../../../src/match/search-share.ts';
import type { Verdict } from '../../../src/model/condition.ts';
import { exactNumber } from '../../../src/model/decimal.ts';
import type { EntityType, FieldType } from '../../../src/model/entity-type.ts';
import type { WorkflowEvent } from '../../../src/model/event.ts';
import type { Json } from '../../../src/model/json.ts';
import { compile, issuesOf, refusals, servicesOf, subjectOf } from '../compile.ts';
import { reaches } from '../reaches.ts';

const payload = {
  id: 7,
  status: 'approved',
  total: 500,
  price: '12.50',
  big: 9_007_199_254_740_993n,
  paid: true,
  note: null,
  empty: '',
  tags: ['vip', 'export'],
  due: '2026-11-21T09:00:00+01:00',
  customer: { id: 'c-1', limit: 500, toString: 'own' },
  items: [{ sku: 'A-1' }],
  watchers: ['ann', 'bob'],
  none: [],
} satisfies Json;

const field = (name: string, operator: string, value?: Json) => ({
  type: 'field_value',
  field: name,
  operator,
  ...(value !== undefined && { value }),
});

function verdictOf(definition: object, change: Partial<WorkflowEvent> = {}): Verdict {
  const subject = subjectOf({ payload, ...change });
  const condition = compile({ type: 'field_value', ...definition });
  expect(condition.trace(subject).result).toBe(condition.test(subject));
  return condition.test(subject);
}

describe('fieldValueCondition', () => {
  test.each<[string, string, Json | undefined, Verdict]>([
    ['status', 'eq', 'approved', true],
    ['status', 'eq', 'Approved', false],
    ['status', 'neq', 'open', true],
    ['status', 'eq', 5, false],
    ['total', 'eq', '500.0', true],
    ['total', 'gt', 499, true],
    ['total', 'gt', 500, false],
    ['total', 'gte', 500, true],
    ['total', 'lt', 500.5, true],
    ['total', 'lte', 499, false],
    ['total', 'gt', 'abc', 'error'],
    ['price', 'gt', 9, true],
    ['price', 'gt', '9', true],
    ['price', 'eq', 12.5, true],
    ['price', 'eq', '12.5', false],
    ['big', 'gt', 2 ** 53, true],
    ['big', 'eq', '9007199254740993', true],
    ['big', 'eq', 2 ** 53, false],
    ['paid', 'eq', true, true],
    ['paid', 'eq', 'true', false],
    ['due', 'eq', '2026-11-21T08:00:00Z', true],
    ['due', 'gt', '2026-11-21', true],
    ['due', 'lt', 'tomorrow', 'error'],
    ['customer.id', 'eq', 'c-1', true],
    ['payload.customer.id', 'eq', 'c-1', true],
    ['customer.toString', 'eq', 'own', true],
    ['items.0.sku', 'startswith', 'A-', true],
    ['event.operation', 'eq', 'insert', true],
    ['event.actor', 'eq', null, true],
    ['event.changed', 'is_empty', undefined, true],
    ['event.occurred_at', 'lt', '2026-03-03', true],
    ['status', 'in', ['open', 'approved'], true],
    ['total', 'in', ['500', 7], true],
    ['note', 'in', ['x', null], true],
    ['status', 'nin', ['open'], true],
    ['status', 'contains', 'prov', true],
    ['tags', 'contains', 'vip', true],
    ['tags', 'not_contains', 'b2b', true],
    ['total', 'contains', '5', 'error'],
    ['status', 'startswith', 'app', true],
    ['status', 'endswith', 'ved', true],
    ['status', 'matches', '^ap+ro', true],
    ['status', 'matches', 'z+', false],
    ['total', 'between', [100, 500], true],
    ['total', 'between', [501, 600], false],
    ['due', 'between', ['2026-11-20', '2026-11-22'], true],
    ['empty', 'is_empty', undefined, true],
    ['none', 'is_empty', undefined, true],
    ['total', 'is_not_empty', undefined, true],
    ['note', 'is_null', undefined, true],
    ['empty', 'is_null', undefined, false],
  ])('%s %s %s is %s', (name, operator, value, expected) => {
    expect(verdictOf(field(name, operator, value))).toBe(expected);
  });

  test('asks a list of a thousand values for one, not for each', () => {
    const values = Array.from({ length: 1_000 }, (_, index) =>
      index % 2 === 0 ? index + 0.5 : `2026-01-01T00:00:${index}`,
    );
    for (const operator of ['in', 'nin']) {
      const condition = compile({ type: 'field_value', field: 'x', operator, value: values });
      const start = process.cpuUsage();
      for (let index = 0; index < 100_000; index++) condition.test(subjectOf({ payload: { x: -index } }));
      // Looking at each of the values takes seconds.
      expect(process.cpuUsage(start).user / 1000).toBeLessThan(1_000);
    }
    const tooLong = { type: 'field_value', field: 'x', operator: 'in', value: Array.from({ length: 1_001 }, () => 1) };
    expect(refusals(tooLong)[0]).toMatch(/a list of 1 to 1000 values/);
  });

  test('keeps every digit of a number, whether the definition or the record has it', () => {
    const amount = exactNumber('12345678901234567.89');
    for (const value of [amount, '12345678901234567.89', '12345678901234567.890']) {
      const ask = (operator: string, payload: Json) =>
        compile({ type: 'field_value', field: 'x', operator, value }).test(subjectOf({ payload: { x: payload } }));
      expect([
        ask('eq', amount),
        ask('eq', exactNumber('12345678901234567.88')),
        ask('eq', 12345678901234568n),
      ]).toEqual([true, false, false]);
      expect([ask('lt', 12345678901234567n), ask('lte', amount), ask('gt', 12345678901234568n)]).toEqual([
        true,
        true,
        true,
      ]);
    }
    const among = compile({ type: 'field_value', field: 'x', operator: 'in', value: [1, amount] });
    expect(among.test(subjectOf({ payload: { x: amount } }))).toBe(true);
    const empty = compile({ type: 'field_value', field: 'x', operator: 'is_empty' });
    expect(empty.test(subjectOf({ payload: { x: amount } }))).toBe(false);
    expect(
      compile({ type: 'field_value', field: 'x.toString', operator: 'is_null' }).test(
        subjectOf({ payload: { x: amount } }),
      ),
    ).toBe(true);
  });

  test('takes null for a value that equals only null and is neither above nor below anything', () => {
    expect(verdictOf(field('note', 'eq', null))).toBe(true);
    expect(verdictOf(field('note', 'neq', 'x'))).toBe(true);
    expect(verdictOf(field('note', 'nin', ['x']))).toBe(true);
    for (const operator of ['gt', 'gte', 'lt', 'lte']) expect(verdictOf(field('note', operator, 1))).toBe(false);
    expect(verdictOf(field('note', 'between', [0, 9]))).toBe(false);
    expect(verdictOf(field('note', 'contains', 'x'))).toBe(false);
    expect(verdictOf(field('note', 'not_contains', 'x'))).toBe(true);
    expect(verdictOf(field('note', 'matches', 'x'))).toBe(false);
  });

  test('cannot decide about a field that is not there, unless it is asked whether it is', () => {
    const values: Record<string, Json> = { in: ['x'], nin: ['x'], between: [1, 2], matches: 'x' };
    for (const { kind, name } of operators) {
      if (kind !== 'binary') continue;
      expect(verdictOf(field('missing', name, values[name] ?? 'x')), name).toBe('error');
    }
    expect(verdictOf(field('customer.address.city', 'eq', null))).toBe('error');
    expect(verdictOf(field('note.deeper', 'neq', 'x'))).toBe('error');
    expect(verdictOf(field('previous.status', 'neq', 'x'))).toBe('error');
    expect(verdictOf(field('missing', 'is_null'))).toBe(true);
    expect(verdictOf(field('missing', 'is_not_null'))).toBe(false);
    expect(verdictOf(field('missing', 'is_empty'))).toBe(true);
    expect(verdictOf(field('missing', 'is_not_empty'))).toBe(false);
  });

  test('reads nothing that a record has only from its prototype', () => {
    const own = JSON.parse('{"__proto__": {"admin": true}}') as Json;
    expect(verdictOf(field('toString', 'is_null'), { payload: own })).toBe(true);
    expect(verdictOf(field('valueOf.name', 'is_null'), { payload: own })).toBe(true);
    expect(verdictOf(field('admin', 'is_null'), { payload: own })).toBe(true);
    expect(refusals(field('__proto__.admin', 'eq', true))[0]).toMatch(/is not a field path/);
    expect(refusals(field('a.constructor', 'eq', true))[0]).toMatch(/is not a field path/);
  });

  test('compares with another field, and cannot decide when that is not there', () => {
    const other = (name: string, operator: string, valueField: string) =>
      verdictOf({ field: name, operator, valueField }, { previous: { total: 400 } });
    expect(other('total', 'gt', 'previous.total')).toBe(true);
    expect(other('total', 'lte', 'customer.limit')).toBe(true);
    expect(other('total', 'eq', 'price')).toBe(false);
    expect(other('total', 'gt', 'missing')).toBe('error');
    expect(other('total', 'gt', 'status')).toBe('error');
    expect(other('event.actor', 'in', 'watchers')).toBe(false);
    expect(other('status', 'in', 'total')).toBe('error');
    expect(other('watchers', 'contains', 'customer.id')).toBe(false);
  });

  test('leaves case out where it is told to', () => {
    const folded = (operator: string, value: Json) =>
      verdictOf({ field: 'status', operator, value, caseSensitive: false });
    expect(folded('eq', 'APPROVED')).toBe(true);
    expect(folded('neq', 'APPROVED')).toBe(false);
    expect(folded('in', ['OPEN', 'Approved'])).toBe(true);
    expect(folded('contains', 'PROV')).toBe(true);
    expect(folded('startswith', 'App')).toBe(true);
    expect(folded('matches', '^APP')).toBe(true);
    expect(verdictOf({ field: 'tags', operator: 'contains', value: 'VIP', caseSensitive: false })).toBe(true);
    expect(verdictOf({ field: 'status', operator: 'matches', value: '^APP' })).toBe(false);
  });

  test('says in its trace what was asked for, what was found and what went wrong', async () => {
    const above = compile({ partId: 'p1', name: 'Big order', ...field('total', 'gt', 400) });
    expect(above.trace(subjectOf({ payload }))).toEqual({
      partId: 'p1',
      name: 'Big order',
      type: 'field_value',
      result: true,
      expected: 'total gt 400',
      actual: 500,
    });
    const missing = compile(field('totl', 'gt', 400));
    expect(await missing.evaluate(subjectOf({ payload }), servicesOf())).toMatchObject({
      result: 'error',
      error: 'the field "totl" is not there',
    });
    expect(compile(field('status', 'gt', 4)).trace(subjectOf({ payload })).error).toBe(
      'the text "approved" and the number 4 cannot be compared with "gt"',
    );
    const long = compile(field('text', 'eq', 'x')).trace(subjectOf({ payload: { text: 'y'.repeat(5000) } }));
    expect(String(long.actual)).toHaveLength(200);
    expect(compile(field('big', 'gt', 4)).trace(subjectOf({ payload })).actual).toBe('9007199254740993');
    expect(
      compile({ type: 'field_value', field: 'total', operator: 'gt', valueField: 'customer.limit' }).trace(
        subjectOf({ payload }),
      ).expected,
    ).toBe('total gt customer.limit (500)');
  });

  describe('over an update', () => {
    const update = (was: Json, is: Json, changed: readonly string[]): Partial<WorkflowEvent> => ({
      operation: 'update',
      previous: was,
      payload: is,
      changed,
    });
    const shipped = update(
      { status: 'open', total: '9.99', at: { x: 1 } },
      { status: 'shipped', total: '10.00', at: { x: 2 } },
      ['status', 'total', 'at'],
    );

    test.each<[object, Verdict]>([
      [{ field: 'status', operator: 'changed' }, true],
      [{ field: 'id', operator: 'changed' }, false],
      [{ field: 'at.x', operator: 'changed' }, true],
      [{ field: 'at.y', operator: 'changed' }, false],
      [{ field: 'status', operator: 'changed', from: 'open' }, true],
      [{ field: 'status', operator: 'changed', from: 'open', to: 'lost' }, false],
      [{ field: 'status', operator: 'changed', from: 'open', to: 'shipped' }, true],
      [{ field: 'status', operator: 'changed_from', value: 'open' }, true],
      [{ field: 'status', operator: 'changed_to', value: 'open' }, false],
      [{ field: 'status', operator: 'changed_to', value: 'shipped' }, true],
      [{ field: 'total', operator: 'increased' }, true],
      [{ field: 'total', operator: 'decreased' }, false],
      [{ field: 'missing', operator: 'increased' }, 'error'],
      [{ field: 'status', operator: 'increased' }, true],
    ])('%o is %s', (definition, expected) => {
      expect(verdictOf(definition, shipped)).toBe(expected);
    });

    test('nothing changed, rose or fell when it was no update', () => {
      for (const operator of ['changed', 'increased', 'decreased']) {
        expect(verdictOf({ field: 'missing', operator })).toBe(false);
        expect(verdictOf({ field: 'total', operator }, { ...shipped, operation: 'delete' })).toBe(false);
      }
    });

    test('null rises to nothing, and different kinds of values cannot be told', () => {
      expect(
        verdictOf({ field: 'total', operator: 'increased' }, update({ total: null }, { total: 5 }, ['total'])),
      ).toBe(false);
      expect(
        verdictOf({ field: 'total', operator: 'increased' }, update({ total: 'x' }, { total: 5 }, ['total'])),
      ).toBe('error');
    });

    test('the trace shows both values', () => {
      const condition = compile({ type: 'field_value', field: 'status', operator: 'changed', to: 'lost' });
      expect(condition.trace(subjectOf(shipped))).toMatchObject({
        result: false,
        expected: 'status changed to "lost"',
        actual: '"open" -> "shipped"',
      });
    });
  });

  describe('when it is saved', () => {
    test('names the setting, what is wrong with it, and what was probably meant', () => {
      expect(issuesOf(field('total', 'gtt', 5))).toEqual([
        expect.objectContaining({ path: 'conditions[0].operator', didYouMean: 'gt' }),
      ]);
      expect(refusals({ ...field('total', 'gt', 5), valu: 3 })[0]).toBe(
        'conditions[0].valu: unknown field "valu": did you mean "value"?',
      );
      expect(refusals(field('total', 'gt'))).toEqual(['conditions[0].value: is missing: "gt" needs a value']);
      expect(refusals(field('total', 'gt', null))[0]).toMatch(/must not be null: use "is_null"/);
      expect(refusals(field('total', 'gt', true))[0]).toMatch(/must be a number, a date or a text/);
      expect(refusals(field('total', 'eq', [1]))[0]).toMatch(/"in" and "nin" take lists/);
      expect(refusals(field('total', 'in', 5))[0]).toMatch(/takes a list of values/);
      expect(refusals(field('total', 'between', [5, 1]))[0]).toMatch(/lowest value first/);
      expect(refusals(field('total', 'between', [1]))[0]).toMatch(/lowest and the highest/);
      expect(refusals(field('total', 'is_null', 1))[0]).toMatch(/"is_null" takes no value/);
      expect(refusals(field('total', 'startswith', 1))[0]).toMatch(/must be a text/);
      expect(refusals({ ...field('total', 'gt', 5), caseSensitive: false })[0]).toMatch(/takes no caseSensitive/);
      expect(refusals({ ...field('total', 'gt', 5), valueField: 'limit' })[0]).toMatch(/write one of them/);
      expect(refusals({ type: 'field_value', field: 'total', operator: 'gt', valueField: 'a..b' })[0]).toMatch(
        /not a field path/,
      );
      expect(refusals({ type: 'field_value', field: 'previous.total', operator: 'changed' })[0]).toMatch(
        /without "previous."/,
      );
      expect(refusals({ type: 'field_value', field: 'total', operator: 'changed_to' })[0]).toMatch(/value: is missing/);
    });

    test('refuses regular expressions that do not compile, look around or repeat without measure', () => {
      for (const pattern of ['(', 'a(?=b)', '(a)\\1', 'a{1001}', '((a{10}){10}){10}', 'x'.repeat(501)]) {
        expect(refusals(field('note', 'matches', pattern)), pattern).toHaveLength(1);
      }
    });

    test('answers a regular expression made to hang in no time', () => {
      const condition = compile(field('text', 'matches', '(a+)+$'));
      const startedAt = performance.now();
      expect(condition.test(subjectOf({ payload: { text: `${'a'.repeat(30_000)}!` } }))).toBe(false);
      expect(performance.now() - startedAt).toBeLessThan(1_000);
      expect(condition.test(subjectOf({ payload: { text: 'a'.repeat(1_000_000) } }))).toBe('error');
    });

    const entityType = (fields: Record<string, FieldType>, name = 'order'): EntityType => ({
      name,
      fields: Object.entries(fields).map(([column, type]) => ({ name: column, type, nullable: true })),
      operations: ['insert'],
      table: null,
    });
    const order = entityType({
      total: 'number',
      paid: 'boolean',
      status: 'text',
      due: 'timestamp',
      at: 'time',
      ref: 'uuid',
      data: 'json',
      tags: 'array',
    });
    const uuid = '0B1F2C3D-0000-4000-8000-00000000000a';

    test.each<[string, string, Json | undefined, RegExp]>([
      ['total', 'gt', 'many', /must be a number, as the field is of type number/],
      ['total', 'contains', '5', /"contains" cannot be asked of a field of type number/],
      ['paid', 'gt', 1, /"gt" cannot be asked of a field of type boolean/],
      ['paid', 'eq', 'yes', /must be true or false/],
      ['due', 'gt', 'tomorrow', /must be an ISO date or timestamp/],
      ['previous.due', 'in', ['2026-01-01', 'x'], /\[1\]: must be an ISO date/],
      ['at', 'gt', '9:00', /must be a time of day/],
      ['at', 'gt', '09:00', /must be written as "09:00:00"/],
      ['ref', 'eq', 'x', /must be a UUID/],
      ['ref', 'eq', uuid, /must be written as "0b1f2c3d/],
      ['status', 'eq', true, /must be a text/],
      ['status', 'contains', 5, /must be a text/],
      ['tags', 'eq', 'vip', /cannot be asked of a field of type array/],
      ['event.operation', 'matches', '(', /is not a regular expression/],
      ['event.changed', 'eq', 'x', /cannot be asked of a field of type array/],
    ])('checks %s %s %s against the type of the field', (name, operator, value, message) => {
      expect(refusals(field(name, operator, value), { entityTypes: [order] })[0]).toMatch(message);
    });

    test('takes what fits the type, and whatever it is told when it does not know the type', () => {
      const accepted: [string, string, Json?][] = [
        ['total', 'gt', '500'],
        ['total', 'eq', null],
        ['status', 'gt', 5],
        ['data', 'gt', 5],
        ['data.x.y', 'startswith', 'a'],
        ['tags', 'contains', 5],
        ['ref', 'eq', uuid.toLowerCase()],
        ['at', 'gte', '09:00:00'],
        ['unknown', 'gt', 'x'],
      ];
      for (const [name, operator, value] of accepted) {
        expect(() => compile(field(name, operator, value), { entityTypes: [order] })).not.toThrow();
      }
      const other = entityType({ total: 'text' }, 'invoice');
      expect(() => compile(field('total', 'contains', '5'), { entityTypes: [order, other] })).not.toThrow();
    });

    test('refuses to compare fields whose values never compare', () => {
      const compared = (valueField: string) =>
        refusals({ type: 'field_value', field: 'total', operator: 'gt', valueField }, { entityTypes: [order] });
      expect(compared('due')[0]).toMatch(/type number cannot be compared with one of type timestamp/);
      expect(() => compared('status')).toThrow('it compiled');
    });
  });

  test('decides the same for a value it knows beforehand as for one it reads from a field', async () => {
    const value = fc.constantFrom<Json>(
      null,
      true,
      false,
      0,
      -1,
      5,
      5n,
      2 ** 53,
      9_007_199_254_740_993n,
      '5',
      '5.0',
      'abc',
      'ABC',
      '',
      '2026-11-21',
      '2026-11-21T00:00:00Z',
      '09:00',
      'NaN',
      'Infinity',
    );
    const binary = operators.filter((operator) => operator.kind === 'binary');
    await fc.assert(
      fc.property(value, value, fc.constantFrom(...binary), (left, right, operator) => {
        if (operator.operand.kind !== 'value' || !operator.fixed) return;
        const fixed = operator.fixed(right, workflowShare);
        expect(fixed.decide(left, fixed.right as never)).toBe(operator.decide(left, right));
      }),
      { numRuns: 3_000 },
    );
    await fc.assert(
      fc.property(
        value,
        fc.array(value, { minLength: 1, maxLength: 4 }),
        fc.constantFrom('in', 'nin'),
        (left, list, name) => {
          const operator = binary.find((one) => one.name === name);
          const fixed = operator?.fixed?.(list, workflowShare);
          expect(fixed?.decide(left, fixed.right as never)).toBe(operator?.decide(left, list));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test('is never true for a value outside what it tells the index to look for', async () => {
    const value = fc.constantFrom<Json>(
      null,
      true,
      0,
      5,
      5n,
      7.5,
      '5',
      '5.0',
      'abc',
      '2026-11-21',
      '2026-11-21T00:00:00Z',
      '2026-12-24',
    );
    const comparing = fc.constantFrom('eq', 'in', 'gt', 'gte', 'lt', 'lte', 'between');
    await fc.assert(
      fc.property(value, value, value, comparing, (found, right, other, operator) => {
        const definition = field('x', operator, operator === 'in' || operator === 'between' ? [right, other] : right);
        let condition: ReturnType<typeof compile>;
        try {
          condition = compile(definition);
        } catch {
          return;
        }
        const verdict = condition.test(subjectOf({ payload: { x: found } }));
        if (verdict === true) expect(reaches(condition.access, found)).toBe(true);
      }),
      { numRuns: 3_000 },
    );
  });
});
