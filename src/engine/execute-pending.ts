import type { ConditionServices } from '../match/condition.ts';
import { allOf, type ConditionTrace } from '../model/condition.ts';
import type { WorkflowEvent } from '../model/event.ts';
import {
  type ActionTrace,
  type ExecutionStatus,
  type ExecutionTrace,
  executionStatus,
  isCutByQuota,
} from '../model/execution.ts';
import { stringifyJson } from '../model/json.ts';
import type { Runner } from '../store/connection.ts';
import { leaveExecution } from '../store/left-executions.ts';
import {
  type ClaimedExecution,
  finishExecution,
  finishToldExecution,
  postponeExecution,
  releaseExecution,
  renewExecutionLease,
} from '../store/pending-executions.ts';
import type { RunnableWorkflow } from './compile-workflow.ts';
import { decideActions, groupByRecipients } from './decide-actions.ts';
import { skipReason } from './match-batch.ts';
import { LeaseLost, type PageServices, planPages } from './plan-pages.ts';

/** What the execute stage needs from outside. */
export type ExecuteServices = PageServices & {
  /** For one execution; its look-ups end with the signal. */
  readonly conditionServices: (signal: AbortSignal) => ConditionServices;
};

/** An execution is tried this often when a look-up fails; then what failed stands in the log as the reason. */
const maxAttempts = 4;
const firstRetryMs = 2_000;
/** What this worker cannot run is left out of its next claims; those who can have that long to take it. */
const leaveMs = 5_000;

/**
 * Decides and plans one leased execution: conditions that take look-ups, custom resolvers, audiences of any size. Each page
 * of recipients is one transaction; after a crash the pages are planned again and those that stand stay as they are.
 */
export async function executePending(
  claimed: ClaimedExecution,
  source: { event: WorkflowEvent | null; workflow: RunnableWorkflow | null; hasDeliveries: boolean },
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
    const { event, workflow, hasDeliveries } = source;
    return await decide(claimed, { event, workflow, hasDeliveries }, services);
  } catch (error) {
    if (error instanceof LeaseLost) return 'lost';
    if (!services.signal.aborted) throw error;
    // The worker stops: nothing was decided, and another goes on at once.
    await releaseExecution(services.database.pool, claimed);
    return 'postponed';
  }
}

type Decision = Awaited<ReturnType<typeof decideActions>>;
type Source = {
  readonly event: WorkflowEvent;
  readonly workflow: RunnableWorkflow;
  /** Also what a worker planned that stopped and gave the execution back as if it had not begun. */
  readonly hasDeliveries: boolean;
};

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
  const { claimed, source, services, conditions, decision } = options;
  const actions: ActionTrace[] = [...decision.passedOver];
  const mayStand = source.hasDeliveries;
  const counts = { open: 0, done: 0, failed: 0 };
  for (const group of groupByRecipients(decision.due)) {
    actions.push(...(await planPages({ ...options, mayStand, group, counts })));
  }
  const failedPart = actions.flatMap((action) => action.recipients ?? []).find((part) => part.error !== undefined);
  if (failedPart?.reason && mayTryAgain(claimed)) return postpone(claimed, services, failedPart.reason);

  const planned = actions.reduce((sum, action) => sum + action.planned, 0);
  const undecided = isUndecided(decision) ? 'action_condition_error' : null;
  const failure = failedPart?.reason ?? undecided ?? (isCutByQuota(actions) ? 'quota_recipients' : null);
  const reason = failure ?? (planned === 0 ? skipReason(actions) : null);
  const outcome = { reason, isFailure: failure !== null, trace: { conditions, actions } };
  const isToldOf = !mayStand && counts.open === 0 && counts.failed === 0;
  return isToldOf
    ? endTold(claimed, services, { ...outcome, done: counts.done })
    : end(claimed, services, { ...outcome, status: null });
}

/** Ends an execution of which this try planned all, and made all that it planned. */
async function endTold(
  { id, leaseToken }: ClaimedExecution,
  services: ExecuteServices,
  outcome: { reason: string | null; isFailure: boolean; trace: ExecutionTrace; done: number },
): Promise<ExecutionStatus> {
  const { reason, isFailure, done } = outcome;
  const status = executionStatus({ open: 0, done, failed: 0 }, { isCut: isFailure });
  const told = { id, leaseToken, status, reason, done, trace: stringifyJson(outcome.trace) };
  if (!(await finishToldExecution(services.database.pool, told))) throw new LeaseLost();
  return status;
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
