import type { ExecutionTrace } from '../model/execution.ts';
import { reasonSentence } from '../model/reason.ts';
import type { DeadLetterKind, DeadLetterRow } from '../store/dead-letters.ts';
import type { AttemptLog, EventImages, LoggedEvent } from './execution-log.ts';

/** Something that was given up and can be tried again. */
export type DeadLetter = {
  readonly kind: DeadLetterKind;
  /** Of the delivery, the execution or the event. */
  readonly id: string;
  /** Empty for an event whose row named no tenant. */
  readonly tenantId: string;
  /** Null for an event: it was given up before it met a workflow. */
  readonly workflow: { readonly id: string; readonly name: string } | null;
  /** Null unless a delivery. */
  readonly action: { readonly partId: string; readonly type: string } | null;
  /** The user who was to be told; null when there is none. */
  readonly recipient: string | null;
  readonly executionId: string | null;
  readonly eventId: string;
  /** A code of `model/reason.ts`, or a custom handler's own word. */
  readonly reason: string;
  /** The reason as people read it. */
  readonly sentence: string;
  /** When it was given up. */
  readonly at: Date;
  /** How often it was tried. */
  readonly attempts: number;
};

/** A dead letter with what is known about it. */
export type DeadLetterDetail = DeadLetter & {
  /** Null when it is no longer kept: then it cannot be redriven. */
  readonly event: (LoggedEvent & EventImages) | null;
  /** Every try of a delivery; empty for the other kinds. */
  readonly attemptLogs: readonly AttemptLog[];
  /** Every decision of the execution; null for an event. */
  readonly trace: ExecutionTrace | null;
};

/** A dead letter as people read it. */
export function deadLetter(row: DeadLetterRow): DeadLetter {
  const { kind, id, tenantId, executionId, eventId, reason, attempts } = row;
  return {
    kind,
    id,
    tenantId,
    workflow: row.workflowId === null ? null : { id: row.workflowId, name: row.workflowName ?? row.workflowId },
    action: row.actionId === null ? null : { partId: row.actionId, type: row.actionType ?? '' },
    recipient: row.recipientId,
    executionId,
    eventId,
    reason,
    sentence: reasonSentence(reason),
    at: new Date(row.atMs),
    attempts,
  };
}
