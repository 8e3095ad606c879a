/**
 * A directory over the host's own user tables: workflows tell the users the product already has, and nothing is copied.
 * Give it to Tocsin with `createTocsin({ directory: createHostDirectory(pool) })`.
 *
 * What a directory must keep to: every query is scoped by the tenant; pages go by user id in byte order (`collate "C"`), those
 * after `page.after`, `page.limit` at most; attribute values are compared as JSON; users who must not be told come with
 * `active: false`. A query that rejects tells nobody.
 */
import type pg from 'pg';
import type { Directory, Recipient, RecipientPage, RecipientQuery } from '../src/index.ts';

/** The host's tables, as they might have been before Tocsin came. */
export const hostTables = `
  create table app_users (
    account text not null,
    id text collate "C" not null,
    full_name text,
    email text,
    language text,
    time_zone text,
    profile jsonb not null default '{}',
    deactivated_at timestamptz,
    primary key (account, id)
  );
  create table app_user_roles (
    account text not null,
    role text not null,
    user_id text collate "C" not null,
    primary key (account, role, user_id),
    foreign key (account, user_id) references app_users (account, id) on delete cascade
  );
  create table app_team_members (
    account text not null,
    team text not null,
    user_id text collate "C" not null,
    primary key (account, team, user_id),
    foreign key (account, user_id) references app_users (account, id) on delete cascade
  );`;

/** Recipients are looked up in the host's tables each time an event is worked on. */
export function createHostDirectory(pool: pg.Pool): Directory {
  return {
    find: async (tenantId, query, page) => {
      const { from, values } = membersOf(query);
      return selectUsers(pool, { tenantId, from, values, page });
    },
    rolesOf: async (tenantId, userIds) => {
      const { rows } = await pool.query<{ userId: string; roles: string[] }>(
        `select user_id as "userId", array_agg(role) as roles
         from app_user_roles
         where account = $1
           and user_id = any($2::text[])
         group by user_id`,
        [tenantId, userIds],
      );
      return new Map(rows.map(({ userId, roles }) => [userId, roles]));
    },
  };
}

/** Where the users of a query are; $1 is the tenant, $4 and $5 are the query's own. */
function membersOf(query: RecipientQuery): { from: string; values: unknown[] } {
  switch (query.kind) {
    case 'users':
      return { from: 'app_users u where u.account = $1 and u.id = any($4::text[])', values: [query.ids] };
    case 'role':
      return {
        from: 'app_user_roles r join app_users u on (u.account, u.id) = (r.account, r.user_id) where r.account = $1 and r.role = $4',
        values: [query.name],
      };
    case 'group':
      return {
        from: 'app_team_members t join app_users u on (u.account, u.id) = (t.account, t.user_id) where t.account = $1 and t.team = $4',
        values: [query.name],
      };
    case 'attribute':
      return {
        from: 'app_users u where u.account = $1 and u.profile -> $4::text = $5::jsonb',
        values: [query.name, JSON.stringify(query.value)],
      };
  }
}

async function selectUsers(
  pool: pg.Pool,
  { tenantId, from, values, page }: { tenantId: string; from: string; values: unknown[]; page: RecipientPage },
): Promise<Recipient[]> {
  const { rows } = await pool.query<Recipient>(
    `select u.id, u.full_name as name, u.email, u.language as locale, u.time_zone as timezone,
       u.profile as attributes, u.deactivated_at is null as active
     from ${from}
       and u.id > $2
     order by u.id
     limit $3`,
    [tenantId, page.after ?? '', page.limit, ...values],
  );
  return rows;
}
