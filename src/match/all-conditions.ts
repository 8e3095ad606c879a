import type { ConditionTrace, Verdict } from '../model/condition.ts';
import type { AccessPredicate, Comparison, CompiledCondition, ConditionServices, Subject } from './condition.ts';

/** Conditions of which all must be true, as one. */
export type AllConditions = Pick<CompiledCondition, 'test'> & {
  /** A trace per condition. */
  readonly trace: (subject: Subject) => readonly ConditionTrace[];
  /**
   * A trace per condition, look-ups included; `allOf` their results is the verdict. As soon as one is false the rest is not
   * looked up and stays `deferred`.
   */
  readonly evaluate: (subject: Subject, services: ConditionServices) => Promise<readonly ConditionTrace[]>;
  readonly access: readonly AccessPredicate[];
  readonly isDecidedByAccess: boolean;
};

/** Joins conditions that must all be true. No conditions are true. */
export function allConditions(conditions: readonly CompiledCondition[]): AllConditions {
  return {
    test: testAll(conditions),
    trace: (subject) => conditions.map(({ trace }) => trace(subject)),
    evaluate: (subject, services) => evaluateUntil(conditions, { subject, services, decisive: false }),
    access: conditions.flatMap(({ access }) => access),
    isDecidedByAccess: areDecidedByAccess(conditions),
  };
}

/** Whether conditions that must all be true are, as one, decided by the access of each. */
export function areDecidedByAccess(conditions: readonly CompiledCondition[]): boolean {
  return conditions.every(({ isDecidedByAccess = false }) => isDecidedByAccess);
}

/** `allOf` the tests of conditions; one after another, until one is false. */
export function testAll(conditions: readonly CompiledCondition[]): Test {
  const [first, second, ...others] = conditions;
  if (!first) return () => true;
  if (!second) return first.test;
  if (conditions.length > longestChain) {
    const half = conditions.length >>> 1;
    return testBoth(testAll(conditions.slice(0, half)), testAll(conditions.slice(half)));
  }
  return first.comparison && second.comparison
    ? testComparisons(first.comparison, second.comparison, others.length > 0 ? testAll(others) : null)
    : testBoth(first.test, testAll(conditions.slice(1)));
}

type Test = CompiledCondition['test'];

/** Each test calls the next; longer lists are halved, so that none is too long for the stack. */
const longestChain = 16;

function testBoth(first: Test, rest: Test): Test {
  return (subject) => {
    const verdict = first(subject);
    if (verdict === true) return rest(subject);
    return verdict === false ? false : undecided(verdict, rest(subject));
  };
}

/** Two comparisons in one closure, where each would have one of its own, and then the rest. */
function testComparisons(...[first, second, rest]: [first: Comparison, second: Comparison, rest: Test | null]): Test {
  const { read: readFirst, decide: decideFirst, right: firstRight } = first;
  const { read: readSecond, decide: decideSecond, right: secondRight } = second;
  return (subject) => {
    let verdict: Verdict = decideFirst(readFirst(subject), firstRight as never);
    if (verdict === false) return false;
    const next = decideSecond(readSecond(subject), secondRight as never);
    verdict = verdict === true ? next : undecided(verdict, next);
    if (rest === null || verdict === false) return verdict;
    const others = rest(subject);
    return verdict === true ? others : undecided(verdict, others);
  };
}

function undecided(first: Verdict, rest: Verdict): Verdict {
  return rest === false || rest === 'deferred' ? rest : first;
}

/**
 * Traces of all conditions. Look-ups are made one after another and only until one result is `decisive`; if the pure
 * conditions decide, none is made.
 */
export async function evaluateUntil(
  conditions: readonly CompiledCondition[],
  options: { subject: Subject; services: ConditionServices; decisive: boolean },
): Promise<readonly ConditionTrace[]> {
  const { subject, services, decisive } = options;
  const traces = conditions.map(({ trace }) => trace(subject));
  for (const [index, condition] of conditions.entries()) {
    if (traces.some(({ result }) => result === decisive)) break;
    if (traces[index]?.result !== 'deferred') continue;
    traces[index] = await condition.evaluate(subject, services);
  }
  return traces;
}
