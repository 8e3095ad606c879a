import { WorkflowError } from '../errors.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { Transaction } from '../store/database.ts';
import type { DomainEvent, DomainEventClass } from './domain-event.ts';

export type DispatchOptions = {
  /** The caller's transaction (pg client or drizzle): what handlers write is committed and rolled back with it. */
  readonly tx?: Transaction;
  /**
   * What the event comes of: `context.causation` of an action handler, or the header `tocsin-causation` of a request that one of
   * our webhooks led to. Default: within a handler what that delivery comes of, else nothing.
   */
  readonly causedBy?: string | readonly string[] | null | undefined;
};

/** What a stored event is known by. */
export type Dispatched = {
  readonly eventId: string;
  /** True when its idempotency key had been dispatched before: nothing was written. */
  readonly duplicate: boolean;
};

/** Something that handles domain events; those that store them answer what was stored. */
export type DomainEventHandler<Event extends DomainEvent = DomainEvent> = {
  handle(event: Event, options: DispatchOptions): Promise<Result<Dispatched | null, WorkflowError>>;
};

/**
 * Hands domain events to the handlers of their class. `createTocsin` registers a `WorkflowEventHandler` for all of them.
 */
export class EventDispatcher {
  readonly #handlers: { readonly eventClass: DomainEventClass; readonly handler: DomainEventHandler }[] = [];

  /** Registers a handler for a class and its subclasses. Handlers run in the order they were registered. */
  registerHandler<Event extends DomainEvent>(
    eventClass: abstract new (...parameters: never[]) => Event,
    handler: DomainEventHandler<Event>,
  ): void {
    this.#handlers.push({ eventClass, handler: handler as DomainEventHandler });
  }

  /**
   * Runs the handlers of the event's class, one after another, in the caller's transaction if one is given. The first
   * refusal ends it. What a handler throws is thrown on, so that the caller rolls back.
   */
  async dispatch(event: DomainEvent, options: DispatchOptions = {}): Promise<Result<Dispatched, WorkflowError>> {
    let stored: Dispatched | null = null;
    for (const { eventClass, handler } of this.#handlers) {
      if (!(event instanceof eventClass)) continue;
      const handled = await handler.handle(event, options);
      if (!handled.ok) return handled;
      stored ??= handled.value;
    }
    if (stored) return ok(stored);
    const message = `no handler stores ${event.constructor.name}: registerHandler(${event.constructor.name}, workflowEventHandler)`;
    return err(new WorkflowError('invalid', message));
  }
}
