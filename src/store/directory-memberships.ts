import { and, asc, eq, inArray, sql } from 'drizzle-orm';
import type { Orm } from './database.ts';
import { directoryMemberships as memberships } from './schema.ts';

/** A role or a group of one tenant. */
export type MembershipPlace = { readonly tenantId: string; readonly kind: 'role' | 'group'; readonly name: string };

/**
 * Adds users to a role or group: all of them, or none when one is not in the directory.
 *
 * @returns the ids that are not in the directory
 */
export async function addMembers(orm: Orm, place: MembershipPlace, userIds: readonly string[]): Promise<string[]> {
  const { tenantId, kind, name } = place;
  const wanted = [...new Set(userIds)];
  const result = await orm.execute<{ id: string }>(sql`
    with known as (
      select id
      from tocsin.directory_users
      where tenant_id = ${tenantId}
        and id = any(${sql.param(wanted)}::text[])
      for key share
    ),
    added as (
      insert into tocsin.directory_memberships (tenant_id, kind, name, user_id)
      select ${tenantId}, ${kind}, ${name}, id
      from known
      where (select count(*) from known) = ${wanted.length}
      on conflict do nothing
    )
    select id
    from known`);
  const known = new Set(result.rows.map((row) => row.id));
  return wanted.filter((id) => !known.has(id));
}

/** Takes users out of a role or group; answers how many were in it. */
export async function removeMembers(orm: Orm, place: MembershipPlace, userIds: readonly string[]): Promise<number> {
  const rows = await orm
    .delete(memberships)
    .where(
      and(
        eq(memberships.tenantId, place.tenantId),
        eq(memberships.kind, place.kind),
        eq(memberships.name, place.name),
        inArray(memberships.userId, [...userIds]),
      ),
    )
    .returning({ userId: memberships.userId });
  return rows.length;
}

/** Makes these the user's only roles or groups. Lock the user first. */
export async function replaceMemberships(
  orm: Orm,
  options: { tenantId: string; kind: 'role' | 'group'; userId: string; names: readonly string[] },
): Promise<void> {
  const { tenantId, kind, userId, names } = options;
  const wanted = sql.param([...new Set(names)]);
  await orm.execute(sql`
    with removed as (
      delete from tocsin.directory_memberships
      where tenant_id = ${tenantId}
        and kind = ${kind}
        and user_id = ${userId}
        and name <> all(${wanted}::text[])
    )
    insert into tocsin.directory_memberships (tenant_id, kind, name, user_id)
    select ${tenantId}, ${kind}, name, ${userId}
    from unnest(${wanted}::text[]) as wanted (name)
    on conflict do nothing`);
}

/** Names of the roles or groups a user is in. */
export async function membershipsOf(
  orm: Orm,
  options: { tenantId: string; kind: 'role' | 'group'; userId: string },
): Promise<string[]> {
  const rows = await orm
    .select({ name: memberships.name })
    .from(memberships)
    .where(
      and(
        eq(memberships.tenantId, options.tenantId),
        eq(memberships.kind, options.kind),
        eq(memberships.userId, options.userId),
      ),
    )
    .orderBy(asc(memberships.name));
  return rows.map((row) => row.name);
}
