import { blind, type Case, each, ownRow, tenant } from './case.ts';

/** Members of a role or group that the victim has, and that the attacker makes itself. */
const add = (method: 'addToRole' | 'addToGroup', kind: 'role' | 'group') =>
  tenant(async ({ t, tenantId, heard, options }) => {
    const { directory } = t.tocsin;
    return [
      await each([heard.userId, ['ann', heard.userId], 'ann'], (ids) =>
        directory[method](tenantId, heard[kind], ids, options),
      ),
    ];
  });

/** The default directory. */
export const directoryCases: Record<string, Case> = {
  putUser: blind(ownRow, ({ t, tenantId, heard, options }) =>
    t.tocsin.directory.putUser(tenantId, { id: heard.userId, email: heard.address }, options),
  ),
  putUsers: blind(ownRow, ({ t, tenantId, heard, options }) =>
    t.tocsin.directory.putUsers(tenantId, [{ id: heard.userId }, { id: 'ann', email: heard.address }], options),
  ),
  getUser: tenant(({ t, tenantId, heard }) => t.tocsin.directory.getUser(tenantId, heard.userId)),
  listUsers: tenant(({ t, tenantId, heard }) =>
    each([{}, { cursor: heard.userId.slice(0, -1) }], (page) => t.tocsin.directory.listUsers(tenantId, page)),
  ),
  removeUser: tenant(({ t, tenantId, heard, options }) =>
    t.tocsin.directory.removeUser(tenantId, heard.userId, options),
  ),
  addToRole: add('addToRole', 'role'),
  addToGroup: add('addToGroup', 'group'),
  removeFromRole: tenant(({ t, tenantId, heard, options }) =>
    t.tocsin.directory.removeFromRole(tenantId, heard.role, heard.userId, options),
  ),
  removeFromGroup: tenant(({ t, tenantId, heard, options }) =>
    t.tocsin.directory.removeFromGroup(tenantId, heard.group, heard.userId, options),
  ),
  setRoles: tenant(({ t, tenantId, heard, options }) =>
    each([heard.userId, 'ann'], (id) => t.tocsin.directory.setRoles(tenantId, id, [heard.role], options)),
  ),
  setGroups: tenant(({ t, tenantId, heard, options }) =>
    each([heard.userId, 'ann'], (id) => t.tocsin.directory.setGroups(tenantId, id, [heard.group], options)),
  ),
  rolesOf: tenant(({ t, tenantId, heard }) => t.tocsin.directory.rolesOf(tenantId, heard.userId)),
  groupsOf: tenant(({ t, tenantId, heard }) => t.tocsin.directory.groupsOf(tenantId, heard.userId)),
  membersOf: tenant(({ t, tenantId, heard }) =>
    each(
      [{ role: heard.role }, { group: heard.group }, { role: heard.role, cursor: heard.userId.slice(0, -1) }],
      (filter) => t.tocsin.directory.membersOf(tenantId, filter),
    ),
  ),
};

/** The victim's notification, in the inbox of its user and in that of the attacker's. */
const mark = (method: 'markRead' | 'markUnread' | 'archive' | 'unarchive') =>
  tenant(({ t, tenantId, heard, options }) =>
    each([heard.userId, 'ann'], (user) => t.tocsin.inbox[method](tenantId, user, [heard.notificationId], options)),
  );

/** Inboxes. */
export const inboxCases: Record<string, Case> = {
  list: tenant(({ t, tenantId, heard }) =>
    each([{}, { status: 'all' as const }, { status: 'unread' as const, cursor: heard.notificationId }], (filter) =>
      t.tocsin.inbox.list(tenantId, heard.userId, filter),
    ),
  ),
  unreadCount: tenant(({ t, tenantId, heard }) => t.tocsin.inbox.unreadCount(tenantId, heard.userId)),
  markRead: mark('markRead'),
  markUnread: mark('markUnread'),
  archive: mark('archive'),
  unarchive: mark('unarchive'),
  markAllRead: tenant(({ t, tenantId, heard, options }) => t.tocsin.inbox.markAllRead(tenantId, heard.userId, options)),
};

/** What people do not want to be told. */
export const preferenceCases: Record<string, Case> = {
  setPreference: tenant(({ t, tenantId, heard, options }) =>
    each([heard.workflowId, heard.deletedId, null], (workflowId) =>
      t.tocsin.preferences.setPreference(
        tenantId,
        { userId: heard.userId, channel: 'email', workflowId, muted: false },
        options,
      ),
    ),
  ),
  unmute: tenant(({ t, tenantId, heard, options }) =>
    each([heard.workflowId, null], (workflowId) =>
      t.tocsin.preferences.unmute(tenantId, { userId: heard.userId, channel: 'email', workflowId }, options),
    ),
  ),
  getPreferences: tenant(({ t, tenantId, heard }) => t.tocsin.preferences.getPreferences(tenantId, heard.userId)),
  list: tenant(({ t, tenantId, heard }) =>
    each(
      [{}, { userId: heard.userId }, { channel: 'email' }, { cursor: JSON.stringify([heard.userId, 'a', '']) }],
      (filter) => t.tocsin.preferences.list(tenantId, filter),
    ),
  ),
};

/** Addresses that mails do not go to. */
export const suppressionCases: Record<string, Case> = {
  list: tenant(({ t, tenantId, heard }) =>
    each([{}, { address: heard.address }, { cursor: heard.address.slice(0, -1) }], (filter) =>
      t.tocsin.suppressions.list(tenantId, filter),
    ),
  ),
  add: blind(ownRow, ({ t, tenantId, heard, options }) =>
    t.tocsin.suppressions.add(tenantId, { address: heard.address, reason: 'complaint' }, options),
  ),
  remove: tenant(({ t, tenantId, heard, options }) => t.tocsin.suppressions.remove(tenantId, heard.address, options)),
};
