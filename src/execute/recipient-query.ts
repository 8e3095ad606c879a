import type { WorkflowEvent } from '../model/event.ts';
import type { RecipientQuery } from '../model/recipient.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { CompiledRecipient } from './recipient.ts';

/** Why a part names nobody. */
export type PartFailure = {
  /** A code of `model/reason.ts`. */
  readonly reason: string;
  readonly error?: string;
};

/** What a part asks the directory for this event; never throws. */
export function recipientQuery(
  compiled: Extract<CompiledRecipient, { kind: 'query' }>,
  event: WorkflowEvent,
): Result<RecipientQuery, PartFailure> {
  try {
    const query = compiled.query(event);
    return query.ok ? ok(query.value) : err({ reason: query.error });
  } catch (error) {
    return err(resolverFailure(error));
  }
}

const longestError = 500;

/** The failure that a thrown error is traced as. */
export function resolverFailure(error: unknown): PartFailure {
  const message = error instanceof Error ? error.message : String(error);
  return { reason: 'resolver_failed', error: message.slice(0, longestError) };
}
