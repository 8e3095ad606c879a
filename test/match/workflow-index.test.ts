import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allConditions } from '../../src/match/all-conditions.ts';
import { type IndexedWorkflow, WorkflowIndex } from '../../src/match/workflow-index.ts';
import { compareValues, comparisonKey } from '../../src/model/compare-values.ts';
import { exactNumber } from '../../src/model/decimal.ts';
import type { WorkflowEvent } from '../../src/model/event.ts';
import { readField } from '../../src/model/field-path.ts';
import type { Json } from '../../src/model/json.ts';
import { sampleEvent } from '../support/sample-event.ts';
import { compile } from './compile.ts';

type Definition = {
  readonly conditions: readonly object[];
  readonly tenantId?: string;
  readonly triggers?: IndexedWorkflow<string>['triggers'];
  readonly reportFalse?: boolean;
};

const onInsert: IndexedWorkflow<string>['triggers'] = [{ entityType: 'order', operation: 'insert', isActive: true }];

function workflow(workflowId: string, definition: Definition): IndexedWorkflow<string> {
  const { conditions, tenantId = 'acme', triggers = onInsert, reportFalse = false } = definition;
  const condition = allConditions(conditions.map((one) => compile(one)));
  return { workflowId, tenantId, triggers, condition, reportFalse, value: workflowId };
}

const field = (name: string, operator: string, value: Json) => ({ type: 'field_value', field: name, operator, value });
const status = (value: string) => field('status', 'eq', value);

function matched(index: WorkflowIndex<string>, change: Partial<WorkflowEvent> = {}): string[] {
  const event = sampleEvent(change);
  return index
    .match(event, event.occurredAt)
    .map(({ value, verdict }) => `${value} ${verdict}`)
    .sort();
}

describe('WorkflowIndex', () => {
  test('finds workflows of the tenant whose trigger fits', () => {
    const index = new WorkflowIndex<string>();
    index.add(workflow('all', { conditions: [] }));
    index.add(workflow('other tenant', { conditions: [], tenantId: 'globex' }));
    index.add(
      workflow('update', { conditions: [], triggers: [{ entityType: 'order', operation: 'update', isActive: true }] }),
    );
    index.add(
      workflow('customer', {
        conditions: [],
        triggers: [{ entityType: 'customer', operation: 'insert', isActive: true }],
      }),
    );
    index.add(
      workflow('switched off', {
        conditions: [],
        triggers: [{ entityType: 'order', operation: 'insert', isActive: false }],
      }),
    );
    index.add(workflow('twice', { conditions: [], triggers: [...onInsert, ...onInsert] }));
    expect(matched(index)).toEqual(['all true', 'twice true']);
    expect(matched(index, { tenantId: 'globex' })).toEqual(['other tenant true']);
    expect(matched(index, { tenantId: 'nobody' })).toEqual([]);
    expect(matched(index, { operation: 'refunded' })).toEqual([]);
  });

  test('asks which columns changed', () => {
    const index = new WorkflowIndex<string>();
    const onUpdate = (fields: string[]) => ({ entityType: 'order', operation: 'update', fields, isActive: true });
    index.add(workflow('status', { conditions: [], triggers: [onUpdate(['status'])] }));
    index.add(workflow('total or note', { conditions: [], triggers: [onUpdate(['total']), onUpdate(['note'])] }));
    index.add(
      workflow('any', {
        conditions: [],
        triggers: [onUpdate(['status']), { entityType: 'order', operation: 'update', isActive: true }],
      }),
    );
    expect(matched(index, { operation: 'update', changed: ['note'] })).toEqual(['any true', 'total or note true']);
    expect(matched(index, { operation: 'update', changed: ['status', 'x'] })).toEqual(['any true', 'status true']);
    expect(matched(index, { operation: 'update', changed: [] })).toEqual(['any true']);
  });

  test('reports errors and what takes look-ups, and what is false only for those who asked for it', () => {
    const index = new WorkflowIndex<string>();
    const role = { type: 'role_based', user_field: 'owner', required_role: 'x' };
    index.add(workflow('error', { conditions: [status('open')] }));
    index.add(workflow('deferred', { conditions: [role] }));
    index.add(workflow('false', { conditions: [field('total', 'lt', 0)] }));
    index.add(workflow('false, told', { conditions: [field('total', 'lt', 0)], reportFalse: true }));
    expect(matched(index)).toEqual(['deferred deferred', 'error error', 'false, told false']);
  });

  test('puts a workflow in the place of the one with its id, and forgets what was removed', () => {
    const index = new WorkflowIndex<string>();
    index.add(workflow('w', { conditions: [] }));
    index.add(workflow('w', { conditions: [field('total', 'gt', 0)] }));
    index.remove('unknown');
    expect(index.workflowIds()).toEqual(['w']);
    expect(matched(index)).toEqual(['w true']);
    index.remove('w');
    expect(index.workflowIds()).toEqual([]);
    expect(matched(index)).toEqual([]);
  });

  test('asks few of many workflows, whatever tells them apart', () => {
    const asked = new Set<string>();
    const index = new WorkflowIndex<string>();
    const countries = ['AT', 'DE', 'FR', 'IT'];
    for (let i = 0; i < 2_000; i++) {
      const kinds: object[][] = [
        [field('customer', 'eq', `c-${i}`)],
        [status('open'), field('customer', 'in', [`c-${i}`, `d-${i}`])],
        [field('total', 'between', [i * 10, i * 10 + 5])],
        [
          status('open'),
          field('country', 'eq', countries[i % 4] as string),
          field('total', 'gte', i),
          field('total', 'lt', i + 2),
        ],
        [{ type: 'composite', any: [field('customer', 'eq', `e-${i}`), field('customer', 'eq', `f-${i}`)] }],
      ];
      const indexed = workflow(`w${i}`, { conditions: kinds[i % kinds.length] as object[] });
      const test = (subject: Parameters<typeof indexed.condition.test>[0]) => {
        asked.add(indexed.workflowId);
        return indexed.condition.test(subject);
      };
      index.add({ ...indexed, condition: { ...indexed.condition, test } });
    }
    expect(matched(index, { payload: { status: 'open', country: 'IT', customer: 'd-1001', total: 1003 } })).toEqual([
      'w1001 true',
      'w1003 true',
    ]);
    expect(asked.size).toBeLessThan(60);
  });

  test('asks nobody when the event has everything that all conditions need, and asks when it may not be enough', () => {
    const asked: string[] = [];
    const index = new WorkflowIndex<string>();
    const add = (workflowId: string, ...conditions: object[]) => {
      const indexed = workflow(workflowId, { conditions });
      const test: typeof indexed.condition.test = (subject) => {
        asked.push(workflowId);
        return indexed.condition.test(subject);
      };
      index.add({ ...indexed, condition: { ...indexed.condition, test } });
    };
    const customer = (id: Json) => field('customer', 'eq', id);
    for (let i = 0; i < 20; i++) add(`filler ${i}`, customer(`c-${i}`));
    add('open', customer('ann'), status('open'));
    add('closed', customer('ann'), status('closed'));
    add('above', customer('ann'), field('total', 'gt', 10));
    add('open and within', customer('ann'), status('open'), field('total', 'between', [5, 20]));
    add('three more', customer('ann'), status('open'), field('total', 'gt', 1), field('items', 'gte', 2));
    add('a list', customer('ann'), field('status', 'in', ['open', 'new']));
    add('another condition', customer('ann'), field('status', 'neq', 'x'));
    add('two of a field', customer('ann'), status('open'), field('status', 'in', ['closed', 'new']));

    expect(matched(index, { payload: { customer: 'ann', status: 'open', total: 15, items: 2 } })).toEqual([
      'a list true',
      'above true',
      'another condition true',
      'open and within true',
      'open true',
      'three more true',
    ]);
    expect(asked.sort()).toEqual(['a list', 'another condition', 'three more', 'two of a field']);

    asked.length = 0;
    // At the end of a range, and what is written in another way.
    expect(matched(index, { payload: { customer: 'ann', status: 'open', total: 10 } })).toContain(
      'open and within true',
    );
    expect(matched(index, { payload: { customer: 'ann', status: 'open', total: '15' } })).toContain('above true');
    expect(asked.filter((id) => id === 'above')).toEqual(['above', 'above']);
  });

  test('tells numbers apart that a double does not', () => {
    const index = new WorkflowIndex<string>();
    const exact = 9007199254740993n;
    for (let i = 0; i < 20; i++) index.add(workflow(`filler ${i}`, { conditions: [field('id', 'eq', i)] }));
    index.add(workflow('exact', { conditions: [field('id', 'eq', exact)] }));
    index.add(workflow('rounded', { conditions: [field('id', 'eq', 9007199254740992)] }));
    index.add(workflow('above', { conditions: [field('id', 'gt', 9007199254740992)] }));
    index.add(workflow('nothing between', { conditions: [field('id', 'gt', 5), field('id', 'lt', 5)] }));
    expect(matched(index, { payload: { id: exact } })).toEqual(['above true', 'exact true']);
    expect(matched(index, { payload: { id: 9007199254740992 } })).toEqual(['rounded true']);
    expect(matched(index, { payload: { id: 5 } })).toEqual(['filler 5 true']);
  });

  test('finds what asking every workflow finds, whatever was added and removed', async () => {
    const hairFromOne = exactNumber('1.00000000000000000001');
    const ordered = fc.constantFrom<Json>(
      ...[0, -0, 1, 2, 3, 1.5, 2n, '1', '2.0', '-0', hairFromOne, exactNumber('1e400')],
      ...[2 ** 53, 2n ** 53n + 1n, '9007199254740993'],
      ...['2026-01-01', '2026-01-01T00:00:00Z', '2254-09-29T00:00:00+02:00', '2254-09-28T22:00:00Z'],
    );
    const value = fc.oneof(ordered, fc.constantFrom<Json>('a', 'b', 'C', 'ab', '', true, null));
    const text = fc.constantFrom('a', 'A', 'b', 'c', '1');
    const list = fc.array(value, { minLength: 1, maxLength: 12 });
    const pair = fc.tuple(ordered, ordered).filter(([low, high]) => (compareValues(low, high) ?? 1) <= 0);
    const name = fc.constantFrom('x', 'y', 'z.w', 'previous.x', 'previous.z.w');
    const column = fc.constantFrom('x', 'y', 'z.w');
    const asking = (operator: fc.Arbitrary<string>, right: fc.Arbitrary<Json>) =>
      fc.tuple(name, operator, right).map((parts) => field(...parts));
    const leaf = fc.oneof(
      { weight: 4, arbitrary: asking(fc.constantFrom('eq', 'neq'), value) },
      { weight: 3, arbitrary: asking(fc.constantFrom('in', 'nin'), list) },
      { weight: 4, arbitrary: asking(fc.constantFrom('gt', 'gte', 'lt', 'lte'), ordered) },
      { weight: 2, arbitrary: asking(fc.constant('between'), pair) },
      {
        weight: 2,
        arbitrary: asking(fc.constantFrom('contains', 'not_contains', 'startswith', 'endswith', 'matches'), text),
      },
      {
        weight: 1,
        arbitrary: asking(fc.constantFrom('eq', 'neq', 'contains'), text).map((one) => ({
          ...one,
          caseSensitive: false,
        })),
      },
      {
        weight: 1,
        arbitrary: fc
          .tuple(name, fc.constantFrom('eq', 'gt', 'lte'), name)
          .map(([one, operator, valueField]) => ({ type: 'field_value', field: one, operator, valueField })),
      },
      {
        weight: 1,
        arbitrary: fc
          .tuple(name, fc.constantFrom('is_null', 'is_not_null', 'is_empty', 'is_not_empty'))
          .map(([one, operator]) => ({ type: 'field_value', field: one, operator })),
      },
      {
        weight: 2,
        arbitrary: fc
          .tuple(column, fc.constantFrom('changed_from', 'changed_to'), value)
          .map((parts) => field(...parts)),
      },
      {
        weight: 1,
        arbitrary: fc
          .tuple(column, fc.constantFrom('changed', 'increased', 'decreased'))
          .map(([one, operator]) => ({ type: 'field_value', field: one, operator })),
      },
      {
        weight: 1,
        arbitrary: fc
          .tuple(column, value, value)
          .map(([one, from, to]) => ({ type: 'field_value', field: one, operator: 'changed', from, to })),
      },
      { weight: 1, arbitrary: fc.constant({ type: 'role_based', user_field: 'x', required_role: 'r' }) },
    );
    const condition = fc.oneof(
      { weight: 6, arbitrary: leaf },
      {
        weight: 1,
        arbitrary: fc.array(leaf, { minLength: 1, maxLength: 3 }).map((any) => ({ type: 'composite', any })),
      },
      {
        weight: 1,
        arbitrary: fc.array(leaf, { minLength: 1, maxLength: 3 }).map((all) => ({ type: 'composite', all })),
      },
      { weight: 1, arbitrary: leaf.map((not) => ({ type: 'composite', not })) },
    );
    const definition = fc.record({
      conditions: fc.array(condition, { maxLength: 3 }),
      reportFalse: fc.constantFrom(false, false, false, true),
    });
    const record = fc.record({ x: value, y: value, z: fc.record({ w: value }) }, { requiredKeys: [] });
    const event = fc.record({
      payload: record,
      previous: fc.option(record),
      actor: fc.constantFrom('a', 'b', null),
      operation: fc.constantFrom('insert', 'update'),
      changed: fc.subarray(['x', 'y']),
    });
    const both = [...onInsert, { entityType: 'order', operation: 'update', isActive: true }];

    await fc.assert(
      fc.property(
        fc.array(definition, { minLength: 40, maxLength: 90 }),
        fc.array(event, { minLength: 5, maxLength: 10 }),
        fc.array(fc.nat(89), { maxLength: 60 }),
        (definitions, events, changes) => {
          const index = new WorkflowIndex<string>();
          const present = new Map<string, IndexedWorkflow<string>>();
          const workflows = definitions.map((one, i) => workflow(`w${i}`, { ...one, triggers: both }));
          for (const one of workflows) {
            index.add(one);
            present.set(one.workflowId, one);
          }
          for (const change of changes) {
            const one = workflows[change % workflows.length] as IndexedWorkflow<string>;
            if (present.delete(one.workflowId)) index.remove(one.workflowId);
            else {
              index.add(one);
              present.set(one.workflowId, one);
            }
          }
          for (const change of events) {
            const subject = { event: sampleEvent(change), now: new Date() };
            const reported = new Map(
              index.match(subject.event, subject.now).map(({ value, verdict }) => [value, verdict]),
            );
            expect(reported.size).toBe(index.match(subject.event, subject.now).length);
            for (const one of workflows) {
              const verdict = one.condition.test(subject);
              const expected =
                !present.has(one.workflowId) || (verdict === false && !one.reportFalse) ? undefined : verdict;
              // What cannot become true may be left out, when a field the workflow needs has another value or is not there.
              const isRuledOut = verdict !== true && !one.reportFalse && !canReach(one, subject.event);
              if (isRuledOut) expect([undefined, expected]).toContain(reported.get(one.workflowId));
              else expect(reported.get(one.workflowId)).toBe(expected);
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

/** Whether the event has, in every field the workflow needs, a value it may have. */
function canReach({ condition }: IndexedWorkflow<string>, event: WorkflowEvent): boolean {
  return condition.access.every((predicate) => {
    const key = comparisonKey(readField(event, predicate.segments));
    if ('values' in predicate)
      return key !== undefined && predicate.values.some((value) => comparisonKey(value) === key);
    return typeof key === 'number' && key >= predicate.range.min && key <= predicate.range.max;
  });
}
