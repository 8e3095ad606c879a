/**
 * The default directory: users, roles, groups and attributes in Tocsin's own tables. Pages go by user id in byte order; the
 * migration gives the id columns collation "C", so their indexes are in that order whatever the database's collation is.
 */

import { type SQL, sql } from 'drizzle-orm';
import { stringifyJson } from '../model/json.ts';
import type {
  Directory,
  Recipient,
  RecipientAnswers,
  RecipientPage,
  RecipientQuery,
  RecipientRequest,
} from '../model/recipient.ts';
import type { Runner } from './connection.ts';
import type { Database, Orm } from './database.ts';
import { findRecipients } from './directory-batch.ts';
import { type RecipientRow, recipientColumns, toRecipient } from './directory-row.ts';

/** The directory in Tocsin's tables, which can also answer a batch of queries at once. */
export type DefaultDirectory = Directory & {
  /**
   * Answers all queries of a batch in one statement, through `runner`: the pool, or a connection in a transaction. See
   * `findRecipients`.
   */
  readonly findMany: (
    runner: Runner,
    requests: readonly RecipientRequest[],
    limitEach: number,
  ) => Promise<RecipientAnswers>;
};

/** The directory that `DirectoryService` writes. */
export function createDefaultDirectory(database: Pick<Database, 'pool' | 'orm'>): DefaultDirectory {
  const { pool, orm } = database;
  return {
    find: (tenantId, query, page) => findRecipientPage(orm, { tenantId, query, page }),
    rolesOf: (tenantId, userIds) => loadRoles(pool, tenantId, userIds),
    findMany: findRecipients,
  };
}

/** One page of the users whom a query finds, by id. */
export async function findRecipientPage(
  orm: Orm,
  wanted: { tenantId: string; query: RecipientQuery; page: RecipientPage },
): Promise<Recipient[]> {
  const result = await orm.execute<RecipientRow>(pageText(wanted));
  return result.rows.map(toRecipient);
}

function pageText({ tenantId, query, page }: { tenantId: string; query: RecipientQuery; page: RecipientPage }): SQL {
  const after = page.after ?? '';
  switch (query.kind) {
    case 'users':
      return sql`
        select ${columns}
        from tocsin.directory_users as u
        where u.tenant_id = ${tenantId}
          and u.id > ${after}
          and u.id = any(${sql.param(query.ids)}::text[])
        order by u.id
        limit ${page.limit}`;
    case 'role':
    case 'group':
      // The page is cut from the members; then each is looked up (`limit 1`), which no estimate of the planner can make slower.
      return sql`
        select ${columns}
        from (
          select m.user_id
          from tocsin.directory_memberships as m
          where m.tenant_id = ${tenantId}
            and m.user_id > ${after}
            and m.kind = ${query.kind}
            and m.name = ${query.name}
          order by m.user_id
          limit ${page.limit}
        ) as member
        cross join lateral (
          select *
          from tocsin.directory_users as u
          where u.tenant_id = ${tenantId}
            and u.id = member.user_id
          limit 1
        ) as u
        order by u.id`;
    case 'attribute':
      // The index knows attributes below their tenant: containment of `{ tenant: { name: value } }` is the tenant's scope too. It
      // also holds for parts of objects and arrays, so the values are compared as well.
      return sql`
        select ${columns}
        from tocsin.directory_users as u
        where tocsin.tenant_attributes(u.tenant_id, u.attributes)
            @> tocsin.tenant_attributes(
              ${tenantId}, jsonb_build_object(${query.name}::text, ${stringifyJson(query.value)}::jsonb))
          and u.attributes -> ${query.name}::text = ${stringifyJson(query.value)}::jsonb
          and u.id > ${after}
        order by u.id
        limit ${page.limit}`;
  }
}

const columns = sql.raw(recipientColumns);

async function loadRoles(
  runner: Runner,
  tenantId: string,
  userIds: readonly string[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const result = await runner.query<{ userId: string; roles: string[] }>(
    `select user_id as "userId", array_agg(name order by name) as roles
     from tocsin.directory_memberships
     where tenant_id = $1
       and kind = 'role'
       and user_id = any($2::text[])
     group by user_id`,
    [tenantId, userIds],
  );
  return new Map(result.rows.map(({ userId, roles }) => [userId, roles]));
}
