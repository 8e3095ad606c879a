import type { CompiledAction, MessageContext, StoredTemplate, Transports } from '../deliver/action.ts';
import { redact } from '../log/redact.ts';
import type { WorkflowEvent } from '../model/event.ts';
import type { Reason } from '../model/reason.ts';
import type { Recipient } from '../model/recipient.ts';
import { afterAttempt, type DeliveryOutcome, defaultRetryPolicy } from '../model/retry.ts';
import { isStorableText } from '../model/storable-text.ts';
import type { ClaimedDelivery } from '../store/pending-deliveries.ts';
import type { AttemptRecord } from '../store/record-attempts.ts';
import type { NewNotification } from '../store/write-plan.ts';
import type { RunnableAction, RunnableWorkflow } from './compile-workflow.ts';

/** What an attempt needs from outside. */
export type DeliveryServices = {
  readonly transports: Transports;
  readonly openSecret: (tenantId: string, name: string) => Promise<string | null>;
  readonly storedTemplate: (tenantId: string, name: string) => Promise<StoredTemplate | null>;
};

/** What a claimed delivery is of; null parts are no longer kept. */
export type DeliverySource = {
  readonly event: WorkflowEvent | null;
  readonly workflow: RunnableWorkflow | null;
};

type External = Extract<CompiledAction, { kind: 'external' }>;

/**
 * Makes one attempt of a delivery and decides what becomes of it. Never rejects: what a handler throws is an outcome.
 */
export async function attemptDelivery(options: {
  claimed: ClaimedDelivery;
  source: DeliverySource;
  services: DeliveryServices;
  /** Aborted when the worker must stop now. */
  signal: AbortSignal;
}): Promise<AttemptRecord> {
  const { claimed, source } = options;
  const startedAt = performance.now();
  const secrets: string[] = [];
  const action = source.workflow?.actions.find((candidate) => candidate.partId === claimed.actionId);
  const policy = action?.retry ?? defaultRetryPolicy;
  const attempts = claimed.attempts - claimed.attemptsBase;
  // Attempts are counted when claimed: what ended every worker that tried it must not end the next.
  const isSpent = attempts > policy.maxAttempts;
  const { outcome, notification } = isSpent
    ? failed('attempts_exhausted')
    : await attempt({ ...options, action, secrets });
  const verdict = afterAttempt({
    policy,
    attempts,
    outcome,
    random: Math.random(),
  });
  return {
    deliveryId: claimed.id,
    tenantId: claimed.tenantId,
    executionId: claimed.executionId,
    actionType: claimed.actionType,
    leaseToken: claimed.leaseToken,
    attempt: claimed.attempts,
    outcome: outcome.status,
    reason: outcome.status === 'delivered' ? null : outcome.reason,
    detail: outcome.detail ? detailText(outcome.detail, secrets) : null,
    startedAtMs: claimed.nowMs,
    durationMs: Math.round(performance.now() - startedAt),
    next: verdict.status,
    delayMs: verdict.status === 'pending' ? verdict.delayMs : 0,
    notification,
  };
}

/** The detail as it is stored: without secrets, and never a reason to lose the outcome. */
function detailText(detail: unknown, secrets: readonly string[]): string | null {
  try {
    const text = JSON.stringify(redact(detail, secrets));
    return isStorableText(text) ? text : text.toWellFormed().replaceAll('\u0000', '');
  } catch {
    return null;
  }
}

/** What an attempt came to, and the inbox row that is to stand with it. */
type Attempted = { readonly outcome: DeliveryOutcome; readonly notification: NewNotification | null };

async function attempt(options: {
  claimed: ClaimedDelivery;
  source: DeliverySource;
  services: DeliveryServices;
  action: RunnableAction | undefined;
  secrets: string[];
  signal: AbortSignal;
}): Promise<Attempted> {
  const { claimed, source, services, action, secrets } = options;
  if (!source.event) return failed('event_expired');
  if (!source.workflow || !action) return failed('version_missing');
  const { compiled } = action;
  if (compiled === null) return failed('unknown_handler');
  const { workflowId: id, name, version } = source.workflow;
  const message: MessageContext = {
    event: source.event,
    workflow: { id, name, version },
    recipient: claimed.recipient as Recipient | null,
  };
  if (compiled.kind === 'inbox') return composeAgain(compiled, claimed, message);
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(action.timeoutMs)]);
  const outcome = await within(signal, () =>
    compiled.deliver({
      ...message,
      tenantId: claimed.tenantId,
      deliveryId: claimed.id,
      executionId: claimed.executionId,
      attempt: claimed.attempts,
      now: new Date(claimed.nowMs),
      signal,
      transports: services.transports,
      secret: async (name) => {
        const value = await services.openSecret(claimed.tenantId, name);
        if (value !== null) secrets.push(value);
        return value;
      },
      storedTemplate: (name) => services.storedTemplate(claimed.tenantId, name),
    }),
  );
  return { outcome, notification: null };
}

function failed(reason: Reason): Attempted {
  return { outcome: { status: 'failed', reason }, notification: null };
}

/** An inbox notification that could not be composed when it was planned, and was redriven. */
function composeAgain(
  compiled: Extract<CompiledAction, { kind: 'inbox' }>,
  claimed: ClaimedDelivery,
  message: MessageContext,
): Attempted {
  const content = compiled.compose(message);
  if (!content.ok) return { outcome: { status: 'failed', reason: content.error }, notification: null };
  const { id, tenantId, recipientId: userId, executionId } = claimed;
  return { outcome: { status: 'delivered' }, notification: { id, tenantId, userId, executionId, ...content.value } };
}

const outcomeStatuses: readonly unknown[] = ['delivered', 'retry', 'failed'];
const longestReason = 500;

/** What a handler answered, if it is an outcome: a host's handler can answer anything. */
function checkedOutcome(answer: unknown): DeliveryOutcome {
  const { status, reason, afterMs } = (typeof answer === 'object' && answer !== null ? answer : {}) as Partial<
    Record<'status' | 'reason' | 'afterMs', unknown>
  >;
  const isReasoned =
    typeof reason === 'string' && reason !== '' && reason.length <= longestReason && isStorableText(reason);
  const isTimed = afterMs === undefined || (typeof afterMs === 'number' && Number.isFinite(afterMs) && afterMs >= 0);
  if (outcomeStatuses.includes(status) && (status === 'delivered' || isReasoned) && isTimed)
    return answer as DeliveryOutcome;
  const wanted = "{ status: 'delivered' }, { status: 'retry', reason, afterMs? } or { status: 'failed', reason }";
  return { status: 'retry', reason: 'handler_failed', detail: { error: `the handler must answer ${wanted}` } };
}

/** The handler's outcome, or `timeout` when it does not come before the signal, also from a handler that ignores it. */
async function within(signal: AbortSignal, deliver: () => ReturnType<External['deliver']>): Promise<DeliveryOutcome> {
  const { promise: timeUp, resolve } = Promise.withResolvers<DeliveryOutcome>();
  const onAbort = () => resolve({ status: 'retry', reason: 'timeout' });
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([Promise.resolve(deliver()).then(checkedOutcome), timeUp]);
  } catch (error) {
    if (signal.aborted) return { status: 'retry', reason: 'timeout' };
    const message = error instanceof Error ? error.message : String(error);
    return { status: 'retry', reason: 'handler_failed', detail: { error: message } };
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
