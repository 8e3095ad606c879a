import { and, asc, eq, gt, sql } from 'drizzle-orm';
import { stringifyJson } from '../model/json.ts';
import type { Recipient } from '../model/recipient.ts';
import type { Orm } from './database.ts';
import { toRecipient } from './directory-row.ts';
import { directoryUsers as users } from './schema.ts';

const columns = {
  id: users.id,
  name: users.name,
  email: users.email,
  locale: users.locale,
  timezone: users.timezone,
  attributes: sql<string>`${users.attributes}::text`,
  active: users.active,
};

/** Writes users in one statement, in place of those with the same ids. Ids must not repeat. */
export async function upsertUsers(orm: Orm, tenantId: string, given: readonly Recipient[]): Promise<void> {
  // In one order, so that two bulk loads wait for each other instead of for ever.
  const rows = given.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  const column = (values: readonly unknown[]) => sql.param(values);
  await orm.execute(sql`
    insert into tocsin.directory_users as u (tenant_id, id, name, email, locale, timezone, attributes, active)
    select ${tenantId}, row.id, row.name, row.email, row.locale, row.timezone, row.attributes, row.active
    from unnest(
      ${column(rows.map((row) => row.id))}::text[],
      ${column(rows.map((row) => row.name))}::text[],
      ${column(rows.map((row) => row.email))}::text[],
      ${column(rows.map((row) => row.locale))}::text[],
      ${column(rows.map((row) => row.timezone))}::text[],
      ${column(rows.map((row) => stringifyJson(row.attributes)))}::jsonb[],
      ${column(rows.map((row) => row.active))}::bool[])
      as row (id, name, email, locale, timezone, attributes, active)
    on conflict (tenant_id, id) do update
    set name = excluded.name,
      email = excluded.email,
      locale = excluded.locale,
      timezone = excluded.timezone,
      attributes = excluded.attributes,
      active = excluded.active,
      updated_at = now()
    where (u.name, u.email, u.locale, u.timezone, u.attributes, u.active)
      is distinct from
      (excluded.name, excluded.email, excluded.locale, excluded.timezone, excluded.attributes, excluded.active)`);
}

/** One user; null when there is none. */
export async function loadUser(orm: Orm, tenantId: string, userId: string): Promise<Recipient | null> {
  const rows = await orm
    .select(columns)
    .from(users)
    .where(and(eq(users.tenantId, tenantId), eq(users.id, userId)));
  return rows[0] ? toRecipient(rows[0]) : null;
}

/** Users of a tenant by id in byte order, those after `after`. */
export async function listUsers(
  orm: Orm,
  options: { tenantId: string; after: string; limit: number },
): Promise<Recipient[]> {
  const rows = await orm
    .select(columns)
    .from(users)
    .where(and(eq(users.tenantId, options.tenantId), gt(users.id, options.after)))
    .orderBy(asc(users.id))
    .limit(options.limit);
  return rows.map(toRecipient);
}

/** Deletes a user with all memberships; false when there was none. */
export async function deleteUser(orm: Orm, tenantId: string, userId: string): Promise<boolean> {
  const rows = await orm
    .delete(users)
    .where(and(eq(users.tenantId, tenantId), eq(users.id, userId)))
    .returning({ id: users.id });
  return rows.length > 0;
}

/** Locks a user against other changes of it until the transaction ends; false when there is none. */
export async function lockUser(orm: Orm, tenantId: string, userId: string): Promise<boolean> {
  const rows = await orm
    .select({ id: users.id })
    .from(users)
    .where(and(eq(users.tenantId, tenantId), eq(users.id, userId)))
    .for('no key update');
  return rows.length > 0;
}
