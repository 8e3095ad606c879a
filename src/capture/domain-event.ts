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
 * and `Deleted` are `update` and `delete`, `OrderRefunded` is `order` `refunded`. Static fields say otherwise, and must where a
 * bundler renames classes: `static entityType = 'order'; static operation = 'refunded'`.
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
    const eventClass = this.constructor as typeof DomainEvent;
    return eventClass.entityType ?? wordsOf(eventClass).slice(0, -1).join('_');
  }

  /** `insert`, `update`, `delete`, or a word of the host's own. */
  get operation(): string {
    const eventClass = this.constructor as typeof DomainEvent;
    const verb = wordsOf(eventClass).at(-1) ?? '';
    return eventClass.operation ?? rowOperationOf.get(verb) ?? verb;
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

const rowOperationOf: ReadonlyMap<string, string> = new Map([
  ['created', 'insert'],
  ['updated', 'update'],
  ['deleted', 'delete'],
]);

/** The words of a class name without `Event`: `HTTPRequestFailedEvent` is `http`, `request`, `failed`. */
function wordsOf(eventClass: typeof DomainEvent): string[] {
  const words = eventClass.name.replace(/Event$/, '').match(/\p{Lu}+(?!\p{Ll})|\p{Lu}?[^\p{Lu}_$]+/gu) ?? [];
  return words.map((word) => word.toLowerCase());
}
