/**
 * The default directory: users, roles, groups and attributes in Tocsin's own tables. Pages go by user id in byte order; the
 * migration gives the id columns collation "C", so their indexes are in that order whatever the database's collation is.
 */
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
import type { Database } from './database.ts';
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
export function createDefaultDirectory(database: Pick<Database, 'pool'>): DefaultDirectory {
  const { pool } = database;
  return {
    find: (tenantId, query, page) => findPage(pool, { tenantId, query, page }),
    rolesOf: (tenantId, userIds) => loadRoles(pool, tenantId, userIds),
    findMany: findRecipients,
  };
}

async function findPage(
  runner: Runner,
  { tenantId, query, page }: { tenantId: string; query: RecipientQuery; page: RecipientPage },
): Promise<Recipient[]> {
  const window = [tenantId, page.after ?? '', page.limit];
  switch (query.kind) {
    case 'users':
      return select(runner, usersText, [...window, query.ids]);
    case 'role':
    case 'group':
      return select(runner, membersText, [...window, query.kind, query.name]);
    case 'attribute':
      return select(runner, attributeText, [...window, query.name, stringifyJson(query.value)]);
  }
}

async function select(runner: Runner, text: string, values: unknown[]): Promise<Recipient[]> {
  const result = await runner.query<RecipientRow>(text, values);
  return result.rows.map(toRecipient);
}

const usersText = `
  select ${recipientColumns}
  from tocsin.directory_users as u
  where u.tenant_id = $1
    and u.id > $2
    and u.id = any($4::text[])
  order by u.id
  limit $3`;

/** The page is cut from the members; then each is looked up (`limit 1`), which no estimate of the planner can make slower. */
const membersText = `
  select ${recipientColumns}
  from (
    select m.user_id
    from tocsin.directory_memberships as m
    where m.tenant_id = $1
      and m.user_id > $2
      and m.kind = $4
      and m.name = $5
    order by m.user_id
    limit $3
  ) as member
  cross join lateral (
    select *
    from tocsin.directory_users as u
    where u.tenant_id = $1
      and u.id = member.user_id
    limit 1
  ) as u
  order by u.id`;

/**
 * The index knows attributes below their tenant: containment of `{ tenant: { name: value } }` is the tenant's scope too. It
 * also holds for parts of objects and arrays, so the values are compared as well.
 */
const attributeText = `
  select ${recipientColumns}
  from tocsin.directory_users as u
  where tocsin.tenant_attributes(u.tenant_id, u.attributes)
      @> tocsin.tenant_attributes($1, jsonb_build_object($4::text, $5::jsonb))
    and u.attributes -> $4::text = $5::jsonb
    and u.id > $2
  order by u.id
  limit $3`;

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
