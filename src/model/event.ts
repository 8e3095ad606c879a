import type { Json } from './json.ts';

/** The operations a row change has. Domain events may name their own (`refunded`). */
export const rowOperations = ['insert', 'update', 'delete'] as const;
export type RowOperation = (typeof rowOperations)[number];

/** How operations and entity types are written: lower case words with `_`, `-` or `.`. */
export const namePattern = /^[a-z][a-z0-9_.-]{0,62}$/i;

/** Something that happened in one tenant: a captured row change or a domain event. */
export type WorkflowEvent = {
  /** Time-ordered UUID; what an execution points at. */
  readonly id: string;
  readonly tenantId: string;
  readonly source: 'db' | 'domain';
  readonly entityType: string;
  /** The primary key as text; several key columns as a JSON array in key order. */
  readonly entityId: string;
  readonly operation: string;
  /** The row as it is now; after a delete, the row as it last was. */
  readonly payload: Json;
  /** The row before an update or delete, else null. */
  readonly previous: Json;
  /** Columns whose values differ between previous and payload; empty unless an update. */
  readonly changed: readonly string[];
  /** Who did it, from the session setting `tocsin.actor` or the domain event. */
  readonly actor: string | null;
  /** W3C `traceparent` of the writer, if set. */
  readonly traceContext: string | null;
  readonly idempotencyKey: string | null;
  /** The workflows whose effects led to it, as `model/causation.ts` writes them; null when none did. */
  readonly causation: string | null;
  readonly occurredAt: Date;
};

/** What templates and `event.` paths may read of an event, beside payload and previous. */
export const eventFields = [
  'id',
  'source',
  'entity_type',
  'entity_id',
  'operation',
  'changed',
  'actor',
  'occurred_at',
  'idempotency_key',
] as const;

/** The event as the data that `event.` paths and templates read; own properties only. */
export function eventData(event: WorkflowEvent): Record<(typeof eventFields)[number], Json> {
  return {
    id: event.id,
    source: event.source,
    entity_type: event.entityType,
    entity_id: event.entityId,
    operation: event.operation,
    changed: event.changed,
    actor: event.actor,
    occurred_at: event.occurredAt.toISOString(),
    idempotency_key: event.idempotencyKey,
  };
}
