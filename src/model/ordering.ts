import { createHash } from 'node:crypto';
import type { WorkflowEvent } from './event.ts';

/**
 * Where something stands among what must go one after the other: what has the same key goes by position, the position of the
 * event it comes of.
 */
export type Place = { readonly key: string; readonly position: string };

/** The place of an execution among those of a workflow for one entity; null for an event of no entity, or that never waited in the outbox. */
export function executionPlace(event: WorkflowEvent, position: string | null, workflowId: string): Place | null {
  if (position === null || event.entityId === '') return null;
  return { key: keyOf([workflowId, event.entityType, event.entityId]), position };
}

/** The place of a delivery among those of an action for one entity and one recipient ('' when it goes out once per execution). */
export function deliveryPlace(execution: Place, actionPartId: string, recipientId: string): Place {
  return { key: keyOf([execution.key, actionPartId, recipientId]), position: execution.position };
}

function keyOf(parts: readonly string[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 22);
}
