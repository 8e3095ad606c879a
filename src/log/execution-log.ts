import { parseCausation } from '../model/causation.ts';
import type { DeliveryStatus, ExecutionStatus, ExecutionTrace } from '../model/execution.ts';
import { type Json, parseJson } from '../model/json.ts';
import { reasonSentence } from '../model/reason.ts';
import type { AttemptRow, DeliveryRow, ExecutionRow } from '../store/execution-logs.ts';
import type { StoredEvent } from '../store/read-events.ts';

/** What one execution came to, and every decision it took. */
export type ExecutionLog = {
  readonly id: string;
  readonly workflowId: string;
  readonly workflowName: string;
  /** The version that ran. */
  readonly workflowVersion: number;
  /** Why the workflow is paused now, a code of `model/reason.ts`; null when it is not. */
  readonly workflowPausedReason: string | null;
  readonly status: ExecutionStatus;
  /** Why it is as it is: a code of `model/reason.ts`; null when there is nothing to say. */
  readonly reason: string | null;
  /** The reason as people read it. */
  readonly sentence: string | null;
  readonly createdAt: Date;
  readonly completedAt: Date | null;
  /** From created to completed. */
  readonly durationMs: number | null;
  /** Null when it is no longer kept. */
  readonly event: LoggedEvent | null;
  readonly trace: ExecutionTrace;
  readonly deliveryCounts: { readonly open: number; readonly delivered: number; readonly failed: number };
};

/** What an execution was about. */
export type LoggedEvent = {
  readonly id: string;
  readonly entityType: string;
  readonly entityId: string;
  readonly operation: string;
  readonly actor: string | null;
  readonly occurredAt: Date;
};

/** The rows an event was about. */
export type EventImages = {
  readonly payload: Json;
  readonly previous: Json;
  readonly changed: readonly string[];
  /** Ids of the workflows whose effects led to it, oldest first. */
  readonly causation: readonly string[];
};

/** An execution with everything that was made of it. */
export type ExecutionDetail = Omit<ExecutionLog, 'event'> & {
  readonly event: (LoggedEvent & EventImages) | null;
  readonly deliveries: readonly DeliveryLog[];
  /** Asks for the deliveries after these; null when there are none. */
  readonly nextDeliveryCursor: string | null;
};

/** One action to one recipient: told, or why not. */
export type DeliveryLog = {
  readonly id: string;
  readonly action: { readonly partId: string; readonly type: string; readonly name: string | null };
  /** The user told; null for an action that goes out once per execution. */
  readonly recipientId: string | null;
  readonly status: DeliveryStatus;
  readonly reason: string | null;
  readonly sentence: string | null;
  readonly createdAt: Date;
  readonly completedAt: Date | null;
  /** Null unless another attempt is waited for. */
  readonly nextAttemptAt: Date | null;
  readonly attempts: readonly AttemptLog[];
};

/** One try. */
export type AttemptLog = {
  /** 1 for the first. */
  readonly attempt: number;
  readonly startedAt: Date;
  readonly durationMs: number;
  readonly outcome: 'delivered' | 'retry' | 'failed' | 'skipped';
  readonly reason: string | null;
  readonly sentence: string | null;
  /** What the other side said, secrets redacted. */
  readonly detail: Json;
};

const emptyTrace: ExecutionTrace = { conditions: [], actions: [] };

/** An execution as people read it. */
export function executionLog(row: ExecutionRow): ExecutionLog {
  const { id, workflowId, workflowName, workflowVersion, workflowPausedReason, status, reason } = row;
  return {
    id,
    workflowId,
    workflowName,
    workflowVersion,
    workflowPausedReason,
    status,
    reason,
    sentence: sentenceOf(reason),
    createdAt: new Date(row.createdAtMs),
    completedAt: dateOf(row.completedAtMs),
    durationMs: row.completedAtMs === null ? null : Math.round(row.completedAtMs - row.createdAtMs),
    event: row.entityType === null ? null : { ...eventOf(row), entityType: row.entityType },
    trace: row.trace === null ? emptyTrace : (parseJson(row.trace) as unknown as ExecutionTrace),
    deliveryCounts: { open: row.open, delivered: row.delivered, failed: row.failed },
  };
}

function eventOf(row: ExecutionRow): Omit<LoggedEvent, 'entityType'> {
  const { eventId, entityId, operation, actor, occurredAtMs } = row;
  return { id: eventId, entityId, operation, actor, occurredAt: new Date(occurredAtMs) };
}

/** A stored event as people read it. */
export function loggedEvent(stored: StoredEvent): LoggedEvent & EventImages {
  const { id, entityType, entityId, operation, actor, occurredAtMs, payload, previous, changed } = stored;
  return {
    id,
    entityType,
    entityId,
    operation,
    actor,
    occurredAt: new Date(occurredAtMs),
    payload: payload === null ? null : parseJson(payload),
    previous: previous === null ? null : parseJson(previous),
    changed: changed ?? [],
    causation: parseCausation(stored.causation),
  };
}

/** A delivery of an action of this name, as people read it. */
export function deliveryLog(row: DeliveryRow, actionName: string | null): DeliveryLog {
  const { id, status, reason } = row;
  return {
    id,
    action: { partId: row.actionId, type: row.actionType, name: actionName },
    recipientId: row.recipientId === '' ? null : row.recipientId,
    status,
    reason,
    sentence: sentenceOf(reason),
    createdAt: new Date(row.createdAtMs),
    completedAt: dateOf(row.completedAtMs),
    nextAttemptAt: dateOf(row.dueAtMs),
    attempts: attemptLogs(row),
  };
}

/** Every try of a delivery, in order. */
export function attemptLogs(row: DeliveryRow): AttemptLog[] {
  const recorded = row.attempts.map(attemptLog);
  return recorded.length > 0 ? recorded : inboxAttempts(row);
}

/** What an inbox shows is composed and written while the execution is planned: its one attempt left no row of its own. */
function inboxAttempts(row: DeliveryRow): AttemptLog[] {
  const { status, reason, createdAtMs, completedAtMs, attemptCount } = row;
  if (attemptCount > 0 || completedAtMs === null || (status !== 'delivered' && status !== 'dead')) return [];
  const outcome = status === 'delivered' ? 'delivered' : 'failed';
  const durationMs = Math.round(completedAtMs - createdAtMs);
  return [attemptLog({ attempt: 1, outcome, reason, detail: null, startedAtMs: createdAtMs, durationMs })];
}

function attemptLog(row: AttemptRow): AttemptLog {
  const { attempt, durationMs, outcome, reason, detail } = row;
  return {
    attempt,
    startedAt: new Date(row.startedAtMs),
    durationMs,
    outcome,
    reason,
    sentence: sentenceOf(reason),
    detail: detail as Json,
  };
}

/** A reason as people read it. */
export function sentenceOf(reason: string | null): string | null {
  return reason === null ? null : reasonSentence(reason);
}

function dateOf(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}
