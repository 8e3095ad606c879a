import type { Verdict } from '../model/condition.ts';
import type { FieldRead } from '../model/field-path.ts';
import type { Json } from '../model/json.ts';
import type { AccessPredicate, Comparison, CompiledCondition, Subject } from './condition.ts';
import { cutText, showValue } from './show-value.ts';

/** What a condition asked for and found, for people. */
export type Explanation = {
  readonly expected: string;
  readonly actual: Json | undefined;
  /** Why it could not be decided; asked only then. */
  readonly problem?: () => string;
};

/** A condition that the event and the moment decide. What explains it is made only when somebody wants to know. */
export function pureCondition(options: {
  type: string;
  test: (subject: Subject) => Verdict;
  explain: (subject: Subject) => Explanation;
  reads?: readonly FieldRead[];
  access?: readonly AccessPredicate[];
  isDecidedByAccess?: boolean;
  comparison?: Comparison;
}): CompiledCondition {
  const { type, test, explain, reads = [], access = [], isDecidedByAccess = false, comparison } = options;
  const trace: CompiledCondition['trace'] = (subject) => {
    const result = test(subject);
    const { expected, actual, problem } = explain(subject);
    return {
      type,
      result,
      expected: cutText(expected),
      actual: showValue(actual),
      ...(result === 'error' && { error: problem?.() ?? 'could not be decided' }),
    };
  };
  return {
    test,
    trace,
    evaluate: async (subject) => trace(subject),
    reads,
    access,
    isDecidedByAccess,
    ...(comparison && { comparison }),
  };
}
