import { describe, expect, test } from 'vitest';
import type { WorkflowError } from '../../src/errors.ts';
import type { DirectoryUserInput } from '../../src/model/directory-user.ts';
import { type Result, unwrap } from '../../src/model/result.ts';
import { DirectoryService } from '../../src/service/directory-service.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();
const service = () => new DirectoryService({ database: db.database });

function errorOf(result: Result<unknown, WorkflowError>): WorkflowError {
  if (result.ok) throw new Error('expected a refusal');
  return result.error;
}

const issueOf = (result: Result<unknown, WorkflowError>) => errorOf(result).issues[0];

describe('putUser', () => {
  test('writes a user, and replaces the user as a whole', async () => {
    const ann = unwrap(
      await service().putUser('put', {
        id: 'ann',
        name: 'Ann',
        email: 'ann@example.com',
        locale: 'de-at',
        timezone: 'Europe/Vienna',
        attributes: { department: 'sales', tags: ['a', { b: null }] },
      }),
    );
    expect(ann).toMatchObject({ locale: 'de-AT', active: true });
    expect(unwrap(await service().getUser('put', 'ann'))).toEqual(ann);
    unwrap(await service().putUser('put', { id: 'ann', active: false }));
    expect(unwrap(await service().getUser('put', 'ann'))).toEqual({
      id: 'ann',
      name: null,
      email: null,
      locale: null,
      timezone: null,
      attributes: {},
      active: false,
    });
  });

  test.each<[string, object, object]>([
    ['an unknown field', { id: 'u', emial: 'a@b.c' }, { path: 'emial', didYouMean: 'email' }],
    ['no id', { name: 'Ann' }, { path: 'id', message: 'is missing: expected string' }],
    ['an id that cannot be stored', { id: 'a\u0000' }, { path: 'id' }],
    ['an address that is none', { id: 'u', email: 'Ann <ann@example.com>' }, { path: 'email' }],
    ['an address with a line break', { id: 'u', email: 'ann@example.com\r\nbcc:x@y.z' }, { path: 'email' }],
    [
      'a locale that is none',
      { id: 'u', locale: 'de_AT' },
      { path: 'locale', message: expect.stringContaining('de-AT') },
    ],
    [
      'a misspelt time zone',
      { id: 'u', timezone: 'Europe/Viena' },
      { message: '"Europe/Viena" is not an IANA time zone: did you mean "Europe/Vienna"?' },
    ],
    ['an offset for a time zone', { id: 'u', timezone: '+02:00' }, { path: 'timezone' }],
    ['attributes that cannot be stored', { id: 'u', attributes: { a: ['\ud800'] } }, { path: 'attributes' }],
    ['attributes that are too large', { id: 'u', attributes: { a: 'x'.repeat(70_000) } }, { path: 'attributes' }],
    ['attributes that are not JSON', { id: 'u', attributes: { a: new Date() } }, { path: 'attributes.a' }],
  ])('refuses %s', async (_what, user, issue) => {
    const result = await service().putUser('put', user as DirectoryUserInput);
    expect(errorOf(result).code).toBe('invalid');
    expect(issueOf(result)).toMatchObject(issue);
  });

  test('belongs to the transaction it is given', async () => {
    const given = db.database.transaction(async (tx) => {
      unwrap(await service().putUser('tx', { id: 'ann' }, { tx }));
      throw new Error('the host rolls back');
    });
    await expect(given).rejects.toThrow('the host rolls back');
    expect(errorOf(await service().getUser('tx', 'ann')).code).toBe('not_found');
  });
});

describe('putUsers', () => {
  test('writes thousands at once, and nobody twice', async () => {
    const users = Array.from({ length: 5_000 }, (_, i) => ({ id: `u${i}`, timezone: 'UTC', attributes: { n: i } }));
    expect(unwrap(await service().putUsers('bulk', users))).toBe(5_000);
    expect(unwrap(await service().putUsers('bulk', users))).toBe(5_000);
    expect(unwrap(await service().getUser('bulk', 'u4999'))).toMatchObject({ attributes: { n: 4999 } });
  });

  test('writes nobody when one is not valid', async () => {
    const result = await service().putUsers('none', [{ id: 'a' }, { id: 'b', email: 'nobody' }]);
    expect(issueOf(result)).toMatchObject({ path: 'users[1].email' });
    const repeated = await service().putUsers('none', [{ id: 'a' }, { id: 'b' }, { id: 'a' }]);
    expect(issueOf(repeated)).toEqual({ path: 'users[2].id', message: '"a" stands at users[0] already' });
    expect(unwrap(await service().listUsers('none')).items).toEqual([]);
  });

  test('two loads of the same users at once both succeed', async () => {
    const users = Array.from({ length: 500 }, (_, i) => ({ id: `u${i}` }));
    const loads = [users, users.toReversed(), users].map((part, i) =>
      service().putUsers(
        'race',
        part.map((user) => ({ ...user, name: `Load ${i}` })),
      ),
    );
    expect((await Promise.all(loads)).map(unwrap)).toEqual([500, 500, 500]);
  });
});

describe('listUsers', () => {
  test('pages by id and keeps tenants apart', async () => {
    unwrap(await service().putUsers('list', [{ id: 'c' }, { id: 'a' }, { id: 'B' }]));
    unwrap(await service().putUser('list 2', { id: 'z' }));
    const first = unwrap(await service().listUsers('list', { limit: 2 }));
    expect(first.items.map((user) => user.id)).toEqual(['B', 'a']);
    const second = unwrap(await service().listUsers('list', { limit: 2, cursor: first.nextCursor ?? '' }));
    expect(second).toMatchObject({ items: [{ id: 'c' }], nextCursor: null });
  });

  test('refuses a cursor that it did not give, and a limit that is none', async () => {
    expect(issueOf(await service().listUsers('list', { cursor: 'not ours' }))).toMatchObject({ path: 'cursor' });
    expect(issueOf(await service().listUsers('list', { limit: 0 }))).toMatchObject({ path: 'limit' });
  });
});

describe('removeUser', () => {
  test('removes the user from every role and group', async () => {
    unwrap(await service().putUser('rm', { id: 'ann' }));
    unwrap(await service().addToRole('rm', 'admin', 'ann'));
    unwrap(await service().addToGroup('rm', 'finance', 'ann'));
    unwrap(await service().removeUser('rm', 'ann'));
    unwrap(await service().putUser('rm', { id: 'ann' }));
    expect(await service().rolesOf('rm', 'ann')).toEqual([]);
    expect(unwrap(await service().membersOf('rm', { group: 'finance' })).items).toEqual([]);
  });

  test("answers not_found for another tenant's user, who stays", async () => {
    unwrap(await service().putUser('rm', { id: 'bob' }));
    expect(errorOf(await service().removeUser('rm 2', 'bob')).code).toBe('not_found');
    expect(unwrap(await service().getUser('rm', 'bob')).id).toBe('bob');
  });
});

describe('memberships', () => {
  const fill = async (tenantId: string) => unwrap(await service().putUsers(tenantId, [{ id: 'ann' }, { id: 'bob' }]));
  const membersOf = async (tenantId: string, filter: { role: string } | { group: string }) =>
    unwrap(await service().membersOf(tenantId, filter)).items.map((user) => user.id);

  test('roles and groups gain and lose users', async () => {
    await fill('m');
    unwrap(await service().addToRole('m', 'admin', ['ann', 'bob', 'ann']));
    unwrap(await service().addToRole('m', 'admin', 'ann'));
    unwrap(await service().addToGroup('m', 'admin', 'bob'));
    expect(await membersOf('m', { role: 'admin' })).toEqual(['ann', 'bob']);
    expect(await membersOf('m', { group: 'admin' })).toEqual(['bob']);
    expect(unwrap(await service().removeFromRole('m', 'admin', ['ann', 'zed']))).toBe(1);
    expect(unwrap(await service().removeFromGroup('m', 'admin', 'bob'))).toBe(1);
    expect(await membersOf('m', { role: 'admin' })).toEqual(['bob']);
    expect(await service().groupsOf('m', 'bob')).toEqual([]);
  });

  test('nobody is added when one is not in the directory of the tenant', async () => {
    await fill('m2');
    unwrap(await service().putUser('m3', { id: 'eve' }));
    const error = errorOf(await service().addToRole('m2', 'admin', ['ann', 'eve', 'zed']));
    expect(error.code).toBe('not_found');
    expect(error.message).toBe('there is no user "eve" in the directory, nor 1 of the others: put users with putUsers');
    expect(await membersOf('m2', { role: 'admin' })).toEqual([]);
  });

  test('setRoles makes them the only ones of the user and leaves groups and other users', async () => {
    await fill('m4');
    unwrap(await service().addToRole('m4', 'old', ['ann', 'bob']));
    unwrap(await service().addToGroup('m4', 'old', 'ann'));
    unwrap(await service().setRoles('m4', 'ann', ['new', 'more', 'new']));
    expect(await service().rolesOf('m4', 'ann')).toEqual(['more', 'new']);
    expect(await service().rolesOf('m4', 'bob')).toEqual(['old']);
    expect(await service().groupsOf('m4', 'ann')).toEqual(['old']);
    unwrap(await service().setGroups('m4', 'ann', []));
    expect(await service().groupsOf('m4', 'ann')).toEqual([]);
    expect(errorOf(await service().setRoles('m4', 'zed', ['new'])).code).toBe('not_found');
    expect(issueOf(await service().setRoles('m4', 'ann', ['ok', '']))).toMatchObject({ path: 'roles[1]' });
  });

  test('two setRoles at once leave the roles of one of them', async () => {
    await fill('m5');
    for (let round = 0; round < 10; round++) {
      await Promise.all([service().setRoles('m5', 'ann', ['a']), service().setRoles('m5', 'ann', ['b'])]);
      expect(await service().rolesOf('m5', 'ann')).toHaveLength(1);
    }
  });

  test('membersOf pages, and wants one of role and group', async () => {
    await fill('m6');
    unwrap(await service().addToRole('m6', 'admin', ['ann', 'bob']));
    const first = unwrap(await service().membersOf('m6', { role: 'admin', limit: 1 }));
    const cursor = first.nextCursor ?? '';
    const second = unwrap(await service().membersOf('m6', { role: 'admin', limit: 1, cursor }));
    expect([...first.items, ...second.items].map((user) => user.id)).toEqual(['ann', 'bob']);
    expect(second.nextCursor).toBeNull();
    for (const filter of [{}, { role: 'a', group: 'b' }]) {
      const refused = await service().membersOf('m6', filter);
      expect(issueOf(refused)).toMatchObject({ message: 'give either `role` or `group`' });
    }
  });
});
