import type { AudiencePage } from '../execute/audience.ts';
import { combineRecipients, inlineQueries, type RecipientAnswers } from '../execute/resolve-recipients.ts';
import type { Verdict } from '../model/condition.ts';
import { executionId } from '../model/derived-id.ts';
import type { WorkflowEvent } from '../model/event.ts';
import { type ActionTrace, type ExecutionTrace, executionStatus, isCutByQuota } from '../model/execution.ts';
import { stringifyJson } from '../model/json.ts';
import type { Place } from '../model/ordering.ts';
import { queryKey, type RecipientQuery } from '../model/recipient.ts';
import { landed } from '../store/connection.ts';
import { type DeliveryRules, noDeliveryRules } from '../store/delivery-rules.ts';
import type { NewDelivery, NewExecution, NewNotification } from '../store/write-plan.ts';
import type { RunnableWorkflow } from './compile-workflow.ts';
import { type ActionDecision, decideActionsNow, groupByRecipients } from './decide-actions.ts';
import { asksMutedInbox, emptyPlan, planAction, timeLimit } from './plan-execution.ts';

/** One event and one workflow whose trigger fits. */
export type Match = {
  readonly event: WorkflowEvent;
  readonly workflow: RunnableWorkflow;
  readonly verdict: Verdict;
  /** Null unless deliveries of the workflow go one after the other. */
  readonly place: Place | null;
  /** The chain of workflows that led to the event, when it is a loop that ends here; else null. */
  readonly loop: readonly string[] | null;
  /** Recipients that an action of the tenant may tell at most; null: as many as the workflow says. */
  readonly recipientQuota: number | null;
};

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

type DirectoryRequest = { readonly tenantId: string; readonly query: RecipientQuery };

/** What planning at once may ask, each of a whole batch in one statement. */
export type BatchLookups = {
  /** Answers all queries; `too_many` for those with more users than fit into one. */
  readonly askDirectory: (requests: readonly DirectoryRequest[]) => Promise<RecipientAnswers>;
  /** Those of the tenants in which anybody has muted the inbox. */
  readonly tenantsWithMutedInboxes: (tenantIds: readonly string[]) => Promise<ReadonlySet<string>>;
  readonly readInboxRules: (people: readonly { tenantId: string; userId: string }[]) => Promise<DeliveryRules>;
};

/** Above this many deliveries in one batch, what is left waits for the execute stage, which pages. */
const maxInlineDeliveries = 20_000;
/** The same for what composing notifications may take, ms: nothing else of the process runs meanwhile. */
const maxInlineMs = 1_000;

/**
 * Turns matches into executions. What takes no look-up beyond the default directory is planned at once; everything else
 * becomes a pending execution for the execute stage. Pure but for `lookups` (null when the host has its own directory).
 */
export async function planMatches(matches: readonly Match[], lookups: BatchLookups | null): Promise<MatchedRows> {
  const rows: MatchedRows = { executions: [], deliveries: [], notifications: [] };
  const inline: InlinePlan[] = [];
  for (const match of matches) {
    const plan = match.verdict === true && match.loop === null && lookups ? inlinePlan(match) : null;
    if (plan) inline.push(plan);
    else rows.executions.push(undecided(match));
  }
  const requests = inline.flatMap(({ match, queries }) =>
    queries.map((query) => ({ tenantId: match.workflow.tenantId, query })),
  );
  const asked = requests.length > 0 && lookups ? await ask(lookups, inline, requests) : nothingAsked;
  const isOver = timeLimit(maxInlineMs);
  for (const plan of inline) addPlanned(rows, plan, { ...asked, isOver });
  return rows;
}

type Asked = { readonly answers: RecipientAnswers; readonly rules: DeliveryRules };
const nothingAsked: Asked = { answers: new Map(), rules: noDeliveryRules };

/** Asks the directory and, in the same flight, where anybody has muted the inbox: what people said is read only there. */
async function ask(
  lookups: BatchLookups,
  inline: readonly InlinePlan[],
  requests: readonly DirectoryRequest[],
): Promise<Asked> {
  const notifying = inline.filter(({ decision }) => decision.due.some(asksMutedInbox));
  const tenantIds = [...new Set(notifying.map(({ match }) => match.workflow.tenantId))];
  const [answers, muted] = await landed([
    lookups.askDirectory(requests),
    tenantIds.length > 0 ? lookups.tenantsWithMutedInboxes(tenantIds) : Promise.resolve(new Set<string>()),
  ]);
  if (muted.size === 0) return { answers, rules: noDeliveryRules };
  const people = requests.flatMap(({ tenantId, query }) => {
    const found = muted.has(tenantId) ? answers.get(queryKey(tenantId, query)) : undefined;
    return found === undefined || found === 'too_many' ? [] : found.map(({ id }) => ({ tenantId, userId: id }));
  });
  return { answers, rules: await lookups.readInboxRules(people) };
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
function undecided(match: Match): NewExecution {
  const { event, workflow, verdict, loop } = match;
  const id = executionId(event.id, workflow.workflowId, workflow.version);
  if (loop !== null) {
    const trace = { conditions: traceConditions(event, workflow), actions: [], causation: loop };
    return newExecution(match, { id, status: 'skipped', reason: 'loop_detected', trace });
  }
  const isPending = verdict === true || verdict === 'deferred';
  return newExecution(match, {
    id,
    status: isPending ? 'pending' : verdict === 'error' ? 'failed' : 'skipped',
    reason: isPending ? null : verdict === 'error' ? 'condition_error' : 'conditions_false',
    trace: isPending ? null : { conditions: traceConditions(event, workflow), actions: [] },
  });
}

function addPlanned(
  rows: MatchedRows,
  { match, decision }: InlinePlan,
  { answers, rules, isOver }: Asked & { readonly isOver: () => boolean },
): void {
  const { event, workflow } = match;
  const id = executionId(event.id, workflow.workflowId, workflow.version);
  const plan = emptyPlan();
  const actions: ActionTrace[] = [...decision.passedOver];
  for (const group of groupByRecipients(decision.due)) {
    const page = audienceOf(match, group[0]?.action.recipients ?? [], answers, group[0]?.action.audience === 'once');
    if (page === 'too_many' || rows.deliveries.length > maxInlineDeliveries || isOver()) {
      rows.executions.push(undecided(match));
      return;
    }
    for (const { action, conditions } of group) {
      const before = plan.deliveries.length;
      const { done: isPlanned } = planAction(
        plan,
        { executionId: id, event, workflow, place: match.place, rules },
        { action, recipients: page.recipients, leftOut: page.leftOut, isOver },
      ).next();
      if (isPlanned !== true) {
        rows.executions.push(undecided(match));
        return;
      }
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
  const isCut = isCutByQuota(actions);
  const status = executionStatus(plan, { isCut });
  rows.executions.push(
    newExecution(match, {
      id,
      status,
      reason: status === 'skipped' ? skipReason(actions) : isCut ? 'quota_recipients' : null,
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
  const { event, workflow, recipientQuota: quota } = match;
  const { excludeActor, maxRecipients } = workflow.settings;
  return combineRecipients(parts, { event, excludeActor, maxRecipients, quota, answers });
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
  { event, workflow, place }: Match,
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
    place,
  };
}
