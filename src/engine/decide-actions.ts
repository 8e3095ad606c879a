import type { ConditionServices, Subject } from '../match/condition.ts';
import { allOf, type ConditionTrace, type Verdict } from '../model/condition.ts';
import type { ActionTrace } from '../model/execution.ts';
import type { RunnableAction, RunnableWorkflow } from './compile-workflow.ts';

/** Which actions of a matched workflow are to be done, and why the others are not. */
export type ActionDecision = {
  readonly due: readonly { readonly action: RunnableAction; readonly conditions: readonly ConditionTrace[] }[];
  readonly passedOver: readonly ActionTrace[];
};

/** Decides with what is at hand; null when a condition takes a look-up or this worker cannot run the workflow. */
export function decideActionsNow(workflow: RunnableWorkflow, subject: Subject): ActionDecision | null {
  if (workflow.lacks.length > 0) return null;
  const due: { action: RunnableAction; conditions: readonly ConditionTrace[] }[] = [];
  const passedOver: ActionTrace[] = [];
  for (const action of workflow.actions) {
    const verdict = action.isActive ? action.conditions.test(subject) : false;
    if (verdict === 'deferred') return null;
    const conditions = action.isActive ? action.conditions.trace(subject) : [];
    if (verdict === true) due.push({ action, conditions });
    else passedOver.push(passOver(action, verdict, conditions));
  }
  return { due, passedOver };
}

/** Decides with look-ups, for a workflow that lacks nothing here. */
export async function decideActions(
  workflow: RunnableWorkflow,
  subject: Subject,
  services: ConditionServices,
): Promise<ActionDecision> {
  const due: { action: RunnableAction; conditions: readonly ConditionTrace[] }[] = [];
  const passedOver: ActionTrace[] = [];
  for (const action of workflow.actions) {
    const conditions = action.isActive ? await action.conditions.evaluate(subject, services) : [];
    const verdict = action.isActive ? allOf(conditions.map((condition) => condition.result)) : false;
    if (verdict === true) due.push({ action, conditions });
    else passedOver.push(passOver(action, verdict, conditions));
  }
  return { due, passedOver };
}

function passOver(action: RunnableAction, verdict: Verdict, conditions: readonly ConditionTrace[]): ActionTrace {
  const reason = !action.isActive
    ? 'action_inactive'
    : verdict === false
      ? 'action_conditions_false'
      : 'action_condition_error';
  return { partId: action.partId, type: action.type, planned: 0, reason, conditions };
}

/** Actions that tell the same recipients, so that these are resolved once. */
export function groupByRecipients<Due extends { readonly action: RunnableAction }>(due: readonly Due[]): Due[][] {
  const groups = new Map<unknown, Due[]>();
  for (const one of due) {
    const key = one.action.audience === 'once' ? 'once' : one.action.recipients;
    const group = groups.get(key);
    if (group) group.push(one);
    else groups.set(key, [one]);
  }
  return [...groups.values()];
}
