import { type Issue, invalid, WorkflowError } from '../errors.ts';
import { formatCausation, parseCausation } from '../model/causation.ts';
import { currentCausation } from '../model/caused-by.ts';
import { namePattern } from '../model/event.ts';
import { stringifyJson } from '../model/json.ts';
import { err, ok, type Result } from '../model/result.ts';
import { isStorableText, unstorable } from '../model/storable-text.ts';
import { type Database, ormOf } from '../store/database.ts';
import { insertEvent } from '../store/insert-event.ts';
import { checkImage } from './check-image.ts';
import type { DomainEvent } from './domain-event.ts';
import type { Dispatched, DispatchOptions, DomainEventHandler } from './event-dispatcher.ts';

/** Characters; key and tenant are an index entry together, and PostgreSQL has room for 2,700 bytes in one. */
const maxKeyLength = 255;

/** Stores domain events in the outbox, so that they take the way of row changes: matched by workflows, in their tenant. */
export class WorkflowEventHandler implements DomainEventHandler {
  readonly #database: Database;
  readonly #maxPayloadBytes: number | null;

  /** `maxPayloadBytes` is the quota of tenants that have none of their own; default none. */
  constructor(database: Database, options: { readonly maxPayloadBytes?: number | null } = {}) {
    this.#database = database;
    this.#maxPayloadBytes = options.maxPayloadBytes ?? null;
  }

  /**
   * Stores the event in the caller's transaction, or in one of its own. `invalid` names what cannot be stored, `quota_exceeded`
   * says how large it is and may be.
   */
  async handle(event: DomainEvent, options: DispatchOptions): Promise<Result<Dispatched, WorkflowError>> {
    const payload = event.toPayload();
    const previous = event.toPrevious();
    const issues = [...checkHead(event), ...checkImage('payload', payload), ...checkImage('previous', previous)];
    if (issues.length > 0) return err(invalid(event.constructor.name, issues));
    const images = { payload: stringifyJson(payload), previous: previous === null ? null : stringifyJson(previous) };
    const row = {
      ...images,
      tenantId: event.tenantId,
      entityType: event.entityType,
      entityId: event.entityId,
      operation: event.operation,
      actor: event.actor,
      traceContext: event.traceContext,
      idempotencyKey: event.idempotencyKey,
      occurredAt: event.occurredAt,
      causation: causationOf(options),
    };
    const maxPayloadBytes = this.#maxPayloadBytes;
    const stored = await insertEvent(ormOf(this.#database, options.tx), row, { maxPayloadBytes });
    return stored.eventId === null ? err(tooLarge(event, images, stored.mostBytes)) : ok(stored);
  }
}

function tooLarge(
  event: DomainEvent,
  { payload, previous }: { payload: string; previous: string | null },
  mostBytes: number,
): WorkflowError {
  const { tenantId } = event;
  const bytes = Buffer.byteLength(payload) + Buffer.byteLength(previous ?? '');
  const next = `leave fields out, or raise the quota (tocsin quotas set --tenant ${tenantId} --payload-bytes N)`;
  const message = `${event.constructor.name} has ${bytes} bytes and the quota of tenant "${tenantId}" is ${mostBytes}: ${next}`;
  return new WorkflowError('quota_exceeded', message);
}

/** A header that came more than once is one chain. */
function causationOf({ causedBy }: DispatchOptions): string | null {
  if (causedBy === undefined) return currentCausation();
  return formatCausation(parseCausation(typeof causedBy === 'string' ? causedBy : causedBy?.join(',')));
}

function checkHead(event: DomainEvent): Issue[] {
  const issues: Issue[] = [];
  for (const name of ['entityType', 'operation'] as const) {
    if (namePattern.test(event[name])) continue;
    const message = `"${event[name]}" is no name: call the class like UserCreated, or say \`static ${name} = '...'\``;
    issues.push({ path: name, message });
  }
  for (const name of ['tenantId', 'idempotencyKey'] as const) {
    if (event[name] === '') issues.push({ path: name, message: 'is empty' });
  }
  for (const name of ['tenantId', 'actor', 'idempotencyKey', 'traceContext', 'entityId'] as const) {
    const value = event[name] ?? '';
    if (!isStorableText(value)) issues.push({ path: name, message: unstorable });
    if (value.length > maxKeyLength) issues.push({ path: name, message: `is longer than ${maxKeyLength} characters` });
  }
  const year = event.occurredAt?.getUTCFullYear() ?? 1;
  if (!(year >= 1 && year <= 9999))
    issues.push({ path: 'occurredAt', message: 'is not a date of the years 1 to 9999' });
  return issues;
}
