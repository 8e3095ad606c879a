import { type Issue, invalid, type WorkflowError } from '../errors.ts';
import { stringifyJson } from '../model/json.ts';
import { err, type Result } from '../model/result.ts';
import { isStorableJson, isStorableText } from '../model/storable-text.ts';
import { type Database, inTransaction } from '../store/database.ts';
import { insertEvent } from '../store/insert-event.ts';
import type { DomainEvent } from './domain-event.ts';
import type { Dispatched, DispatchOptions, DomainEventHandler } from './event-dispatcher.ts';

/** Most bytes of a payload, as JSON. */
const maxPayloadBytes = 1_048_576;
/** Most levels of arrays and objects in it. */
const maxPayloadDepth = 64;
const maxKeyLength = 500;

/** Stores domain events in the outbox, so that they take the way of row changes: matched by workflows, in their tenant. */
export class WorkflowEventHandler implements DomainEventHandler {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async handle(event: DomainEvent, options: DispatchOptions): Promise<Result<Dispatched, WorkflowError>> {
    const { entityType, operation } = event;
    const payload = event.toPayload();
    const previous = event.toPrevious();
    const issues = [...checkHead(event), ...checkImage('payload', payload), ...checkImage('previous', previous)];
    if (issues.length > 0) return err(invalid(`event ${entityType} ${operation}`, issues));
    const stored = await inTransaction(this.#database, options.tx, (tx) =>
      insertEvent(tx, {
        tenantId: event.tenantId,
        entityType,
        entityId: event.entityId,
        operation,
        payload: stringifyJson(payload),
        previous: previous === null ? null : stringifyJson(previous),
        actor: event.actor,
        traceContext: event.traceContext,
        idempotencyKey: event.idempotencyKey,
        occurredAt: event.occurredAt,
      }),
    );
    return { ok: true, value: stored };
  }
}

function checkHead(event: DomainEvent): Issue[] {
  const issues: Issue[] = [];
  if (event.tenantId === '') issues.push({ path: 'tenantId', message: 'an event belongs to a tenant: give its id' });
  for (const name of ['tenantId', 'actor', 'idempotencyKey', 'traceContext', 'entityId'] as const) {
    const value = event[name];
    if (value === null) continue;
    if (!isStorableText(value))
      issues.push({ path: name, message: 'holds a NUL character or half of a surrogate pair' });
    else if (value.length > maxKeyLength)
      issues.push({ path: name, message: `is longer than ${maxKeyLength} characters` });
  }
  return issues;
}

function checkImage(path: string, image: Record<string, unknown> | null): Issue[] {
  if (image === null) return [];
  if (depthOf(image) > maxPayloadDepth) return [{ path, message: `is nested deeper than ${maxPayloadDepth}` }];
  if (!isStorableJson(image)) {
    return [{ path, message: 'holds a NUL character or half of a surrogate pair, which PostgreSQL cannot store' }];
  }
  const bytes = Buffer.byteLength(stringifyJson(image));
  return bytes > maxPayloadBytes
    ? [{ path, message: `is ${bytes} bytes as JSON; ${maxPayloadBytes} are allowed` }]
    : [];
}

/** Levels of arrays and objects; stops counting one above the limit, also for a value that refers to itself. */
function depthOf(value: unknown, level = 0): number {
  if (typeof value !== 'object' || value === null || level > maxPayloadDepth) return level;
  return Object.values(value).reduce((deepest: number, part) => Math.max(deepest, depthOf(part, level + 1)), level + 1);
}
