import { beforeAll, describe, expect, test } from 'vitest';
import type { Directory, Recipient, RecipientQuery } from '../../src/model/recipient.ts';
import { sampleUser } from './memory-directory.ts';

/** Somebody a directory knows. */
export type Person = {
  readonly tenantId: string;
  readonly user: Recipient;
  readonly roles?: readonly string[];
  readonly groups?: readonly string[];
};

/** Ids in byte order, which is neither that of a language nor that of UTF-16. */
const inByteOrder = ['Zed', 'adam', 'bob', 'inactive', 'zoe', 'émile', '～tilde', '😀'];

const people: readonly Person[] = [
  ...inByteOrder.map((id) => ({
    tenantId: 'acme',
    user: sampleUser(id, { name: `Name of ${id}`, active: id !== 'inactive' }),
    roles: id === 'bob' ? ['everyone', 'admin'] : ['everyone'],
    groups: id.startsWith('z') || id === 'bob' ? ['admin', 'finance'] : [],
  })),
  { tenantId: 'acme', user: sampleUser('text five', { attributes: { level: '5', department: 'sales' } }) },
  { tenantId: 'acme', user: sampleUser('number five', { attributes: { level: 5, flag: true } }) },
  { tenantId: 'acme', user: sampleUser('several', { attributes: { level: [5], department: { name: 'sales' } } }) },
  {
    tenantId: 'acme',
    user: sampleUser('complete', {
      name: 'Ann Example',
      email: 'ann@example.com',
      locale: 'de-AT',
      timezone: 'Europe/Vienna',
      attributes: { department: 'legal', since: 2019 },
    }),
  },
  {
    tenantId: 'globex',
    user: sampleUser('bob', { name: 'Another Bob', attributes: { department: 'sales' } }),
    roles: ['admin', 'visitor'],
    groups: ['finance'],
  },
];

/**
 * What every directory must keep to. Fills it once and only reads then.
 *
 * @param fill puts people into the directory that `open` answers
 */
export function directoryContract(
  name: string,
  setup: { open: () => Directory; fill: (people: readonly Person[]) => Promise<void> },
): void {
  describe(name, () => {
    beforeAll(() => setup.fill(people));

    const find = (tenantId: string, query: RecipientQuery) =>
      setup.open().find(tenantId, query, { after: null, limit: 100 });
    const idsOf = async (tenantId: string, query: RecipientQuery) =>
      (await find(tenantId, query)).map((user) => user.id);

    test('answers users by id with everything it knows of them, and leaves out who is not there', async () => {
      const found = await find('acme', { kind: 'users', ids: ['complete', 'nobody'] });
      expect(found).toEqual([people.find(({ user }) => user.id === 'complete')?.user]);
    });

    test('answers the members of a role in byte order of their ids, the inactive among them', async () => {
      const found = await find('acme', { kind: 'role', name: 'everyone' });
      expect(found.map((user) => user.id)).toEqual(inByteOrder);
      expect(found.filter((user) => !user.active).map((user) => user.id)).toEqual(['inactive']);
    });

    test.each<RecipientQuery>([
      { kind: 'role', name: 'everyone' },
      { kind: 'users', ids: [...inByteOrder].reverse() },
    ])('answers $kind in pages that neither repeat nor leave out anybody', async (query) => {
      const paged: string[] = [];
      let after: string | null = null;
      for (;;) {
        const page: readonly Recipient[] = await setup.open().find('acme', query, { after, limit: 3 });
        paged.push(...page.map((user) => user.id));
        if (page.length < 3) break;
        after = page[2]?.id ?? null;
      }
      expect(paged).toEqual(inByteOrder);
    });

    test('keeps roles and groups of the same name apart', async () => {
      expect(await idsOf('acme', { kind: 'role', name: 'admin' })).toEqual(['bob']);
      expect(await idsOf('acme', { kind: 'group', name: 'admin' })).toEqual(['bob', 'zoe']);
    });

    test('answers nobody for a role, a group or an attribute that it does not know', async () => {
      expect(await idsOf('acme', { kind: 'role', name: 'visitor' })).toEqual([]);
      expect(await idsOf('acme', { kind: 'group', name: 'everyone' })).toEqual([]);
      expect(await idsOf('acme', { kind: 'attribute', name: 'shoe_size', value: 43 })).toEqual([]);
    });

    test('compares attributes as JSON: neither another type nor a part of the value is equal', async () => {
      expect(await idsOf('acme', { kind: 'attribute', name: 'level', value: '5' })).toEqual(['text five']);
      expect(await idsOf('acme', { kind: 'attribute', name: 'level', value: 5 })).toEqual(['number five']);
      expect(await idsOf('acme', { kind: 'attribute', name: 'flag', value: true })).toEqual(['number five']);
      expect(await idsOf('acme', { kind: 'attribute', name: 'department', value: 'sales' })).toEqual(['text five']);
    });

    test('keeps tenants apart, also when they use the same ids and names', async () => {
      expect(await idsOf('globex', { kind: 'users', ids: ['bob', 'adam'] })).toEqual(['bob']);
      expect(await idsOf('globex', { kind: 'group', name: 'finance' })).toEqual(['bob']);
      expect(await idsOf('globex', { kind: 'attribute', name: 'department', value: 'sales' })).toEqual(['bob']);
      expect(await idsOf('initech', { kind: 'role', name: 'admin' })).toEqual([]);
      const [bob] = await find('acme', { kind: 'users', ids: ['bob'] });
      expect(bob?.name).toBe('Name of bob');
    });

    test('answers the roles of each user within the tenant', async () => {
      const roles = await setup.open().rolesOf('acme', ['bob', 'zoe', 'complete', 'nobody']);
      expect([...(roles.get('bob') ?? [])].sort()).toEqual(['admin', 'everyone']);
      expect(roles.get('zoe')).toEqual(['everyone']);
      expect(roles.get('complete') ?? []).toEqual([]);
      expect(roles.get('nobody') ?? []).toEqual([]);
    });
  });
}
