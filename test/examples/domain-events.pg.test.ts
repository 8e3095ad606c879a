import { beforeAll, describe, expect, test } from 'vitest';
import { createDispatcher, registerUserType, signUp, UserCreated } from '../../examples/domain-events.ts';
import { unwrap } from '../../src/model/result.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

const test1 = useTestTocsin();
const john = { userId: 'user123', username: 'johndoe', email: 'john@example.com' };

beforeAll(async () => {
  const { tocsin, sql, publish } = test1;
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
  await test1.settle();
  return unwrap(await test1.tocsin.inbox.list('acme', 'admin')).items.map(({ message }) => message);
}

describe('signUp', () => {
  test('an event is stored with the transaction that it is dispatched in, and matched like a row change', async () => {
    await signUp(test1.tocsin, test1.database.pool, john);
    expect(await messages()).toEqual(['johndoe user123']);
  });

  test('what is rolled back never happened', async () => {
    await expect(signUp(test1.tocsin, test1.database.pool, { ...john, username: 'again' })).rejects.toThrow(
      'users_pkey',
    );
    expect(await messages()).toEqual(['johndoe user123']);
  });
});

describe('createDispatcher', () => {
  test('the same idempotency key is the same event, whoever dispatches it', async () => {
    const dispatched = unwrap(await createDispatcher(test1.database).dispatch(new UserCreated('acme', john)));
    expect(dispatched.duplicate).toBe(true);
    expect(await messages()).toEqual(['johndoe user123']);
  });
});

describe('registerUserType', () => {
  test('workflows are checked against the fields of the event', async () => {
    const created = await test1.tocsin.workflows.createWorkflow('acme', {
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
