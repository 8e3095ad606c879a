import { describe, expect, test } from 'vitest';
import { createHandlers } from '../../src/engine/built-in-handlers.ts';
import { compileWorkflow } from '../../src/engine/compile-workflow.ts';
import { allConditions } from '../../src/match/all-conditions.ts';
import { exceeds, searchShare, workflowShare } from '../../src/match/search-share.ts';
import type { Json } from '../../src/model/json.ts';
import type { WorkflowDefinition } from '../../src/model/workflow.ts';
import { compile, subjectOf } from './compile.ts';

const handlers = createHandlers();
const settings = { queue: 'default', excludeActor: false, maxRecipients: 10, logSkipped: false };

/** A workflow with so many conditions of a kind, none of which is true, in groups of a hundred. */
function manyOf(condition: object, count: number) {
  const group = (size: number) => ({
    type: 'composite',
    any: Array.from({ length: size }, () => ({ type: 'field_value', ...condition })),
  });
  const groups = Array.from({ length: count / 100 }, () => group(100));
  const definition: WorkflowDefinition = {
    triggers: [],
    conditions: [{ partId: 'c', type: 'composite', any: groups }],
    actions: [],
    recipients: [],
    settings,
  };
  return compileWorkflow({ workflowId: 'w', tenantId: 't', name: 'w', version: 1, definition }, handlers).conditions;
}

/** A list that counts how often an element of it is read. */
function watched(list: readonly Json[]): { list: readonly Json[]; reads: { count: number } } {
  const reads = { count: 0 };
  const proxy = new Proxy(list, {
    get: (of, key) => {
      if (typeof key === 'string' && /^\d+$/.test(key)) reads.count += 1;
      return Reflect.get(of, key);
    },
  });
  return { list: proxy, reads };
}

const moments = Array.from({ length: 20_000 }, (_, index) => `2026-01-01T00:00:00.${index}`);

describe('searchShare', () => {
  test('is the same for each condition of a workflow, those of its actions and inner ones included', () => {
    const one = { type: 'field_value' };
    const inner = { type: 'composite', all: [one, { type: 'composite', not: { type: 'composite', any: [one, one] } }] };
    expect(searchShare({ conditions: [], actions: [] })).toBe(workflowShare);
    expect(searchShare({ conditions: [one], actions: [{}] })).toBe(workflowShare);
    expect(searchShare({ conditions: [one, inner], actions: [{ conditions: [inner] }, {}] })).toBe(
      Math.floor(workflowShare / 7),
    );
  });

  test.each<[string, object, (list: readonly Json[]) => Json]>([
    ['search a list', { field: 'x', operator: 'contains', value: 'y' }, (x) => ({ x })],
    ['look for a field in a list', { field: 'at', operator: 'in', valueField: 'x' }, (x) => ({ x, at: '2026-01-02' })],
    ['compare two lists', { field: 'x', operator: 'eq', valueField: 'y' }, (x) => ({ x, y: [...moments, 1].slice(1) })],
  ])('does not let hundreds of conditions each %s that is huge', (_what, condition, payload) => {
    const { list, reads } = watched(moments);
    const all = manyOf(condition, 200);
    const subject = subjectOf({ payload: payload(list) });
    reads.count = 0;
    expect(all.test(subject)).toBe('error');
    const [trace] = all.trace(subject);
    expect(trace?.children?.[0]?.children?.[0]?.error).toBe(
      'the record holds more than one of so many conditions may look through (500000 characters)',
    );
    expect(reads.count).toBeLessThan(3 * moments.length);
  });

  test('does not let them read a long text, whatever they do with it', () => {
    const text = 'ab'.repeat(100_000);
    for (const condition of [
      { operator: 'contains', value: 'c' },
      { operator: 'eq', value: 'c', caseSensitive: false },
      { operator: 'gt', valueField: 'y' },
      { operator: 'matches', value: 'c' },
    ]) {
      const all = manyOf({ field: 'x', ...condition }, 1_000);
      expect(all.test(subjectOf({ payload: { x: text, y: text } })), condition.operator).toBe('error');
    }
    const changed = manyOf({ field: 'x', operator: 'changed' }, 1_000);
    const lists = { payload: { x: [text] }, previous: { x: [text] } };
    expect(changed.test(subjectOf({ ...lists, operation: 'update', changed: ['x'] }))).toBe('error');
    expect(changed.test(subjectOf({ ...lists, previous: null, operation: 'insert' }))).toBe(false);
  });

  test('leaves regular expressions together as many steps as a few of them have', () => {
    const pattern = { field: 'x', operator: 'matches', value: '(a|b)*a(a|b){120}c' };
    const text = 'ab'.repeat(1_000);
    expect(compile({ type: 'field_value', ...pattern }).test(subjectOf({ payload: { x: text } }))).toBe(false);
    expect(manyOf(pattern, 100).test(subjectOf({ payload: { x: text } }))).toBe('error');
    expect(manyOf(pattern, 100).test(subjectOf({ payload: { x: 'ab' } }))).toBe(false);
  });

  test('is enough for a hundred conditions over a text of 100,000 characters and a list of a thousand', () => {
    const payload = { x: 'ab'.repeat(50_000), y: moments.slice(0, 1_000) };
    for (const field of ['x', 'y']) {
      expect(manyOf({ field, operator: 'contains', value: 'c' }, 100).test(subjectOf({ payload }))).toBe(false);
    }
  });

  test('counts what is inside of a value, and looks no further than the share goes', () => {
    expect(exceeds({ a: ['b'.repeat(700)] }, 900)).toBe(false);
    expect(exceeds({ a: ['b'.repeat(701)] }, 900)).toBe(true);
    expect(exceeds(JSON.parse('['.repeat(5_000) + ']'.repeat(5_000)), workflowShare)).toBe(true);
    const { list, reads } = watched(moments);
    expect(exceeds({ list }, 1_000_000)).toBe(true);
    expect(reads.count).toBe(0);
  });

  test('also binds conditions that must all be true, which are asked together', () => {
    const condition = compile({ type: 'field_value', field: 'note', operator: 'not_contains', value: 'b' });
    const both = allConditions([condition, condition]);
    expect(both.test(subjectOf({ payload: { note: 'a'.repeat(100) } }))).toBe(true);
    expect(both.test(subjectOf({ payload: { note: 'a'.repeat(workflowShare + 1) } }))).toBe('error');
  });
});
