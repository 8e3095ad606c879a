import { namePattern } from '../model/event.ts';

/** What every domain event says of itself, beside its own fields. */
export type DomainEventOptions = {
  readonly tenantId: string;
  /** Who did it: a user of the directory, so that workflows can leave out the actor. */
  readonly actor?: string;
  /** The same key in a tenant is the same event: dispatched twice, it is stored once. */
  readonly idempotencyKey?: string;
  /** W3C `traceparent`. */
  readonly traceContext?: string;
  /** When it happened; default: when it is stored, by the database's clock. */
  readonly occurredAt?: Date;
};

/** Fields of the base class: not part of the payload. */
const ownFields = new Set(['tenantId', 'actor', 'idempotencyKey', 'traceContext', 'occurredAt']);

/**
 * Something that happened in the host's own code. A subclass adds its fields; they are the payload.
 *
 * Entity type and operation come from the class name: `UserCreated` (or `UserCreatedEvent`) is `user` `insert`, `Updated`
 * and `Deleted` are `update` and `delete`, `OrderRefunded` is `order` `refunded`. Static fields say otherwise:
 * `static entityType = 'order'; static operation = 'refunded'`.
 */
export abstract class DomainEvent {
  static readonly entityType?: string;
  static readonly operation?: string;
  readonly tenantId: string;
  readonly actor: string | null;
  readonly idempotencyKey: string | null;
  readonly traceContext: string | null;
  readonly occurredAt: Date | null;

  constructor(options: DomainEventOptions) {
    this.tenantId = options.tenantId;
    this.actor = options.actor ?? null;
    this.idempotencyKey = options.idempotencyKey ?? null;
    this.traceContext = options.traceContext ?? null;
    this.occurredAt = options.occurredAt ?? null;
  }

  /** What workflows listen to: the class says it, or its name does. */
  get entityType(): string {
    return describeEvent(this.constructor as typeof DomainEvent).entityType;
  }

  /** `insert`, `update`, `delete`, or a word of the host's own. */
  get operation(): string {
    return describeEvent(this.constructor as typeof DomainEvent).operation;
  }

  /** Which record it is about: the field `id`, or `<entity>Id` (`userId` of a `UserCreated`); else ''. */
  get entityId(): string {
    const fields = this.toPayload();
    const { entityType } = this;
    const camelCase = entityType.replaceAll(/_([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
    const id = fields.id ?? fields[`${camelCase}Id`] ?? fields[`${entityType}_id`];
    return typeof id === 'string' || typeof id === 'number' || typeof id === 'bigint' ? String(id) : '';
  }

  /** What workflows read as `payload`: the fields the subclass added. */
  toPayload(): Record<string, unknown> {
    return Object.fromEntries(Object.entries(this).filter(([name]) => !ownFields.has(name)));
  }

  /** What workflows read as `previous`; null unless a subclass knows what was before. */
  toPrevious(): Record<string, unknown> | null {
    return null;
  }
}

/** A class of domain events: what handlers are registered for. Abstract ones stand for all their subclasses. */
export type DomainEventClass = abstract new (...parameters: never[]) => DomainEvent;

const rowOperationOf: Readonly<Record<string, string>> = { created: 'insert', updated: 'update', deleted: 'delete' };

/** @throws when the class name does not tell entity type and operation, and the class does not say them */
function describeEvent(eventClass: typeof DomainEvent): { entityType: string; operation: string } {
  const words = eventClass.name
    .replace(/Event$/, '')
    .split(/(?=[A-Z])/)
    .map((word) => word.toLowerCase());
  const verb = words.length > 1 ? (words.at(-1) as string) : '';
  const entityType = eventClass.entityType ?? words.slice(0, -1).join('_');
  const operation = eventClass.operation ?? rowOperationOf[verb] ?? verb;
  if (!namePattern.test(entityType) || !namePattern.test(operation)) {
    throw new Error(
      `the class ${eventClass.name} does not tell its entity type and operation: name it like UserCreated, or give it static entityType and static operation`,
    );
  }
  return { entityType, operation };
}
