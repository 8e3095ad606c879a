import { describe, expect, test } from 'vitest';
import { DomainEvent } from '../../src/capture/domain-event.ts';

class UserCreated extends DomainEvent {
  readonly userId: string;
  readonly #secret = 'never told';

  constructor(userId: string) {
    super({ tenantId: 't', actor: 'ann', idempotencyKey: 'k', traceContext: 'c', occurredAt: new Date(0) });
    this.userId = userId;
  }

  reveal(): string {
    return this.#secret;
  }
}

function eventOf(name: string, fields: Record<string, unknown> = {}): DomainEvent {
  const named = { [name]: class extends DomainEvent {} }[name] as new (options: { tenantId: string }) => DomainEvent;
  return Object.assign(new named({ tenantId: 't' }), fields);
}

describe('DomainEvent', () => {
  test.each([
    ['UserCreated', 'user', 'insert'],
    ['UserCreatedEvent', 'user', 'insert'],
    ['UserUpdated', 'user', 'update'],
    ['UserDeletedEvent', 'user', 'delete'],
    ['OrderRefunded', 'order', 'refunded'],
    ['OrderLineItemRefunded', 'order_line_item', 'refunded'],
    ['HTTPRequestFailed', 'http_request', 'failed'],
    ['OrderSKUChangedEvent', 'order_sku', 'changed'],
    ['EventCreated', 'event', 'insert'],
    ['Order2Constructor', 'order2', 'constructor'],
    ['User_Created', 'user', 'insert'],
    ['Refunded', '', 'refunded'],
  ])('reads %s as %s %s', (name, entityType, operation) => {
    expect(eventOf(name)).toMatchObject({ entityType, operation });
  });

  test('lets static fields say otherwise, also inherited ones', () => {
    abstract class OrderEvent extends DomainEvent {
      static override readonly entityType = 'order';
    }
    class Cancelled extends OrderEvent {}
    class Z extends OrderEvent {
      static override readonly operation = 'paid';
    }
    expect(new Cancelled({ tenantId: 't' })).toMatchObject({ entityType: 'order', operation: 'cancelled' });
    expect(new Z({ tenantId: 't' })).toMatchObject({ entityType: 'order', operation: 'paid' });
  });

  test('has as payload the fields that the subclass added', () => {
    const event = new UserCreated('u1');
    expect(event.toPayload()).toEqual({ userId: 'u1' });
    expect(event.toPrevious()).toBeNull();
    expect(event.reveal()).toBe('never told');
  });

  test.each([
    ['UserCreated', { id: 7, userId: 'x' }, '7'],
    ['UserCreated', { userId: 'u1' }, 'u1'],
    ['OrderLineRefunded', { orderLineId: 9007199254740993n }, '9007199254740993'],
    ['OrderLineRefunded', { order_line_id: 'l1' }, 'l1'],
    ['OrderLineRefunded', { orderId: 'o1' }, ''],
    ['UserCreated', { id: { nested: true } }, ''],
  ])('%s with %o is about the record "%s"', (name, fields, entityId) => {
    expect(eventOf(name, fields).entityId).toBe(entityId);
  });

  test('lets a subclass say which record it is about', () => {
    class OrderShipped extends DomainEvent {
      readonly number = 'A-1';
      override get entityId(): string {
        return this.number;
      }
    }
    expect(new OrderShipped({ tenantId: 't' }).entityId).toBe('A-1');
  });
});
