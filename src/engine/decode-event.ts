import type { WorkflowEvent } from '../model/event.ts';
import { type Json, parseJson } from '../model/json.ts';
import type { StoredEvent } from '../store/read-events.ts';

/** A stored event as workflows see it. Images are parsed when first looked at: most events interest nobody. */
export function decodeEvent(row: StoredEvent): WorkflowEvent {
  return new DecodedEvent(row);
}

class DecodedEvent implements WorkflowEvent {
  readonly id: string;
  readonly tenantId: string;
  readonly source: 'db' | 'domain';
  readonly entityType: string;
  readonly entityId: string;
  readonly operation: string;
  readonly changed: readonly string[];
  readonly actor: string | null;
  readonly traceContext: string | null;
  readonly idempotencyKey: string | null;
  readonly causation: string | null;
  readonly occurredAt: Date;
  readonly #row: StoredEvent;
  #payload: Json | undefined;
  #previous: Json | undefined;

  constructor(row: StoredEvent) {
    this.id = row.id;
    this.tenantId = row.tenantId;
    this.source = row.source;
    this.entityType = row.entityType;
    this.entityId = row.entityId;
    this.operation = row.operation;
    this.changed = row.changed ?? [];
    this.actor = row.actor;
    this.traceContext = row.traceContext;
    this.idempotencyKey = row.idempotencyKey;
    this.causation = row.causation;
    this.occurredAt = new Date(row.occurredAtMs);
    this.#row = row;
  }

  /** After a delete the row as it last was. */
  get payload(): Json {
    this.#payload ??= this.#row.payload === null ? this.previous : parseJson(this.#row.payload);
    return this.#payload;
  }

  get previous(): Json {
    this.#previous ??= this.#row.previous === null ? null : parseJson(this.#row.previous);
    return this.#previous;
  }
}
