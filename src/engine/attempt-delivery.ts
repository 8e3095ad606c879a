import type { CompiledAction, StoredTemplate, Transports } from '../deliver/action.ts';
import { redact } from '../log/redact.ts';
import type { WorkflowEvent } from '../model/event.ts';
import type { Recipient } from '../model/recipient.ts';
import { afterAttempt, type DeliveryOutcome, defaultRetryPolicy } from '../model/retry.ts';
import type { ClaimedDelivery } from '../store/pending-deliveries.ts';
import type { AttemptRecord } from '../store/record-attempts.ts';
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
  const outcome = await attempt({ ...options, action, secrets });
  const verdict = afterAttempt({
    policy: action?.retry ?? defaultRetryPolicy,
    attempts: claimed.attempts - claimed.attemptsBase,
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
    detail: outcome.detail ? JSON.stringify(redact(outcome.detail, secrets)) : null,
    startedAtMs: claimed.nowMs,
    durationMs: Math.round(performance.now() - startedAt),
    next: verdict.status,
    delayMs: verdict.status === 'pending' ? verdict.delayMs : 0,
  };
}

async function attempt(options: {
  claimed: ClaimedDelivery;
  source: DeliverySource;
  services: DeliveryServices;
  action: RunnableAction | undefined;
  secrets: string[];
  signal: AbortSignal;
}): Promise<DeliveryOutcome> {
  const { claimed, source, services, action, secrets } = options;
  if (!source.event) return { status: 'failed', reason: 'event_expired' };
  if (!source.workflow || !action) return { status: 'failed', reason: 'version_missing' };
  const compiled = action.compiled;
  if (compiled?.kind !== 'external') return { status: 'failed', reason: 'unknown_handler' };
  const signal = AbortSignal.any([options.signal, AbortSignal.timeout(action.timeoutMs)]);
  const { workflow, event } = { workflow: source.workflow, event: source.event };
  return within(signal, () =>
    compiled.deliver({
      event,
      workflow: { id: workflow.workflowId, name: workflow.name, version: workflow.version },
      recipient: claimed.recipient as Recipient | null,
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
}

/** The handler's outcome, or `timeout` when it does not come before the signal, also from a handler that ignores it. */
async function within(signal: AbortSignal, deliver: () => ReturnType<External['deliver']>): Promise<DeliveryOutcome> {
  const { promise: timeUp, resolve } = Promise.withResolvers<DeliveryOutcome>();
  const onAbort = () => resolve({ status: 'retry', reason: 'timeout' });
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([deliver(), timeUp]);
  } catch (error) {
    if (signal.aborted) return { status: 'retry', reason: 'timeout' };
    const message = error instanceof Error ? error.message : String(error);
    return { status: 'retry', reason: 'handler_failed', detail: { error: message } };
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
