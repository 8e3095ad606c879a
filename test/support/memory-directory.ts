import type { Directory, Recipient, RecipientQuery } from '../../src/model/recipient.ts';
import type { Person } from './directory-contract.ts';

/** A directory that is a list of people; `directoryContract` holds for it as for real ones. */
export function memoryDirectory(people: readonly Person[]): Directory {
  return {
    find: async (tenantId, query, { after, limit }) =>
      people
        .filter((person) => person.tenantId === tenantId && fits(person, query))
        .map((person) => person.user)
        .filter((user) => after === null || byteOrder(user.id, after) > 0)
        .toSorted((a, b) => byteOrder(a.id, b.id))
        .slice(0, limit),
    rolesOf: async (tenantId, userIds) =>
      new Map(
        people
          .filter((person) => person.tenantId === tenantId && userIds.includes(person.user.id))
          .map((person) => [person.user.id, person.roles ?? []]),
      ),
  };
}

/** A user whose properties but the id do not matter. */
export function sampleUser(id: string, change: Partial<Recipient> = {}): Recipient {
  return {
    id,
    name: null,
    email: `${id}@example.com`,
    locale: null,
    timezone: null,
    attributes: {},
    active: true,
    ...change,
  };
}

function fits({ user, roles = [], groups = [] }: Person, query: RecipientQuery): boolean {
  switch (query.kind) {
    case 'users':
      return query.ids.includes(user.id);
    case 'role':
      return roles.includes(query.name);
    case 'group':
      return groups.includes(query.name);
    case 'attribute':
      return user.attributes[query.name] === query.value;
  }
}

function byteOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
