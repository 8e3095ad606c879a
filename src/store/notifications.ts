import { and, desc, eq, isNotNull, isNull, lt, type SQL, sql } from 'drizzle-orm';
import type { Notification } from '../model/notification.ts';
import type { Orm } from './database.ts';
import { notifications } from './schema.ts';

/** The inbox of one user of one tenant. */
export type Inbox = { readonly tenantId: string; readonly userId: string };

/** Which notifications of an inbox: `unread` and `read` are not archived, `current` is both, `all` is everything. */
export type InboxStatus = 'unread' | 'read' | 'archived' | 'current' | 'all';

const filters: Readonly<Record<InboxStatus, SQL | undefined>> = {
  unread: and(isNull(notifications.readAt), isNull(notifications.archivedAt)),
  read: and(isNotNull(notifications.readAt), isNull(notifications.archivedAt)),
  archived: isNotNull(notifications.archivedAt),
  current: isNull(notifications.archivedAt),
  all: undefined,
};

/** Notifications, newest first, those before `beforeId`. Their ids begin with the time of the event. */
export async function listNotifications(
  orm: Orm,
  inbox: Inbox,
  options: { status: InboxStatus; beforeId: string | null; limit: number },
): Promise<Notification[]> {
  const { status, beforeId, limit } = options;
  return orm
    .select({
      id: notifications.id,
      executionId: notifications.executionId,
      title: notifications.title,
      message: notifications.message,
      priority: notifications.priority,
      link: notifications.link,
      createdAt: notifications.createdAt,
      readAt: notifications.readAt,
      archivedAt: notifications.archivedAt,
    })
    .from(notifications)
    .where(and(isIn(inbox), filters[status], beforeId === null ? undefined : lt(notifications.id, beforeId)))
    .orderBy(desc(notifications.id))
    .limit(limit);
}

/** How many are unread and not archived. */
export async function countUnread(orm: Orm, inbox: Inbox): Promise<number> {
  const rows = await orm
    .select({ count: sql<number>`count(*)::int` })
    .from(notifications)
    .where(and(isIn(inbox), filters.unread));
  return rows[0]?.count ?? 0;
}

/** A change of a notification; one that is read or archived already keeps its moment. */
export type NotificationMark = 'read' | 'unread' | 'archived' | 'unarchived';

const assignments: Readonly<Record<NotificationMark, SQL>> = {
  read: sql`read_at = coalesce(n.read_at, now())`,
  unread: sql`read_at = null`,
  archived: sql`archived_at = coalesce(n.archived_at, now())`,
  unarchived: sql`archived_at = null`,
};

/**
 * Marks notifications of an inbox: all of them, or none when one is not in it.
 *
 * @returns the ids that are not in the inbox
 */
export async function markNotifications(
  orm: Orm,
  inbox: Inbox,
  options: { mark: NotificationMark; ids: readonly string[] },
): Promise<string[]> {
  const wanted = [...new Set(options.ids.map((id) => id.toLowerCase()))];
  const result = await orm.execute<{ id: string }>(sql`
    with found as (
      select id
      from tocsin.notifications
      where tenant_id = ${inbox.tenantId}
        and user_id = ${inbox.userId}
        and id = any(${sql.param(wanted)}::uuid[])
      order by id
      for update
    ),
    marked as (
      update tocsin.notifications as n
      set ${assignments[options.mark]}
      from found
      where n.id = found.id
        and (select count(*) from found) = ${wanted.length}
    )
    select id
    from found`);
  const found = new Set(result.rows.map((row) => row.id));
  return wanted.filter((id) => !found.has(id));
}

/** Marks every unread notification of an inbox as read; answers how many there were. */
export async function markAllRead(orm: Orm, inbox: Inbox): Promise<number> {
  const result = await orm
    .update(notifications)
    .set({ readAt: sql`now()` })
    .where(and(isIn(inbox), filters.unread));
  return result.rowCount ?? 0;
}

function isIn(inbox: Inbox): SQL | undefined {
  return and(eq(notifications.tenantId, inbox.tenantId), eq(notifications.userId, inbox.userId));
}
