import type { ConditionTrace } from '../model/condition.ts';
import type { FieldRead } from '../model/field-path.ts';
import type { Json } from '../model/json.ts';
import type { CompiledCondition, ConditionServices, Subject } from './condition.ts';
import { cutText, showValue } from './show-value.ts';

/** What a look-up found, and what that means. */
export type Finding = { readonly result: boolean; readonly actual?: Json };

/** A condition that takes a look-up. A look-up that fails is an error of the condition. */
export function deferredCondition(options: {
  type: string;
  expected: string;
  /** Why nothing can be looked up for this event; null when it can. */
  problem: (subject: Subject) => string | null;
  ask: (subject: Subject, services: ConditionServices) => Promise<Finding>;
  reads?: readonly FieldRead[];
}): CompiledCondition {
  const { type, problem, ask, reads = [] } = options;
  const expected = cutText(options.expected);
  const failed = (error: string): ConditionTrace => ({ type, result: 'error', expected, error: cutText(error) });
  return {
    test: (subject) => (problem(subject) === null ? 'deferred' : 'error'),
    trace: (subject) => {
      const error = problem(subject);
      return error === null ? { type, result: 'deferred', expected } : failed(error);
    },
    evaluate: async (subject, services) => {
      const error = problem(subject);
      if (error !== null) return failed(error);
      try {
        const { result, actual } = await ask(subject, services);
        return { type, result, expected, ...(actual !== undefined && { actual: showValue(actual) }) };
      } catch (fault) {
        return failed(fault instanceof Error ? fault.message : String(fault));
      }
    },
    reads,
    access: [],
  };
}
