import { describe, expect, test } from 'vitest';
import { compileRecipient } from '../../../src/execute/compile-recipient.ts';
import type { CompiledRecipient } from '../../../src/execute/recipient.ts';
import { builtInRecipients } from '../../../src/execute/recipients/index.ts';
import { HandlerFamily } from '../../../src/handlers.ts';
import type { WorkflowEvent } from '../../../src/model/event.ts';
import { unwrap } from '../../../src/model/result.ts';
import { sampleEvent } from '../../support/sample-event.ts';

const family = new HandlerFamily<(typeof builtInRecipients)[number]>('recipient');
for (const resolver of builtInRecipients) family.register(resolver);

const compile = (written: { type: string; [field: string]: unknown }) =>
  compileRecipient(family, { partId: 'p1', ...written }, { path: 'recipients[0]', entityTypes: [] });

function query(compiled: CompiledRecipient, event: WorkflowEvent = sampleEvent()) {
  if (compiled.kind !== 'query') throw new Error('expected a query');
  return compiled.query(event);
}

const asks = (written: { type: string; [field: string]: unknown }, event?: WorkflowEvent) =>
  query(unwrap(compile(written)), event);

const issuesOf = (written: { type: string; [field: string]: unknown }) => {
  const compiled = compile(written);
  return compiled.ok ? [] : compiled.error;
};

describe('builtInRecipients', () => {
  test('are user, role, group, attribute and field', () => {
    expect(family.types()).toEqual(['user', 'role', 'group', 'attribute', 'field']);
  });
});

describe('userRecipient', () => {
  test('names one user or several, each once', () => {
    expect(asks({ type: 'user', id: 'ann' })).toEqual({ ok: true, value: { kind: 'users', ids: ['ann'] } });
    expect(asks({ type: 'user', id: ['ann', 'bob', 'ann'] })).toMatchObject({ value: { ids: ['ann', 'bob'] } });
  });

  test.each([[42], [[]], [''], [{ eq: 'ann' }], [['ann', 7]], ['half \ud800'], ['nul \u0000']])(
    'refuses %j as id',
    (id) => {
      expect(issuesOf({ type: 'user', id })).toEqual([{ path: 'recipients[0].id', message: expect.any(String) }]);
    },
  );

  test('says what an id is', () => {
    const message = 'is a user id such as "u1", or a list of 1 to 1000 of them';
    expect(issuesOf({ type: 'user', id: 42 })).toEqual([{ path: 'recipients[0].id', message }]);
    expect(issuesOf({ type: 'user' })).toEqual([{ path: 'recipients[0].id', message }]);
  });
});

describe('roleRecipient and groupRecipient', () => {
  test('name a role and a group', () => {
    expect(asks({ type: 'role', id: 'admin' })).toEqual({ ok: true, value: { kind: 'role', name: 'admin' } });
    expect(asks({ type: 'group', id: 'night shift' })).toEqual({
      ok: true,
      value: { kind: 'group', name: 'night shift' },
    });
  });

  test('refuse a missing id and say what is allowed', () => {
    expect(issuesOf({ type: 'role', name: 'The admins' })).toEqual([
      { path: 'recipients[0].id', message: 'is missing: expected string' },
    ]);
    expect(issuesOf({ type: 'group', id: 'a', ids: ['a'] })).toEqual([
      {
        path: 'recipients[0].ids',
        message: 'unknown field "ids": did you mean "id"?',
        allowed: ['id'],
        didYouMean: 'id',
      },
    ]);
  });
});

describe('attributeRecipient', () => {
  test.each([['sales'], [5], [false], ['']])('asks for users whose attribute equals %j', (value) => {
    expect(asks({ type: 'attribute', id: 'department', value })).toEqual({
      ok: true,
      value: { kind: 'attribute', name: 'department', value },
    });
  });

  test.each([[null], [['sales']], [{}], [undefined]])(
    'refuses %j as value, which would fit more than it says',
    (value) => {
      const [issue] = issuesOf({ type: 'attribute', id: 'department', value });
      expect(issue).toMatchObject({
        path: 'recipients[0].value',
        message: expect.stringContaining('a text, a number, true or false'),
      });
    },
  );

  test('says where the value belongs when it is written as notification_config', () => {
    const issues = issuesOf({
      type: 'attribute',
      id: 'department',
      notification_config: { attribute_value: 'sales' },
    });
    expect(issues).toContainEqual({
      path: 'recipients[0].notification_config',
      message: 'is not a field here: write the value beside the id, as "value": "sales"',
    });
    expect(issuesOf({ type: 'attribute', id: 'a', value: 1, valeu: 2 })).toMatchObject([{ allowed: ['id', 'value'] }]);
  });
});

describe('fieldRecipient', () => {
  const about = (payload: WorkflowEvent['payload'], previous: WorkflowEvent['payload'] = null) =>
    sampleEvent({ payload, previous });

  test('names the users that fields of the record hold, each once', () => {
    const event = about({ owner: 'ann', assignees: ['bob', null, 'ann'], reviewer: { id: 'zoe' } }, { owner: 'old' });
    const written = { type: 'field', field: ['owner', 'assignees', 'payload.reviewer.id', 'previous.owner'] };
    expect(asks(written, event)).toEqual({ ok: true, value: { kind: 'users', ids: ['ann', 'bob', 'zoe', 'old'] } });
  });

  test('takes numbers as ids, exactly', () => {
    const event = about({ owner: 42, approver: 9007199254740993n });
    expect(asks({ type: 'field', field: ['owner', 'approver'] }, event)).toMatchObject({
      value: { ids: ['42', '9007199254740993'] },
    });
  });

  test('names the actor through event.actor', () => {
    expect(asks({ type: 'field', field: 'event.actor' }, sampleEvent({ actor: 'ann' }))).toMatchObject({
      value: { ids: ['ann'] },
    });
  });

  test.each([
    [{}, 'field_missing'],
    [{ owner: null }, 'resolved_to_nobody'],
    [{ owner: '' }, 'resolved_to_nobody'],
    [{ owner: [] }, 'resolved_to_nobody'],
    [{ owner: { id: 'ann' } }, 'field_not_user'],
    [{ owner: true }, 'field_not_user'],
    [{ owner: 1.5 }, 'field_not_user'],
    [{ owner: ['ann', ['bob']] }, 'field_not_user'],
    [{ owner: 'nul \u0000' }, 'field_not_user'],
    [{ owner: 'half \ud800' }, 'field_not_user'],
    [{ owner: 'x'.repeat(257) }, 'field_not_user'],
  ])('names nobody in %j, because %s', (payload, reason) => {
    expect(asks({ type: 'field', field: 'owner' }, about(payload))).toEqual({ ok: false, error: reason });
  });

  test('lets the other fields name users when one cannot', () => {
    const event = about({ owner: null, assignee: 'bob', reviewer: {} });
    expect(asks({ type: 'field', field: ['owner', 'missing', 'assignee', 'reviewer'] }, event)).toMatchObject({
      value: { ids: ['bob'] },
    });
    expect(asks({ type: 'field', field: ['missing', 'owner'] }, event)).toEqual({
      ok: false,
      error: 'resolved_to_nobody',
    });
  });

  test('says which fields it reads, and refuses what is no path', () => {
    expect(unwrap(compile({ type: 'field', field: ['owner', 'event.actor'] })).reads).toEqual([
      { path: 'recipients[0].field[0]', segments: ['payload', 'owner'] },
      { path: 'recipients[0].field[1]', segments: ['event', 'actor'] },
    ]);
    expect(issuesOf({ type: 'field', field: 'owner..id' })).toEqual([
      {
        path: 'recipients[0].field',
        message: '"owner..id" is not a field path such as "owner_id" or "customer.owner_id"',
      },
    ]);
    expect(issuesOf({ type: 'field', field: ['owner', '__proto__.id'] })).toMatchObject([
      { path: 'recipients[0].field[1]' },
    ]);
  });
});

describe('compileRecipient', () => {
  test('refuses a type nobody registered and says which was probably meant', () => {
    expect(issuesOf({ type: 'roles', id: 'admin' })).toEqual([
      {
        path: 'recipients[0].type',
        message: 'unknown recipient type "roles": did you mean "role"?',
        allowed: ['user', 'role', 'group', 'attribute', 'field'],
        didYouMean: 'role',
      },
    ]);
  });

  test('gives the handler neither the id nor the name of the part', () => {
    expect(asks({ type: 'role', name: 'The admins', id: 'admin' }).ok).toBe(true);
  });
});
