import type { ConditionTrace, Verdict } from '../model/condition.ts';
import type { AccessPredicate, CompiledCondition, ConditionServices, Subject } from './condition.ts';

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
export function testAll(conditions: readonly CompiledCondition[]): CompiledCondition['test'] {
  const tests = conditions.map(({ test }) => test);
  const [first, second] = tests;
  if (first && tests.length === 1) return first;
  if (first && second && tests.length === 2) return testBoth(first, second);
  return (subject) => {
    for (let i = 0; i < tests.length; i++) {
      const verdict = (tests[i] as Test)(subject);
      if (verdict !== true) return verdict === false ? false : undecided(verdict, tests, { from: i + 1, subject });
    }
    return true;
  };
}

type Test = CompiledCondition['test'];

function testBoth(first: Test, second: Test): Test {
  return (subject) => {
    const verdict = first(subject);
    if (verdict === true || verdict === false) return verdict && second(subject);
    return undecided(verdict, [second], { from: 0, subject });
  };
}

/** False if one of the rest is; else deferred if one of all is. */
function undecided(first: Verdict, tests: readonly Test[], rest: { from: number; subject: Subject }): Verdict {
  let result = first;
  for (let i = rest.from; i < tests.length; i++) {
    const verdict = (tests[i] as Test)(rest.subject);
    if (verdict === false) return false;
    if (verdict === 'deferred') result = verdict;
  }
  return result;
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
