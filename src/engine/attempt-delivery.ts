import type { CompiledAction, MessageContext } from '../deliver/action.ts';
import { redact } from '../log/redact.ts';
import { idTimeMs } from '../model/derived-id.ts';
import type { WorkflowEvent } from '../model/event.ts';
import { createMask } from '../model/mask-secrets.ts';
import type { OptOut } from '../model/preference.ts';
import { type Reason, reasons } from '../model/reason.ts';
import type { Recipient } from '../model/recipient.ts';
import { afterAttempt, type DeliveryOutcome, defaultRetryPolicy } from '../model/retry.ts';
import { isStorableText } from '../model/storable-text.ts';
import type { DeliveryRules, RulesQuestion } from '../store/delivery-rules.ts';
import type { ClaimedDelivery } from '../store/pending-deliveries.ts';
import type { AttemptRecord } from '../store/record-attempts.ts';
import type { Bounce } from '../store/suppressions.ts';
import type { NewNotification } from '../store/write-plan.ts';
import type { RunnableAction, RunnableWorkflow } from './compile-workflow.ts';
import { type DeliveryServices, deliverExternally } from './deliver-externally.ts';

/** What a claimed delivery is of; null parts are no longer kept. */
export type DeliverySource = {
  readonly event: WorkflowEvent | null;
  readonly workflow: RunnableWorkflow | null;
};

/**
 * Makes one attempt of a delivery and decides what becomes of it. Never rejects: what a handler throws is an outcome.
 */
export async function attemptDelivery(options: {
  claimed: ClaimedDelivery;
  source: DeliverySource;
  services: DeliveryServices;
  /** What was said about these deliveries, read just now. */
  rules: DeliveryRules;
  /** For an address that is not the recipient's, as actions of the host may use. */
  readRules: (question: RulesQuestion) => Promise<DeliveryRules>;
  /** Aborted when the worker must stop now. */
  signal: AbortSignal;
}): Promise<AttemptRecord> {
  const { claimed, source } = options;
  const startedAt = performance.now();
  const secrets: string[] = [];
  const bounces: Bounce[] = [];
  const action = source.workflow?.actions.find((candidate) => candidate.partId === claimed.actionId);
  const policy = action?.retry ?? defaultRetryPolicy;
  const attempts = claimed.attempts - claimed.attemptsBase;
  // Attempts are counted when claimed: what ended every worker that tried it must not end the next.
  const isSpent = attempts > policy.maxAttempts;
  const { outcome, notification } = isSpent
    ? failed('attempts_exhausted')
    : withinPatience(await attempt({ ...options, action, secrets, bounces }), options);
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
    isOrdered: claimed.isOrdered,
    outcome: outcome.status,
    reason: outcome.status === 'delivered' ? null : reasonText(outcome.reason, secrets),
    detail: outcome.detail ? detailText(outcome.detail, secrets) : null,
    startedAtMs: claimed.nowMs,
    durationMs: Math.round(performance.now() - startedAt),
    next: verdict.status,
    delayMs: verdict.status === 'pending' ? verdict.delayMs : 0,
    notification,
    bounces,
  };
}

/**
 * What waits for its endpoint longer than it may is given up, as a failed attempt that says what it waited for. Not what was
 * redriven: whoever did that knows how old it is, and one that met a busy endpoint would be dead again at once.
 */
function withinPatience(attempted: Attempted, options: { claimed: ClaimedDelivery; services: DeliveryServices }) {
  const { outcome } = attempted;
  const { claimed, services } = options;
  if (outcome.status !== 'postponed' || claimed.attemptsBase > 0) return attempted;
  const waitedMs = claimed.nowMs - idTimeMs(claimed.id);
  if (waitedMs <= (services.maxWaitMs ?? Number.POSITIVE_INFINITY)) return attempted;
  return { ...attempted, outcome: { ...outcome, status: 'failed' as const } };
}

/** Reasons of ours are a closed list; one of the host's may hold anything. */
function reasonText(reason: string, secrets: readonly string[]): string {
  return Object.hasOwn(reasons, reason) ? reason : createMask(secrets)(reason);
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
  rules: DeliveryRules;
  readRules: (question: RulesQuestion) => Promise<DeliveryRules>;
  action: RunnableAction | undefined;
  secrets: string[];
  bounces: Bounce[];
  signal: AbortSignal;
}): Promise<Attempted> {
  const { claimed, source, rules, action } = options;
  if (!source.event) return failed('event_expired');
  if (!source.workflow || !action) return failed('version_missing');
  const { compiled } = action;
  if (compiled === null) return left;
  const { workflowId: id, name, version } = source.workflow;
  const { tenantId, recipientId: userId, actionType: channel } = claimed;
  const optOut =
    action.unsubscribe && userId !== '' ? ({ tenantId, userId, channel, workflowId: id } satisfies OptOut) : null;
  // Asked at the attempt and not only when planning: what was said in between counts.
  if (optOut && rules.isMuted(optOut)) return skipped('opted_out');
  const message: MessageContext = {
    event: source.event,
    workflow: { id, name, version },
    recipient: claimed.recipient as Recipient | null,
  };
  if (compiled.kind === 'inbox') return composeAgain(compiled, claimed, message);
  const { timeoutMs } = action;
  const outcome = await deliverExternally({ ...options, message, compiled, timeoutMs, optOut });
  return { outcome, notification: null };
}

/** Another version of the handler may take what this worker's does not. */
const left: Attempted = {
  outcome: { status: 'postponed', reason: 'unknown_handler', afterMs: 30_000 },
  notification: null,
};

function failed(reason: Reason): Attempted {
  return { outcome: { status: 'failed', reason }, notification: null };
}

function skipped(reason: Reason): Attempted {
  return { outcome: { status: 'skipped', reason }, notification: null };
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
