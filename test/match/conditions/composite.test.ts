import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineCondition } from '../../../src/match/define-condition.ts';
import { allOf, anyOf, notOf, type Verdict } from '../../../src/model/condition.ts';
import { compile, refusals, servicesOf, subjectOf } from '../compile.ts';

const total = (operator: string, value: unknown) => ({ type: 'field_value', field: 'total', operator, value });
const yes = total('gt', 0);
const no = total('lt', 0);
const unsure = { type: 'field_value', field: 'missing', operator: 'gt', value: 1 };
const later = { type: 'role_based', user_field: 'owner', required_role: 'admin' };

const composite = (definition: object) => compile({ type: 'composite', ...definition });

describe('compositeCondition', () => {
  test('joins what is at hand, what is not and what cannot be decided as Kleene did', async () => {
    type Tree = { leaf: Verdict } | { all: Tree[] } | { any: Tree[] } | { not: Tree };
    const leaves: Record<string, object> = { true: yes, false: no, error: unsure, deferred: later };
    const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.record({ leaf: fc.constantFrom<Verdict>(true, false, 'error', 'deferred') }),
        fc.record({ all: fc.array(tie('tree'), { minLength: 1, maxLength: 4 }) }),
        fc.record({ any: fc.array(tie('tree'), { minLength: 1, maxLength: 4 }) }),
        fc.record({ not: tie('tree') }),
      ),
    }));
    const definitionOf = (node: Tree): object => {
      if ('leaf' in node) return leaves[String(node.leaf)] as object;
      if ('all' in node) return { type: 'composite', all: node.all.map(definitionOf) };
      if ('any' in node) return { type: 'composite', any: node.any.map(definitionOf) };
      return { type: 'composite', not: definitionOf(node.not) };
    };
    const verdictOf = (node: Tree, deferred: Verdict): Verdict => {
      if ('leaf' in node) return node.leaf === 'deferred' ? deferred : node.leaf;
      if ('all' in node) return allOf(node.all.map((child) => verdictOf(child, deferred)));
      if ('any' in node) return anyOf(node.any.map((child) => verdictOf(child, deferred)));
      return notOf(verdictOf(node.not, deferred));
    };
    await fc.assert(
      fc.asyncProperty(tree, fc.boolean(), async (node, isAdmin) => {
        const condition = compile({ type: 'composite', all: [definitionOf(node)] });
        const subject = subjectOf();
        expect(condition.test(subject)).toBe(verdictOf(node, 'deferred'));
        expect(condition.trace(subject).result).toBe(verdictOf(node, 'deferred'));
        const services = servicesOf({ rolesOf: async () => (isAdmin ? ['admin'] : []) });
        expect((await condition.evaluate(subject, services)).result).toBe(verdictOf(node, isAdmin));
      }),
      { numRuns: 300 },
    );
  });

  test('looks nothing up that what is at hand decides, and stops as soon as it is decided', async () => {
    let asked = 0;
    const counting = defineCondition({
      type: 'counting',
      schema: z.object({ answer: z.boolean() }),
      evaluate: ({ answer }) => {
        asked += 1;
        return answer;
      },
    });
    const handlers = [counting] as readonly unknown[] as Parameters<typeof compile>[1] extends { handlers?: infer H }
      ? H
      : never;
    const lookUp = (answer: boolean) => ({ type: 'counting', answer });
    const evaluate = (definition: object) =>
      compile({ type: 'composite', ...definition }, { handlers: handlers ?? [] }).evaluate(subjectOf(), servicesOf());
    expect(await evaluate({ all: [lookUp(true), no] })).toMatchObject({ result: false });
    expect(await evaluate({ any: [lookUp(false), yes] })).toMatchObject({ result: true });
    expect(asked).toBe(0);
    expect(await evaluate({ all: [lookUp(false), lookUp(true)] })).toMatchObject({
      result: false,
      children: [{ result: false }, { result: 'deferred' }],
    });
    expect(asked).toBe(1);
    expect(await evaluate({ any: [lookUp(false), lookUp(true), lookUp(true)] })).toMatchObject({ result: true });
    expect(asked).toBe(3);
  });

  test('is not true because something in it failed', () => {
    expect(composite({ not: unsure }).test(subjectOf())).toBe('error');
    expect(composite({ any: [unsure, no] }).test(subjectOf())).toBe('error');
  });

  test('traces its children', () => {
    const condition = composite({
      any: [
        { partId: 'a', ...yes },
        { not: unsure, type: 'composite' },
      ],
    });
    expect(condition.trace(subjectOf())).toMatchObject({
      type: 'composite',
      result: true,
      expected: 'any',
      children: [
        { partId: 'a', result: true },
        { expected: 'not', result: 'error', children: [{ result: 'error' }] },
      ],
    });
    expect(condition.reads.map(({ path }) => path)).toEqual([
      'conditions[0].any[0].field',
      'conditions[0].any[1].not.field',
    ]);
  });

  test('tells the index what all children need, and what any of them needs if it is the same field', () => {
    const status = (value: string) => ({ type: 'field_value', field: 'status', operator: 'eq', value });
    expect(composite({ all: [status('a'), yes] }).access).toHaveLength(2);
    expect(composite({ any: [status('a'), { type: 'composite', all: [status('b'), yes] }] }).access).toEqual([
      { segments: ['payload', 'status'], values: ['a', 'b'] },
    ]);
    expect(composite({ any: [status('a'), yes] }).access).toEqual([]);
    expect(composite({ any: [status('a'), later] }).access).toEqual([]);
    expect(composite({ not: status('a') }).access).toEqual([]);
  });

  test('refuses what is not one of all, any and not, is empty, too deep or wrong inside', () => {
    expect(refusals({ type: 'composite' })[0]).toMatch(/must have one of all, any and not/);
    expect(refusals({ type: 'composite', all: [yes], not: yes })[0]).toMatch(/must have one of/);
    expect(refusals({ type: 'composite', all: [] })[0]).toMatch(/all: must hold at least one condition/);
    expect(refusals({ type: 'composite', every: [yes] })[0]).toMatch(/unknown field "every"/);
    expect(refusals({ type: 'composite', all: [yes, { type: 'composit', any: [] }] })).toEqual([
      'conditions[0].all[1].type: unknown condition type "composit": did you mean "composite"?',
    ]);
    expect(refusals({ type: 'composite', not: 5 })[0]).toMatch(/^conditions\[0\]\.not: /);
    let nested: object = yes;
    for (let depth = 0; depth < 10; depth++) nested = { type: 'composite', not: nested };
    expect(refusals(nested)[0]).toMatch(/is nested deeper than 10 levels/);
  });
});
