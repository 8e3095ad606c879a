import { z } from 'zod';
import { type Issue, invalid, WorkflowError } from '../errors.ts';
import { type DirectoryUserInput, directoryName, directoryUserInput, userId } from '../model/directory-user.ts';
import { type Page, pageInput, pageOf } from '../model/page.ts';
import { parseInput } from '../model/parse-input.ts';
import type { Recipient, RecipientQuery } from '../model/recipient.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { Database } from '../store/database.ts';
import { findRecipientPage } from '../store/directory.ts';
import { addMembers, membershipsOf, removeMembers, replaceMemberships } from '../store/directory-memberships.ts';
import { deleteUser, listUsers, loadUser, lockUser, upsertUsers } from '../store/directory-users.ts';
import { withTenant } from '../store/with-tenant.ts';
import type { Answer, WriteOptions } from './answer.ts';

/** Most users of one `putUsers`. */
const maxUsers = 10_000;

const usersInput = z.array(directoryUserInput).max(maxUsers, `holds more than ${maxUsers} users: put them in parts`);
const namesInput = z.array(directoryName).max(1000);
const membersInput = z.strictObject({
  name: directoryName,
  userIds: z.union([userId, z.array(userId).min(1).max(maxUsers)], 'is a user id, or a list of them'),
});
const membersPageInput = pageInput
  .extend({ role: directoryName.optional(), group: directoryName.optional() })
  .refine(({ role, group }) => (role === undefined) !== (group === undefined), 'give either `role` or `group`');

type Kind = 'role' | 'group';

/**
 * Fills the default directory: who can be told, and which roles and groups they are in. A host that looks recipients up in
 * its own tables (`createTocsin({ directory })`) does not need it.
 */
export class DirectoryService {
  readonly #database: Database;

  constructor(options: { readonly database: Database }) {
    this.#database = options.database;
  }

  /** Writes a user in place of the one with the id; what is left out becomes null, and the user active. */
  async putUser(tenantId: string, input: DirectoryUserInput, options: WriteOptions = {}): Answer<Recipient> {
    const user = parseInput(directoryUserInput, input);
    if (!user.ok) return err(invalid('the user', user.error));
    return withTenant(this.#database, { tenantId, tx: options.tx }, async (orm) => {
      await upsertUsers(orm, tenantId, [user.value]);
      return ok(user.value);
    });
  }

  /** Writes up to 10,000 users at once, or none when one is not valid. Answers how many it was given. */
  async putUsers(tenantId: string, input: readonly DirectoryUserInput[], options: WriteOptions = {}): Answer<number> {
    const users = parseInput(usersInput, input, 'users');
    if (!users.ok) return err(invalid('the list of users', users.error));
    const repeated = repeatedIds(users.value);
    if (repeated.length > 0) return err(invalid('the list of users', repeated));
    return withTenant(this.#database, { tenantId, tx: options.tx }, async (orm) => {
      await upsertUsers(orm, tenantId, users.value);
      return ok(users.value.length);
    });
  }

  /** One user, active or not. */
  async getUser(tenantId: string, id: string): Answer<Recipient> {
    const isId = userId.safeParse(id).success;
    return withTenant(this.#database, { tenantId }, async (orm) => {
      const user = isId ? await loadUser(orm, tenantId, id) : null;
      return user ? ok(user) : err(userNotFound(id));
    });
  }

  /** Users of the tenant, by id. */
  async listUsers(tenantId: string, page: z.input<typeof pageInput> = {}): Answer<Page<Recipient>> {
    const given = parseInput(pageInput, page);
    if (!given.ok) return err(invalid('the page', given.error));
    const { limit, cursor = '' } = given.value;
    return withTenant(this.#database, { tenantId }, async (orm) => {
      const users = await listUsers(orm, { tenantId, after: cursor, limit: limit + 1 });
      return ok(pageOf(users, limit, (user) => user.id));
    });
  }

  /** Removes a user from the directory and from every role and group. The user's inbox stays. */
  async removeUser(tenantId: string, id: string, options: WriteOptions = {}): Answer<null> {
    const isId = userId.safeParse(id).success;
    return withTenant(this.#database, { tenantId, tx: options.tx }, async (orm) => {
      const isRemoved = isId && (await deleteUser(orm, tenantId, id));
      return isRemoved ? ok(null) : err(userNotFound(id));
    });
  }

  /** Gives users a role: all of them, or none when one is not in the directory. */
  async addToRole(
    tenantId: string,
    role: string,
    userIds: string | readonly string[],
    options: WriteOptions = {},
  ): Answer<null> {
    return this.#add({ tenantId, kind: 'role', name: role }, userIds, options);
  }

  /** Takes a role from users; those who do not have it stay as they are. Answers how many had it. */
  async removeFromRole(
    tenantId: string,
    role: string,
    userIds: string | readonly string[],
    options: WriteOptions = {},
  ): Answer<number> {
    return this.#remove({ tenantId, kind: 'role', name: role }, userIds, options);
  }

  /** Puts users into a group: all of them, or none when one is not in the directory. */
  async addToGroup(
    tenantId: string,
    group: string,
    userIds: string | readonly string[],
    options: WriteOptions = {},
  ): Answer<null> {
    return this.#add({ tenantId, kind: 'group', name: group }, userIds, options);
  }

  /** Takes users out of a group; those who are not in it stay as they are. Answers how many were. */
  async removeFromGroup(
    tenantId: string,
    group: string,
    userIds: string | readonly string[],
    options: WriteOptions = {},
  ): Answer<number> {
    return this.#remove({ tenantId, kind: 'group', name: group }, userIds, options);
  }

  /** Makes these the only roles of a user. */
  async setRoles(tenantId: string, id: string, roles: readonly string[], options: WriteOptions = {}): Answer<null> {
    return this.#set({ tenantId, kind: 'role', userId: id }, roles, options);
  }

  /** Makes these the only groups of a user. */
  async setGroups(tenantId: string, id: string, groups: readonly string[], options: WriteOptions = {}): Answer<null> {
    return this.#set({ tenantId, kind: 'group', userId: id }, groups, options);
  }

  /** Names of the roles a user has; none for a user who is not in the directory. */
  async rolesOf(tenantId: string, id: string): Promise<readonly string[]> {
    return this.#membershipsOf({ tenantId, kind: 'role', userId: id });
  }

  /** Names of the groups a user is in; none for a user who is not in the directory. */
  async groupsOf(tenantId: string, id: string): Promise<readonly string[]> {
    return this.#membershipsOf({ tenantId, kind: 'group', userId: id });
  }

  /** Users who have a role or are in a group, by id. */
  async membersOf(tenantId: string, filter: z.input<typeof membersPageInput>): Answer<Page<Recipient>> {
    const given = parseInput(membersPageInput, filter);
    if (!given.ok) return err(invalid('the filter', given.error));
    const { limit, cursor = null, role, group } = given.value;
    const query: RecipientQuery = { kind: role === undefined ? 'group' : 'role', name: role ?? group ?? '' };
    return withTenant(this.#database, { tenantId }, async (orm) => {
      const users = await findRecipientPage(orm, { tenantId, query, page: { after: cursor, limit: limit + 1 } });
      return ok(pageOf(users, limit, (user) => user.id));
    });
  }

  async #add(place: Place, userIds: string | readonly string[], options: WriteOptions): Answer<null> {
    const given = parseMembers(place, userIds);
    if (!given.ok) return given;
    return withTenant(this.#database, { tenantId: place.tenantId, tx: options.tx }, async (orm) => {
      const [first, ...others] = await addMembers(orm, place, given.value);
      return first === undefined ? ok(null) : err(userNotFound(first, others.length));
    });
  }

  async #remove(place: Place, userIds: string | readonly string[], options: WriteOptions): Answer<number> {
    const given = parseMembers(place, userIds);
    if (!given.ok) return given;
    return withTenant(this.#database, { tenantId: place.tenantId, tx: options.tx }, async (orm) =>
      ok(await removeMembers(orm, place, given.value)),
    );
  }

  async #set(user: UserKind, names: readonly string[], options: WriteOptions): Answer<null> {
    const given = parseInput(namesInput, names, `${user.kind}s`);
    if (!given.ok) return err(invalid(`the list of ${user.kind}s`, given.error));
    return withTenant(this.#database, { tenantId: user.tenantId, tx: options.tx }, async (tx) => {
      const isKnown = userId.safeParse(user.userId).success && (await lockUser(tx, user.tenantId, user.userId));
      if (!isKnown) return err(userNotFound(user.userId));
      await replaceMemberships(tx, { ...user, names: given.value });
      return ok(null);
    });
  }

  async #membershipsOf(user: UserKind): Promise<readonly string[]> {
    if (!userId.safeParse(user.userId).success) return [];
    const names = await withTenant(this.#database, user, async (orm) => ok(await membershipsOf(orm, user)));
    return names.ok ? names.value : [];
  }
}

type Place = { tenantId: string; kind: Kind; name: string };
type UserKind = { tenantId: string; kind: Kind; userId: string };

function parseMembers(place: Place, userIds: string | readonly string[]): Result<string[], WorkflowError> {
  const given = parseInput(membersInput, { name: place.name, userIds });
  return given.ok ? ok([given.value.userIds].flat()) : err(invalid(`the change of a ${place.kind}`, given.error));
}

function repeatedIds(users: readonly Recipient[]): Issue[] {
  const first = new Map<string, number>();
  return users.flatMap(({ id }, index) => {
    const at = first.get(id);
    if (at === undefined) first.set(id, index);
    return at === undefined ? [] : [{ path: `users[${index}].id`, message: `"${id}" stands at users[${at}] already` }];
  });
}

function userNotFound(id: string, others = 0): WorkflowError {
  const more = others > 0 ? `, nor ${others} of the others` : '';
  return new WorkflowError('not_found', `there is no user "${id}" in the directory${more}: put users with putUsers`);
}
