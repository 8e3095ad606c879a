import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { queryKey, type RecipientRequest } from '../../src/model/recipient.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { createDefaultDirectory } from '../../src/store/directory.ts';
import { addMembers } from '../../src/store/directory-memberships.ts';
import { upsertUsers } from '../../src/store/directory-users.ts';
import { migrate } from '../../src/store/migrate.ts';
import { directoryContract, type Person } from '../support/directory-contract.ts';
import { sampleUser } from '../support/memory-directory.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();

async function fill({ orm }: Database, people: readonly Person[]): Promise<void> {
  for (const { tenantId, user, roles = [], groups = [] } of people) {
    await upsertUsers(orm, tenantId, [user]);
    for (const name of roles) await addMembers(orm, { tenantId, kind: 'role', name }, [user.id]);
    for (const name of groups) await addMembers(orm, { tenantId, kind: 'group', name }, [user.id]);
  }
}

directoryContract('createDefaultDirectory', {
  open: () => createDefaultDirectory(db.database),
  fill: (people) => fill(db.database, people),
});

/** Most databases sort by a language; ours of the tests does not. */
let german: Database | undefined;
const inGerman = (): Database => {
  if (!german) throw new Error('The German database is there only inside tests');
  return german;
};

beforeAll(async () => {
  const name = `test_german_${process.pid}`;
  await db.database.pool.query(`create database ${name} template template0 locale_provider icu icu_locale 'de-DE'`);
  german = openDatabase({ databaseUrl: inject('serverUrl').replace(/postgres$/, name) });
  await migrate(german);
});
afterAll(() => german?.close());

directoryContract('createDefaultDirectory in a database that sorts by a language', {
  open: () => createDefaultDirectory(inGerman()),
  fill: (people) => fill(inGerman(), people),
});

describe('createDefaultDirectory', () => {
  test('keeps integers of attributes exact', async () => {
    const user = sampleUser('exact', { attributes: { account: 9007199254740993n } });
    await upsertUsers(db.database.orm, 'exactly', [user]);
    const query = { kind: 'attribute', name: 'account', value: 9007199254740993n } as const;
    const page = { after: null, limit: 10 };
    expect(await createDefaultDirectory(db.database).find('exactly', query, page)).toEqual([user]);
    const rounded = { ...query, value: 9007199254740992n };
    expect(await createDefaultDirectory(db.database).find('exactly', rounded, page)).toEqual([]);
  });
});

describe('findMany', () => {
  const tenantId = 'batch';
  beforeAll(() =>
    fill(db.database, [
      { tenantId, user: sampleUser('a', { attributes: { dept: 'x' } }), roles: ['r', 'small'], groups: ['g'] },
      { tenantId, user: sampleUser('b', { attributes: { dept: 'x' }, active: false }), roles: ['r'] },
      { tenantId, user: sampleUser('c', { attributes: { dept: 'x', level: 3 } }), roles: ['r'], groups: ['g'] },
      { tenantId: 'other', user: sampleUser('a', { name: 'Other A' }), roles: ['r'] },
    ]),
  );

  const requests: readonly RecipientRequest[] = [
    { tenantId, query: { kind: 'role', name: 'r' } },
    { tenantId, query: { kind: 'role', name: 'small' } },
    { tenantId, query: { kind: 'group', name: 'g' } },
    { tenantId, query: { kind: 'group', name: 'r' } },
    { tenantId, query: { kind: 'users', ids: ['c', 'a', 'zed'] } },
    { tenantId, query: { kind: 'users', ids: [] } },
    { tenantId, query: { kind: 'attribute', name: 'dept', value: 'x' } },
    { tenantId, query: { kind: 'attribute', name: 'level', value: 3 } },
    { tenantId: 'other', query: { kind: 'role', name: 'r' } },
    { tenantId: 'other', query: { kind: 'attribute', name: 'dept', value: 'x' } },
  ];

  test('answers every query of a batch as find would', async () => {
    const directory = createDefaultDirectory(db.database);
    const answers = await directory.findMany(db.database.pool, [...requests, ...requests], 10);
    expect(answers.size).toBe(requests.length);
    for (const request of requests) {
      const found = await directory.find(request.tenantId, request.query, { after: null, limit: 10 });
      expect(answers.get(queryKey(request.tenantId, request.query)), JSON.stringify(request)).toEqual(found);
    }
  });

  test('answers too_many for queries with more users than the limit, and the others as ever', async () => {
    const answers = await createDefaultDirectory(db.database).findMany(db.database.pool, requests, 2);
    const tooMany = requests.filter(({ tenantId, query }) => answers.get(queryKey(tenantId, query)) === 'too_many');
    expect(tooMany).toEqual([requests[0], requests[4], requests[6]]);
    expect(answers.get(queryKey(tenantId, { kind: 'group', name: 'g' }))).toHaveLength(2);
  });

  test('sees what its transaction has written', async () => {
    await db.database.transaction(async (orm, client) => {
      await upsertUsers(orm, 'new tenant', [sampleUser('n')]);
      const query = { kind: 'users', ids: ['n'] } as const;
      const answers = await createDefaultDirectory(db.database).findMany(
        client,
        [{ tenantId: 'new tenant', query }],
        5,
      );
      expect(answers.get(queryKey('new tenant', query))).toMatchObject([{ id: 'n' }]);
    });
  });

  test('asks nothing when there is nothing to ask', async () => {
    const client = { query: () => expect.unreachable('a statement was sent') };
    expect(await createDefaultDirectory(db.database).findMany(client as never, [], 5)).toEqual(new Map());
  });
});
