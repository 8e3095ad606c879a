import type { AudiencePage } from '../execute/audience.ts';
import { combineRecipients, inlineQueries, type RecipientAnswers } from '../execute/resolve-recipients.ts';
import type { Verdict } from '../model/condition.ts';
import { executionId } from '../model/derived-id.ts';
import type { WorkflowEvent } from '../model/event.ts';
import { type ActionTrace, type ExecutionTrace, executionStatus } from '../model/execution.ts';
import { stringifyJson } from '../model/json.ts';
import type { RecipientQuery } from '../model/recipient.ts';
import type { NewDelivery, NewExecution, NewNotification } from '../store/write-plan.ts';
import type { RunnableWorkflow } from './compile-workflow.ts';
import { type ActionDecision, decideActionsNow, groupByRecipients } from './decide-actions.ts';
import { emptyPlan, planAction } from './plan-execution.ts';

/** One event and one workflow whose trigger fits. */
export type Match = { readonly event: WorkflowEvent; readonly workflow: RunnableWorkflow; readonly verdict: Verdict };

/** Rows that a batch of matches comes to. */
export type MatchedRows = {
  readonly executions: NewExecution[];
  readonly deliveries: NewDelivery[];
  readonly notifications: NewNotification[];
};

/** What can be planned at once, in the transaction that matches: actions decided, recipients a few directory queries. */
type InlinePlan = {
  readonly match: Match;
  readonly decision: ActionDecision;
  readonly queries: readonly RecipientQuery[];
};

/** Answers all queries of a batch in one statement; `too_many` for those with more users than fit into one. */
export type AskDirectory = (
  requests: readonly { tenantId: string; query: RecipientQuery }[],
) => Promise<RecipientAnswers>;

/** Above this many deliveries in one batch, what is left waits for the execute stage, which pages. */
const maxInlineDeliveries = 20_000;

/**
 * Turns matches into executions. What takes no look-up beyond the default directory is planned at once; everything else
 * becomes a pending execution for the execute stage. Pure but for `askDirectory` (null when the host has its own directory).
 */
export async function planMatches(matches: readonly Match[], askDirectory: AskDirectory | null): Promise<MatchedRows> {
  const rows: MatchedRows = { executions: [], deliveries: [], notifications: [] };
  const inline: InlinePlan[] = [];
  for (const match of matches) {
    const plan = match.verdict === true && askDirectory ? inlinePlan(match) : null;
    if (plan) inline.push(plan);
    else rows.executions.push(undecided(match));
  }
  const requests = inline.flatMap(({ match, queries }) =>
    queries.map((query) => ({ tenantId: match.workflow.tenantId, query })),
  );
  const answers: RecipientAnswers = requests.length > 0 && askDirectory ? await askDirectory(requests) : new Map();
  for (const plan of inline) addPlanned(rows, plan, answers);
  return rows;
}

function inlinePlan(match: Match): InlinePlan | null {
  const decision = decideActionsNow(match.workflow, { event: match.event, now: match.event.occurredAt });
  if (!decision) return null;
  const queries: RecipientQuery[] = [];
  for (const [first] of groupByRecipients(decision.due)) {
    if (first?.action.audience !== 'recipients') continue;
    const asked = inlineQueries(first.action.recipients, match.event);
    if (!asked) return null;
    queries.push(...asked);
  }
  return { match, decision, queries };
}

/** An execution that is not planned here: pending, or already known to do nothing. */
function undecided({ event, workflow, verdict }: Match): NewExecution {
  const isPending = verdict === true || verdict === 'deferred';
  return newExecution(event, workflow, {
    id: executionId(event.id, workflow.workflowId, workflow.version),
    status: isPending ? 'pending' : verdict === 'error' ? 'failed' : 'skipped',
    reason: isPending ? null : verdict === 'error' ? 'condition_error' : 'conditions_false',
    trace: isPending ? null : { conditions: traceConditions(event, workflow), actions: [] },
  });
}

function addPlanned(rows: MatchedRows, { match, decision }: InlinePlan, answers: RecipientAnswers): void {
  const { event, workflow } = match;
  const id = executionId(event.id, workflow.workflowId, workflow.version);
  const plan = emptyPlan();
  const actions: ActionTrace[] = [...decision.passedOver];
  for (const group of groupByRecipients(decision.due)) {
    const page = audienceOf(match, group[0]?.action.recipients ?? [], answers, group[0]?.action.audience === 'once');
    if (page === 'too_many' || rows.deliveries.length > maxInlineDeliveries) {
      rows.executions.push(undecided(match));
      return;
    }
    for (const { action, conditions } of group) {
      const before = plan.deliveries.length;
      planAction(
        plan,
        { executionId: id, event, workflow },
        { action, recipients: page.recipients, leftOut: page.leftOut },
      );
      actions.push({
        partId: action.partId,
        type: action.type,
        planned: plan.deliveries.length - before,
        ...(conditions.length > 0 ? { conditions } : {}),
        ...(page.traces.length > 0 ? { recipients: page.traces } : {}),
      });
    }
  }
  rows.deliveries.push(...plan.deliveries);
  rows.notifications.push(...plan.notifications);
  const status = executionStatus(plan);
  rows.executions.push(
    newExecution(event, workflow, {
      id,
      status,
      reason: status === 'skipped' ? skipReason(actions) : null,
      trace: { conditions: traceConditions(event, workflow), actions },
      counts: plan,
    }),
  );
}

const nobody: AudiencePage = { recipients: [], leftOut: [], traces: [] };

function audienceOf(
  match: Match,
  parts: RunnableWorkflow['recipients'],
  answers: RecipientAnswers,
  isOnce: boolean,
): AudiencePage | 'too_many' {
  if (isOnce) return nobody;
  const { excludeActor, maxRecipients } = match.workflow.settings;
  return combineRecipients(parts, { event: match.event, excludeActor, maxRecipients, answers });
}

/** Why an execution had nothing to do: nobody to tell, or no action left. */
export function skipReason(actions: readonly ActionTrace[]): string {
  if (actions.some((action) => action.reason === undefined)) return 'resolved_to_nobody';
  return actions.some((action) => action.reason === 'action_condition_error') ? 'action_condition_error' : 'no_actions';
}

function traceConditions(event: WorkflowEvent, workflow: RunnableWorkflow): ExecutionTrace['conditions'] {
  return workflow.conditions.trace({ event, now: event.occurredAt });
}

function newExecution(
  event: WorkflowEvent,
  workflow: RunnableWorkflow,
  state: {
    id: string;
    status: NewExecution['status'];
    reason: string | null;
    trace: ExecutionTrace | null;
    counts?: { open: number; done: number; failed: number };
  },
): NewExecution {
  return {
    id: state.id,
    tenantId: workflow.tenantId,
    workflowId: workflow.workflowId,
    workflowVersion: workflow.version,
    eventId: event.id,
    status: state.status,
    reason: state.reason,
    trace: state.trace ? stringifyJson(state.trace) : null,
    deliveriesOpen: state.counts?.open ?? 0,
    deliveriesDone: state.counts?.done ?? 0,
    deliveriesFailed: state.counts?.failed ?? 0,
  };
}
