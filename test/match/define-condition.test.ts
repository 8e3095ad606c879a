import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { ConditionHandler } from '../../src/match/condition.ts';
import { type ConditionDeclaration, defineCondition } from '../../src/match/define-condition.ts';
import { compile, refusals, servicesOf, subjectOf } from './compile.ts';

const schema = z.object({ above: z.number() });
type Evaluate = ConditionDeclaration<z.infer<typeof schema>>['evaluate'];

function compileWith(evaluate: Evaluate) {
  return compile({ type: 'score', above: 3, name: 'Score' }, { handlers: handlersOf(evaluate) });
}

function handlersOf(evaluate: Evaluate) {
  return [
    defineCondition({ type: 'score', schema, evaluate }),
  ] as readonly unknown[] as readonly ConditionHandler<never>[];
}

describe('defineCondition', () => {
  test('is asked with its configuration, the event, the moment and the look-ups', async () => {
    const services = servicesOf();
    const condition = compileWith(({ above }, { event, now, services: given }) => {
      expect([now, given]).toEqual([event.occurredAt, services]);
      return above < 4;
    });
    expect(condition.test(subjectOf())).toBe('deferred');
    expect(await condition.evaluate(subjectOf(), services)).toEqual({
      type: 'score',
      name: 'Score',
      result: true,
      expected: 'score is true',
    });
  });

  test('cannot be decided when it throws, rejects or answers something else', async () => {
    const resultOf = async (evaluate: Evaluate) =>
      (await compileWith(evaluate).evaluate(subjectOf(), servicesOf())).error;
    const thrown = () => {
      throw new Error('no scores today');
    };
    expect(await resultOf(thrown)).toBe('no scores today');
    expect(await resultOf(async () => Promise.reject(new Error('gone')))).toBe('gone');
    expect(await resultOf((() => 1) as unknown as Evaluate)).toBe('"score" answered number, not true or false');
  });

  test('cannot be decided when its time is up', async () => {
    const controller = new AbortController();
    const condition = compileWith(() => new Promise(() => {}));
    const evaluated = condition.evaluate(subjectOf(), servicesOf({ signal: controller.signal }));
    controller.abort();
    expect(await evaluated).toMatchObject({ result: 'error', error: 'was not decided in time' });
    expect(await condition.evaluate(subjectOf(), servicesOf({ signal: controller.signal }))).toMatchObject({
      result: 'error',
    });
  });

  test('refuses unknown fields, also with a plain z.object, and types that are no names', () => {
    const handlers = handlersOf(() => true);
    expect(refusals({ type: 'score', above: 3, abve: 4 }, { handlers })).toEqual([
      'conditions[0].abve: unknown field "abve": did you mean "above"?',
    ]);
    expect(() => defineCondition({ type: 'my score', schema, evaluate: () => true })).toThrow(/is not a name/);
  });
});
