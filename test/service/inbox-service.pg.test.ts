import { beforeEach, describe, expect, test } from 'vitest';
import type { WorkflowError } from '../../src/errors.ts';
import { type Result, unwrap } from '../../src/model/result.ts';
import { InboxService } from '../../src/service/inbox-service.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();
const service = () => new InboxService({ database: db.database });
const idOf = (n: number) => `01990000-0000-7000-8000-00000000000${n}`;

async function add(tenantId: string, userId: string, n: number): Promise<void> {
  await db.database.pool.query(
    `insert into tocsin.notifications (id, tenant_id, user_id, execution_id, title, message, priority, link)
     values ($1, $2, $3, tocsin.new_id(), $4, 'message', 'high', '/orders/1')`,
    [idOf(n), tenantId, userId, `title ${n}`],
  );
}

beforeEach(async () => {
  await db.database.pool.query('delete from tocsin.notifications');
  for (const n of [1, 2, 3]) await add('acme', 'ann', n);
  await add('acme', 'bob', 4);
  await add('globex', 'ann', 5);
});

const titles = async (filter: Parameters<InboxService['list']>[2] = {}) =>
  unwrap(await service().list('acme', 'ann', filter)).items.map((item) => item.title);

const codeOf = (result: Result<unknown, WorkflowError>) => (result.ok ? 'ok' : result.error.code);

describe('list', () => {
  test("answers the user's notifications, newest first", async () => {
    const { items, nextCursor } = unwrap(await service().list('acme', 'ann'));
    expect(items.map((item) => item.id)).toEqual([idOf(3), idOf(2), idOf(1)]);
    expect(items[0]).toEqual({
      id: idOf(3),
      executionId: expect.any(String),
      title: 'title 3',
      message: 'message',
      priority: 'high',
      link: '/orders/1',
      createdAt: expect.any(Date),
      readAt: null,
      archivedAt: null,
    });
    expect(nextCursor).toBeNull();
  });

  test('pages, and what arrives meanwhile moves nothing', async () => {
    const first = unwrap(await service().list('acme', 'ann', { limit: 2 }));
    await add('acme', 'ann', 9);
    const second = unwrap(await service().list('acme', 'ann', { limit: 2, cursor: first.nextCursor ?? '' }));
    expect([...first.items, ...second.items].map((item) => item.title)).toEqual(['title 3', 'title 2', 'title 1']);
  });

  test('filters by status; archived ones come only when asked for', async () => {
    unwrap(await service().markRead('acme', 'ann', idOf(1)));
    unwrap(await service().archive('acme', 'ann', idOf(2)));
    expect(await titles()).toEqual(['title 3', 'title 1']);
    expect(await titles({ status: 'unread' })).toEqual(['title 3']);
    expect(await titles({ status: 'read' })).toEqual(['title 1']);
    expect(await titles({ status: 'archived' })).toEqual(['title 2']);
    expect(await titles({ status: 'all' })).toEqual(['title 3', 'title 2', 'title 1']);
  });

  test('refuses a status and a cursor that are none', async () => {
    const byStatus = await service().list('acme', 'ann', { status: 'unred' as 'unread' });
    expect(byStatus).toMatchObject({ error: { issues: [{ path: 'status', didYouMean: 'unread' }] } });
    expect(codeOf(await service().list('acme', 'ann', { cursor: 'Zm9v' }))).toBe('invalid');
  });
});

describe('unreadCount', () => {
  test('counts what is neither read nor archived, of this user alone', async () => {
    unwrap(await service().markRead('acme', 'ann', idOf(1)));
    unwrap(await service().archive('acme', 'ann', idOf(2)));
    expect(await service().unreadCount('acme', 'ann')).toBe(1);
    expect(await service().unreadCount('acme', 'zed')).toBe(0);
  });
});

describe('markRead, markUnread, archive and unarchive', () => {
  const read = async (n: number) =>
    unwrap(await service().list('acme', 'ann', { status: 'all' })).items.find((item) => item.id === idOf(n));

  test('change one or several and take the change back', async () => {
    unwrap(await service().markRead('acme', 'ann', [idOf(1), idOf(2), idOf(1)]));
    expect(await titles({ status: 'read' })).toEqual(['title 2', 'title 1']);
    unwrap(await service().markUnread('acme', 'ann', [idOf(1).toUpperCase()]));
    expect(await titles({ status: 'read' })).toEqual(['title 2']);
    unwrap(await service().archive('acme', 'ann', [idOf(1), idOf(2)]));
    expect(await titles()).toEqual(['title 3']);
    unwrap(await service().unarchive('acme', 'ann', idOf(2)));
    expect(await titles()).toEqual(['title 3', 'title 2']);
    unwrap(await service().markRead('acme', 'ann', []));
  });

  test('keep the moment of the first time', async () => {
    unwrap(await service().markRead('acme', 'ann', idOf(1)));
    const before = await read(1);
    unwrap(await service().markRead('acme', 'ann', idOf(1)));
    expect((await read(1))?.readAt).toEqual(before?.readAt);
  });

  test.each<[string, string, string, string[]]>([
    ["another user's", 'acme', 'ann', [idOf(1), idOf(4)]],
    ["another tenant's", 'acme', 'ann', [idOf(5), idOf(1)]],
    ['one that does not exist', 'acme', 'ann', [idOf(8), idOf(1)]],
    ['one whose id is none', 'acme', 'ann', ['1; drop table', idOf(1)]],
  ])('answer not_found for %s, and change nothing', async (_what, tenantId, userId, ids) => {
    expect(codeOf(await service().markRead(tenantId, userId, ids))).toBe('not_found');
    expect(codeOf(await service().archive(tenantId, userId, ids))).toBe('not_found');
    const { rows } = await db.database.pool.query(
      'select id from tocsin.notifications where read_at is not null or archived_at is not null',
    );
    expect(rows).toEqual([]);
  });

  test('refuse more than 1000 at once', async () => {
    const many = Array.from({ length: 1001 }, () => idOf(1));
    expect(codeOf(await service().archive('acme', 'ann', many))).toBe('invalid');
  });

  test('belong to the transaction they are given', async () => {
    const given = db.database.transaction(async (tx) => {
      unwrap(await service().markRead('acme', 'ann', idOf(1), { tx }));
      expect(await service().markAllRead('acme', 'ann', { tx })).toBe(2);
      throw new Error('the host rolls back');
    });
    await expect(given).rejects.toThrow('the host rolls back');
    expect(await service().unreadCount('acme', 'ann')).toBe(3);
  });
});

describe('markAllRead', () => {
  test("marks the user's unread ones and nobody else's", async () => {
    unwrap(await service().archive('acme', 'ann', idOf(1)));
    expect(await service().markAllRead('acme', 'ann')).toBe(2);
    expect(await service().markAllRead('acme', 'ann')).toBe(0);
    expect(await service().unreadCount('acme', 'bob')).toBe(1);
    expect(await service().unreadCount('globex', 'ann')).toBe(1);
    unwrap(await service().unarchive('acme', 'ann', idOf(1)));
    expect(await titles({ status: 'unread' })).toEqual(['title 1']);
  });
});
