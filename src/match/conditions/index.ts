import type { ConditionHandler } from '../condition.ts';
import { compositeCondition } from './composite.ts';
import { fieldValueCondition } from './field-value.ts';
import { queryMatchCondition } from './query-match.ts';
import { roleBasedCondition } from './role-based.ts';
import { timeBasedCondition } from './time-based.ts';

/** The condition types every worker knows. */
export const builtInConditions: readonly ConditionHandler[] = [
  fieldValueCondition,
  timeBasedCondition,
  roleBasedCondition,
  queryMatchCondition,
  compositeCondition,
];
