import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AudiencePage } from '../execute/audience.ts';
import { resolveRecipients } from '../execute/resolve-recipients.ts';
import type { ConditionServices } from '../match/condition.ts';
import { allOf, type ConditionTrace } from '../model/condition.ts';
import type { WorkflowEvent } from '../model/event.ts';
import {
  type ActionTrace,
  type ExecutionStatus,
  type ExecutionTrace,
  isCutByQuota,
  type RecipientTrace,
} from '../model/execution.ts';
import { stringifyJson } from '../model/json.ts';
import type { Directory } from '../model/recipient.ts';
import type { Runner } from '../store/connection.ts';
import type { Database } from '../store/database.ts';
import {
  type DeliveryRules,
  noDeliveryRules,
  readInboxRules,
  tenantsWithMutedInboxes,
} from '../store/delivery-rules.ts';
import { leaveExecution } from '../store/left-executions.ts';
import { parkBehindOthers } from '../store/ordered-lines.ts';
import {
  type ClaimedExecution,
  finishExecution,
  hasDeliveries,
  plannedRecipients,
  postponeExecution,
  releaseExecution,
  renewExecutionLease,
} from '../store/pending-executions.ts';
import { writePage } from '../store/write-plan.ts';
import type { RunnableWorkflow } from './compile-workflow.ts';
import { decideActions, groupByRecipients } from './decide-actions.ts';
import { skipReason } from './match-batch.ts';
import { asksMutedInbox, emptyPlan, type Plan, planAction, timeLimit } from './plan-execution.ts';

/** What the execute stage needs from outside. */
export type ExecuteServices = {
  readonly database: Database;
  readonly directory: Directory;
  /** For one execution; its look-ups end with the signal. */
  readonly conditionServices: (signal: AbortSignal) => ConditionServices;
  readonly leaseMs: number;
  /** What one look-up may take, ms. */
  readonly lookupTimeoutMs: number;
  /** Recipients that an action of the tenant may tell at most; null: as many as the workflow says. */
  readonly recipientQuota: number | null;
  readonly signal: AbortSignal;
};

/** An execution is tried this often when a look-up fails; then what failed stands in the log as the reason. */
const maxAttempts = 4;
const firstRetryMs = 2_000;
/** What this worker cannot run is left out of its next claims; those who can have that long to take it. */
const leaveMs = 5_000;
const pageSize = 2_000;
/** How long composing notifications may go on before others of the process have their turn. */
const turnMs = 50;

/** The lease ran out and somebody else has the execution: nothing more may be written. */
class LeaseLost extends Error {}

/**
 * Decides and plans one leased execution: conditions that take look-ups, custom resolvers, audiences of any size. Each page
 * of recipients is one transaction; after a crash the pages are planned again and those that stand stay as they are.
 */
export async function executePending(
  claimed: ClaimedExecution,
  source: { event: WorkflowEvent | null; workflow: RunnableWorkflow | null },
  services: ExecuteServices,
): Promise<ExecutionStatus | 'postponed' | 'lost'> {
  try {
    // Whatever it holds ended the workers that tried it: it must not end the next.
    if (claimed.takenOver && claimed.attempts > maxAttempts) {
      return await end(claimed, services, { status: 'failed', reason: 'attempts_exhausted' });
    }
    if (!source.event) return await end(claimed, services, { status: 'failed', reason: 'event_expired' });
    if (!source.workflow) return await end(claimed, services, { status: 'failed', reason: 'version_missing' });
    if (source.workflow.lacks.length > 0) {
      await leaveExecution(services.database.pool, { ...claimed, delayMs: leaveMs });
      return 'postponed';
    }
    return await decide(claimed, { event: source.event, workflow: source.workflow }, services);
  } catch (error) {
    if (error instanceof LeaseLost) return 'lost';
    if (!services.signal.aborted) throw error;
    // The worker stops: nothing was decided, and another goes on at once.
    await releaseExecution(services.database.pool, claimed);
    return 'postponed';
  }
}

type Decision = Awaited<ReturnType<typeof decideActions>>;
type GroupOptions = {
  readonly claimed: ClaimedExecution;
  readonly source: Source;
  readonly services: ExecuteServices;
  /** Deliveries of the execution stand: a try before this one planned them. */
  readonly mayStand: boolean;
};
type Source = { readonly event: WorkflowEvent; readonly workflow: RunnableWorkflow };

async function decide(
  claimed: ClaimedExecution,
  source: Source,
  services: ExecuteServices,
): Promise<ExecutionStatus | 'postponed'> {
  const { event, workflow } = source;
  const subject = { event, now: event.occurredAt };
  const lookups = services.conditionServices(
    AbortSignal.any([services.signal, AbortSignal.timeout(services.lookupTimeoutMs)]),
  );
  const conditions = await workflow.conditions.evaluate(subject, lookups);
  services.signal.throwIfAborted();
  const verdict = allOf(conditions.map((condition) => condition.result));
  const undecidable = { conditions, actions: [] };
  if (verdict === false)
    return end(claimed, services, { status: 'skipped', reason: 'conditions_false', trace: undecidable });
  if (verdict !== true) return retryOrEnd(claimed, services, { reason: 'condition_error', trace: undecidable });

  const decision = await decideActions(workflow, subject, lookups);
  services.signal.throwIfAborted();
  if (isUndecided(decision) && mayTryAgain(claimed)) return postpone(claimed, services, 'action_condition_error');
  return plan({ claimed, source, services, conditions, decision });
}

async function plan(options: {
  claimed: ClaimedExecution;
  source: Source;
  services: ExecuteServices;
  conditions: readonly ConditionTrace[];
  decision: Decision;
}): Promise<ExecutionStatus | 'postponed'> {
  const { claimed, services, conditions, decision } = options;
  const actions: ActionTrace[] = [...decision.passedOver];
  // Also what a worker planned that stopped and gave the execution back as if it had not begun.
  const mayStand = await hasDeliveries(services.database.pool, claimed.id);
  for (const group of groupByRecipients(decision.due)) {
    actions.push(...(await planGroup({ ...options, mayStand }, group)));
  }
  const failedPart = actions.flatMap((action) => action.recipients ?? []).find((part) => part.error !== undefined);
  if (failedPart?.reason && mayTryAgain(claimed)) return postpone(claimed, services, failedPart.reason);

  const planned = actions.reduce((sum, action) => sum + action.planned, 0);
  const undecided = isUndecided(decision) ? 'action_condition_error' : null;
  const failure = failedPart?.reason ?? undecided ?? (isCutByQuota(actions) ? 'quota_recipients' : null);
  return end(claimed, services, {
    status: null,
    reason: failure ?? (planned === 0 ? skipReason(actions) : null),
    isFailure: failure !== null,
    trace: { conditions, actions },
  });
}

/**
 * Plans the actions that tell the same recipients, page by page, and answers what each came to. While a page is written the
 * next one is read and planned, so two are held at most; they are written one after the other.
 */
async function planGroup(options: GroupOptions, group: Decision['due']): Promise<ActionTrace[]> {
  const { claimed, source, services, mayStand } = options;
  const first = group[0]?.action;
  const isOnce = first?.audience === 'once';
  // Pages of a try that failed stand: whom they tell counts towards the most that may be told.
  const alreadyTold =
    mayStand && first && !isOnce
      ? await plannedRecipients(services.database.pool, { executionId: claimed.id, actionId: first.partId })
      : [];
  const planned = new Map(group.map(({ action }) => [action.partId, 0]));
  const recipients: RecipientTrace[] = [];
  const pages = isOnce
    ? [{ recipients: [], leftOut: [], traces: [] }]
    : resolveRecipients(first?.recipients ?? [], {
        event: source.event,
        excludeActor: source.workflow.settings.excludeActor,
        maxRecipients: source.workflow.settings.maxRecipients,
        quota: services.recipientQuota,
        alreadyTold,
        directory: services.directory,
        pageSize,
        timeoutMs: services.lookupTimeoutMs,
        signal: services.signal,
      });
  let written: Promise<void> = Promise.resolve();
  try {
    for await (const page of pages) {
      recipients.push(...page.traces);
      const rows = emptyPlan();
      const rules = group.some(asksMutedInbox) ? await rulesOfPage(options, page) : noDeliveryRules;
      for (const { action } of group) {
        const before = rows.deliveries.length;
        const context = { executionId: claimed.id, ...source, place: claimed.place, rules };
        let { recipients: left } = page;
        do {
          left = planAction(rows, context, { ...page, action, recipients: left, isOver: timeLimit(turnMs) });
          if (left.length > 0) await nextTurn();
          services.signal.throwIfAborted();
        } while (left.length > 0);
        planned.set(action.partId, (planned.get(action.partId) ?? 0) + rows.deliveries.length - before);
      }
      await written;
      written = write(options, rows);
      // It is awaited, but only once the next page is planned.
      written.catch(() => undefined);
    }
  } finally {
    await written;
  }
  return group.map(({ action, conditions }) => ({
    partId: action.partId,
    type: action.type,
    planned: planned.get(action.partId) ?? 0,
    ...(conditions.length > 0 ? { conditions } : {}),
    ...(isOnce ? {} : { recipients }),
  }));
}

/** What those of a page have said about their inboxes, if anybody of the tenant has. */
async function rulesOfPage({ source, services }: GroupOptions, page: AudiencePage): Promise<DeliveryRules> {
  if (page.recipients.length === 0) return noDeliveryRules;
  const { pool } = services.database;
  const { tenantId } = source.workflow;
  const muted = await tenantsWithMutedInboxes(pool, [tenantId]);
  if (muted.size === 0) return noDeliveryRules;
  return readInboxRules(
    pool,
    page.recipients.map(({ id }) => ({ tenantId, userId: id })),
  );
}

/** Writes a page, only while the lease is ours. */
async function write({ claimed, services, mayStand }: GroupOptions, rows: Plan): Promise<void> {
  const { database, leaseMs } = services;
  const { deliveries, notifications } = rows;
  if (deliveries.length === 0) return;
  const page = { execution: claimed, leaseMs, mayStand, notifications };
  const isInLine = deliveries.some(({ place }) => place !== null);
  const isOurs = isInLine
    ? await database.transaction(async (_tx, client) =>
        writePage(client, { ...page, deliveries: await parkBehindOthers(client, deliveries) }),
      )
    : await writePage(database.pool, { ...page, deliveries });
  if (!isOurs) throw new LeaseLost();
}

/** Writes in one transaction, only while the lease is ours; the row stays locked until the commit. */
async function holdingLease(
  claimed: ClaimedExecution,
  services: ExecuteServices,
  write: (client: Runner) => Promise<void>,
): Promise<void> {
  await services.database.transaction(async (_tx, client) => {
    const isOurs = await renewExecutionLease(client, { ...claimed, leaseMs: services.leaseMs });
    if (!isOurs) throw new LeaseLost();
    await write(client);
  });
}

async function retryOrEnd(
  claimed: ClaimedExecution,
  services: ExecuteServices,
  failure: { reason: string; trace: ExecutionTrace },
): Promise<ExecutionStatus | 'postponed'> {
  if (mayTryAgain(claimed)) return postpone(claimed, services, failure.reason);
  return end(claimed, services, { status: 'failed', ...failure });
}

function isUndecided({ passedOver }: Decision): boolean {
  return passedOver.some(({ reason }) => reason === 'action_condition_error');
}

function mayTryAgain(claimed: ClaimedExecution): boolean {
  return claimed.attempts < maxAttempts;
}

async function postpone(claimed: ClaimedExecution, services: ExecuteServices, reason: string): Promise<'postponed'> {
  const delayMs = firstRetryMs * 2 ** (claimed.attempts - 1);
  await postponeExecution(services.database.pool, { ...claimed, reason, delayMs });
  return 'postponed';
}

async function end(
  claimed: ClaimedExecution,
  services: ExecuteServices,
  outcome: { status: ExecutionStatus | null; reason: string | null; isFailure?: boolean; trace?: ExecutionTrace },
): Promise<ExecutionStatus> {
  let status: ExecutionStatus = 'pending';
  await holdingLease(claimed, services, async (client) => {
    status = await finishExecution(client, {
      id: claimed.id,
      leaseToken: claimed.leaseToken,
      status: outcome.status,
      reason: outcome.reason,
      isFailure: outcome.isFailure ?? false,
      trace: stringifyJson(outcome.trace ?? { conditions: [], actions: [] }),
    });
  });
  return status;
}
