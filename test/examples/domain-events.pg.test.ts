import { beforeAll, describe, expect, test } from 'vitest';
import {
  createDispatcher,
  registerUserType,
  signUp,
  signUpFromRoute,
  UserCreated,
} from '../../examples/domain-events.ts';
import { DomainEvent } from '../../src/capture/domain-event.ts';
import { unwrap } from '../../src/model/result.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

const host = useTestTocsin();
const john = { userId: 'user123', username: 'johndoe', email: 'john@example.com' };

beforeAll(async () => {
  const { tocsin, sql, publish } = host;
  await sql('create table users (id text primary key, username text not null)');
  await registerUserType(tocsin);
  unwrap(await tocsin.directory.putUser('acme', { id: 'admin' }));
  await publish('acme', {
    name: 'New user',
    triggers: [{ entityType: 'user', operation: 'insert' }],
    actions: [{ type: 'notification', title: 'New user', message: '{{ payload.username }} {{ event.entity_id }}' }],
    recipients: [{ type: 'user', id: 'admin' }],
  });
});

async function messages(): Promise<string[]> {
  await host.settle();
  return unwrap(await host.tocsin.inbox.list('acme', 'admin')).items.map(({ message }) => message);
}

describe('signUp', () => {
  test('an event is stored with the transaction that it is dispatched in, and matched like a row change', async () => {
    await signUp(host.tocsin, host.database.pool, john);
    expect(await messages()).toEqual(['johndoe user123']);
  });

  test('what is rolled back never happened', async () => {
    await expect(signUp(host.tocsin, host.database.pool, { ...john, username: 'again' })).rejects.toThrow('users_pkey');
    expect(await messages()).toEqual(['johndoe user123']);
  });
});

describe('signUpFromRoute', () => {
  test('what a workflow of ours led to is part of its chain', async () => {
    const workflow = '01990000-0000-7000-8000-000000000001';
    const headers = { 'tocsin-causation': workflow };
    const { eventId } = unwrap(await signUpFromRoute(host.tocsin, headers, { ...john, userId: 'user124' }));
    const { rows } = await host.sql('select causation from tocsin.events where id = $1', [eventId]);
    expect(rows).toEqual([{ causation: workflow }]);
    await host.settle();
    await host.sql("delete from tocsin.notifications where message like '%user124'");
  });
});

describe('createDispatcher', () => {
  test('the same idempotency key is the same event, whoever dispatches it', async () => {
    const dispatched = unwrap(await createDispatcher(host.database).dispatch(new UserCreated('acme', john)));
    expect(dispatched.duplicate).toBe(true);
    expect(await messages()).toEqual(['johndoe user123']);
  });
});

describe('registerUserType', () => {
  test('workflows are checked against the fields of the event', async () => {
    const created = await host.tocsin.workflows.createWorkflow('acme', {
      name: 'Wrong',
      triggers: [{ entityType: 'user', operation: 'insert' }],
      actions: [{ type: 'notification', title: 'x', message: '{{ payload.user_name }}' }],
      recipients: [{ type: 'role', id: 'admin' }],
    });
    expect(created.ok ? [] : created.error.issues).toMatchObject([
      { path: 'actions[0].message', message: 'unknown field of "user" "user_name": did you mean "username"?' },
    ]);
  });
});

class PriceUpdated extends DomainEvent {
  readonly id = 'p1';
  readonly amount = 12;
  readonly currency = 'EUR';

  override toPrevious(): Record<string, unknown> {
    return { id: 'p1', amount: 10, currency: 'EUR' };
  }
}

describe('an update with what was before', () => {
  test('has the fields that changed, as a row has', async () => {
    unwrap(
      await host.tocsin.entityTypes.register({
        name: 'price',
        operations: ['update'],
        fields: [
          { name: 'amount', type: 'number', nullable: false },
          { name: 'currency', type: 'text', nullable: false },
        ],
      }),
    );
    for (const field of ['amount', 'currency']) {
      await host.publish('acme', {
        name: `${field} changed`,
        triggers: [{ entityType: 'price', operation: 'update', fields: [field] }],
        conditions: [{ type: 'field_value', field, operator: 'changed' }],
        actions: [{ type: 'notification', title: 'Price', message: '{{ event.changed }}' }],
        recipients: [{ type: 'user', id: 'admin' }],
      });
    }
    unwrap(await host.tocsin.events.dispatch(new PriceUpdated({ tenantId: 'acme' })));
    expect(await messages()).toEqual(['amount', 'johndoe user123']);
  });
});
