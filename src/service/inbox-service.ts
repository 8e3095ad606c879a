import { z } from 'zod';
import { invalid, WorkflowError } from '../errors.ts';
import type { Notification } from '../model/notification.ts';
import { type Page, pageOf } from '../model/page.ts';
import { parseInput } from '../model/parse-input.ts';
import { err, ok } from '../model/result.ts';
import { isStorableText, unstorable } from '../model/storable-text.ts';
import type { Database } from '../store/database.ts';
import {
  countUnread,
  type Inbox,
  listNotifications,
  markAllRead,
  markNotifications,
  type NotificationMark,
} from '../store/notifications.ts';
import { withTenant } from '../store/with-tenant.ts';
import type { Answer, WriteOptions } from './answer.ts';
import { idPageInput, isUuid } from './list-input.ts';

const listInput = idPageInput.extend({
  /** Default: read and unread ones that are not archived. */
  status: z.enum(['unread', 'read', 'archived', 'all']).optional(),
});

/** Most notifications of one change. */
const maxIds = 1000;

/**
 * The inboxes of users: what `notification` actions told them. Every call names the tenant and the user; a notification of
 * somebody else is `not_found`.
 */
export class InboxService {
  readonly #database: Database;

  constructor(options: { readonly database: Database }) {
    this.#database = options.database;
  }

  /** Notifications of a user, newest first. */
  async list(tenantId: string, userId: string, filter: z.input<typeof listInput> = {}): Answer<Page<Notification>> {
    const given = parseInput(listInput, filter);
    if (!given.ok) return err(invalid('the filter', given.error));
    const refusal = checkUserId(userId);
    if (refusal) return err(refusal);
    const { status, limit, cursor } = given.value;
    const page = { status: status ?? ('current' as const), beforeId: cursor ?? null, limit: limit + 1 };
    return withTenant(this.#database, { tenantId }, async (orm) =>
      ok(pageOf(await listNotifications(orm, { tenantId, userId }, page), limit, (row) => row.id)),
    );
  }

  /** How many notifications are neither read nor archived. */
  async unreadCount(tenantId: string, userId: string): Promise<number> {
    if (checkUserId(userId)) return 0;
    const counted = await withTenant(this.#database, { tenantId }, async (orm) =>
      ok(await countUnread(orm, { tenantId, userId })),
    );
    return counted.ok ? counted.value : 0;
  }

  /** Marks one or several as read: all of them, or none when one is not in the inbox. */
  async markRead(
    tenantId: string,
    userId: string,
    ids: string | readonly string[],
    options: WriteOptions = {},
  ): Answer<null> {
    return this.#mark('read', { tenantId, userId }, { ...options, ids });
  }

  /** Marks one or several as unread: all of them, or none when one is not in the inbox. */
  async markUnread(
    tenantId: string,
    userId: string,
    ids: string | readonly string[],
    options: WriteOptions = {},
  ): Answer<null> {
    return this.#mark('unread', { tenantId, userId }, { ...options, ids });
  }

  /** Archives one or several: all of them, or none when one is not in the inbox. */
  async archive(
    tenantId: string,
    userId: string,
    ids: string | readonly string[],
    options: WriteOptions = {},
  ): Answer<null> {
    return this.#mark('archived', { tenantId, userId }, { ...options, ids });
  }

  /** Takes one or several out of the archive: all of them, or none when one is not in the inbox. */
  async unarchive(
    tenantId: string,
    userId: string,
    ids: string | readonly string[],
    options: WriteOptions = {},
  ): Answer<null> {
    return this.#mark('unarchived', { tenantId, userId }, { ...options, ids });
  }

  /** Marks everything that is unread and not archived as read; answers how many there were. */
  async markAllRead(tenantId: string, userId: string, options: WriteOptions = {}): Promise<number> {
    if (checkUserId(userId)) return 0;
    const marked = await withTenant(this.#database, { tenantId, tx: options.tx }, async (orm) =>
      ok(await markAllRead(orm, { tenantId, userId })),
    );
    return marked.ok ? marked.value : 0;
  }

  async #mark(
    mark: NotificationMark,
    inbox: Inbox,
    options: WriteOptions & { readonly ids: string | readonly string[] },
  ): Answer<null> {
    const ids = [options.ids].flat();
    if (ids.length > maxIds) {
      return err(
        invalid('the change', [
          { path: 'ids', message: `names more than ${maxIds} notifications: change them in parts` },
        ]),
      );
    }
    const refusal = checkUserId(inbox.userId);
    if (refusal) return err(refusal);
    const foreign = ids.filter((id) => !isUuid(id));
    return withTenant(this.#database, { tenantId: inbox.tenantId, tx: options.tx }, async (orm) => {
      const [missing] = foreign.length > 0 ? foreign : await markNotifications(orm, inbox, { mark, ids });
      if (missing === undefined) return ok(null);
      const message = `there is no notification "${missing}" in the inbox of user "${inbox.userId}": list it to see its ids`;
      return err(new WorkflowError('not_found', message));
    });
  }
}

/** What PostgreSQL cannot be asked for; null when nothing is wrong. */
function checkUserId(userId: string): WorkflowError | null {
  if (isStorableText(userId)) return null;
  return invalid('the user', [{ path: 'userId', message: unstorable }]);
}
