import { type Issue, invalid, type WorkflowError } from '../errors.ts';
import { namePattern } from '../model/event.ts';
import { stringifyJson } from '../model/json.ts';
import { err, ok, type Result } from '../model/result.ts';
import { isStorableText } from '../model/storable-text.ts';
import { type Database, inTransaction } from '../store/database.ts';
import { insertEvent } from '../store/insert-event.ts';
import { checkImage } from './check-image.ts';
import type { DomainEvent } from './domain-event.ts';
import type { Dispatched, DispatchOptions, DomainEventHandler } from './event-dispatcher.ts';

/** Characters; key and tenant are an index entry together, and PostgreSQL has room for 2,700 bytes in one. */
const maxKeyLength = 255;

/** Stores domain events in the outbox, so that they take the way of row changes: matched by workflows, in their tenant. */
export class WorkflowEventHandler implements DomainEventHandler {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** Stores the event in the caller's transaction, or in one of its own. `invalid` names what cannot be stored. */
  async handle(event: DomainEvent, options: DispatchOptions): Promise<Result<Dispatched, WorkflowError>> {
    const payload = event.toPayload();
    const previous = event.toPrevious();
    const issues = [...checkHead(event), ...checkImage('payload', payload), ...checkImage('previous', previous)];
    if (issues.length > 0) return err(invalid(event.constructor.name, issues));
    const stored = await inTransaction(this.#database, options.tx, (tx) =>
      insertEvent(tx, {
        tenantId: event.tenantId,
        entityType: event.entityType,
        entityId: event.entityId,
        operation: event.operation,
        payload: stringifyJson(payload),
        previous: previous === null ? null : stringifyJson(previous),
        actor: event.actor,
        traceContext: event.traceContext,
        idempotencyKey: event.idempotencyKey,
        occurredAt: event.occurredAt,
      }),
    );
    return ok(stored);
  }
}

function checkHead(event: DomainEvent): Issue[] {
  const issues: Issue[] = [];
  const eventClass = event.constructor.name;
  for (const name of ['entityType', 'operation'] as const) {
    if (namePattern.test(event[name])) continue;
    const message = `the name ${eventClass} does not tell it: call it like UserCreated, or say \`static ${name} = '...'\``;
    issues.push({ path: name, message });
  }
  for (const name of ['tenantId', 'idempotencyKey'] as const) {
    if (event[name] === '') issues.push({ path: name, message: 'is empty' });
  }
  for (const name of ['tenantId', 'actor', 'idempotencyKey', 'traceContext', 'entityId'] as const) {
    const value = event[name] ?? '';
    if (!isStorableText(value))
      issues.push({ path: name, message: 'holds a NUL character or half of a surrogate pair' });
    if (value.length > maxKeyLength) issues.push({ path: name, message: `is longer than ${maxKeyLength} characters` });
  }
  const year = event.occurredAt?.getUTCFullYear() ?? 1;
  if (!(year >= 1 && year <= 9999))
    issues.push({ path: 'occurredAt', message: 'is not a date of the years 1 to 9999' });
  return issues;
}
