import { z } from 'zod';
import type { Issue } from '../../errors.ts';
import { allOf, anyOf, type ConditionTrace, notOf, type Verdict } from '../../model/condition.ts';
import { pathText } from '../../model/parse-input.ts';
import { err, ok, type Result } from '../../model/result.ts';
import { areDecidedByAccess, evaluateUntil, testAll } from '../all-conditions.ts';
import {
  type AccessPredicate,
  type CompileContext,
  type CompiledCondition,
  type ConditionHandler,
  defineConditionHandler,
} from '../condition.ts';

const list = z.array(z.unknown()).min(1, 'must hold at least one condition').max(100);

const config = z
  .strictObject({ all: list.optional(), any: list.optional(), not: z.unknown().optional() })
  .refine((written) => Object.values(written).filter((part) => part !== undefined).length === 1, {
    message: 'must have one of all, any and not',
  });

type Config = z.infer<typeof config>;

/** Conditions joined: all of them, any of them, or the opposite of one. What cannot be decided stays undecided. */
export const compositeCondition: ConditionHandler<Config> = defineConditionHandler({
  type: 'composite',
  schema: config,
  compile: (written, context) => {
    if (written.not !== undefined) {
      const child = context.compile(written.not, pathText(context.path, ['not']));
      return child.ok ? ok(negated(child.value)) : child;
    }
    const key = written.all ? 'all' : 'any';
    const children = compileChildren(written[key] ?? [], key, context);
    if (!children.ok) return children;
    return ok(key === 'all' ? joined(children.value, allJoin) : joined(children.value, anyJoin));
  },
});

type Join = {
  readonly word: string;
  readonly verdict: (verdicts: readonly Verdict[]) => Verdict;
  /** The result of one child that decides the whole. */
  readonly decisive: boolean;
  readonly test: (children: readonly CompiledCondition[]) => CompiledCondition['test'];
  readonly access: (children: readonly CompiledCondition[]) => readonly AccessPredicate[];
  readonly isDecidedByAccess: (children: readonly CompiledCondition[]) => boolean;
};

const allJoin: Join = {
  word: 'all',
  verdict: allOf,
  decisive: false,
  test: testAll,
  access: (children) => children.flatMap(({ access }) => access),
  isDecidedByAccess: areDecidedByAccess,
};

const anyJoin: Join = {
  word: 'any',
  verdict: anyOf,
  decisive: true,
  test: testAny,
  access: commonAccess,
  isDecidedByAccess: () => false,
};

function compileChildren(
  definitions: readonly unknown[],
  key: string,
  context: CompileContext,
): Result<CompiledCondition[], readonly Issue[]> {
  const children: CompiledCondition[] = [];
  const issues: Issue[] = [];
  for (const [index, definition] of definitions.entries()) {
    const child = context.compile(definition, pathText(context.path, [key, index]));
    if (child.ok) children.push(child.value);
    else issues.push(...child.error);
  }
  return issues.length > 0 ? err(issues) : ok(children);
}

function joined(children: readonly CompiledCondition[], join: Join): CompiledCondition {
  const traceOf = (traces: readonly ConditionTrace[]): ConditionTrace => ({
    type: 'composite',
    result: join.verdict(traces.map(({ result }) => result)),
    expected: join.word,
    children: traces,
  });
  return {
    test: join.test(children),
    trace: (subject) => traceOf(children.map(({ trace }) => trace(subject))),
    evaluate: async (subject, services) =>
      traceOf(await evaluateUntil(children, { subject, services, decisive: join.decisive })),
    reads: children.flatMap(({ reads }) => reads),
    access: join.access(children),
    isDecidedByAccess: join.isDecidedByAccess(children),
  };
}

function negated(child: CompiledCondition): CompiledCondition {
  const traceOf = (trace: ConditionTrace): ConditionTrace => ({
    type: 'composite',
    result: notOf(trace.result),
    expected: 'not',
    children: [trace],
  });
  return {
    test: (subject) => notOf(child.test(subject)),
    trace: (subject) => traceOf(child.trace(subject)),
    evaluate: async (subject, services) => traceOf(await child.evaluate(subject, services)),
    reads: child.reads,
    access: [],
  };
}

function testAny(children: readonly CompiledCondition[]): CompiledCondition['test'] {
  const tests = children.map(({ test }) => test);
  return (subject) => {
    let result: Verdict = false;
    for (const test of tests) {
      const verdict = test(subject);
      if (verdict === true) return true;
      if (verdict === 'deferred' || (verdict === 'error' && result === false)) result = verdict;
    }
    return result;
  };
}

/** Fields that every child compares with values: one of all those values it must be. */
function commonAccess(children: readonly CompiledCondition[]): readonly AccessPredicate[] {
  const [first, ...others] = children.map(({ access }) => access.filter((predicate) => 'values' in predicate));
  return (first ?? []).flatMap(({ segments, values }) => {
    const path = segments.join('.');
    const same = others.map((predicates) => predicates.find((other) => other.segments.join('.') === path));
    if (!same.every((predicate) => predicate !== undefined)) return [];
    return [{ segments, values: [values, ...same.map((predicate) => predicate.values)].flat() }];
  });
}
