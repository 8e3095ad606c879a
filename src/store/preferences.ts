import { and, asc, eq, type SQL, sql } from 'drizzle-orm';
import type { OptOut, Preference } from '../model/preference.ts';
import type { Orm } from './database.ts';
import { preferences } from './schema.ts';

const columns = {
  userId: preferences.userId,
  channel: preferences.channel,
  workflowId: sql<string | null>`nullif(${preferences.workflowId}, '')`,
  muted: preferences.muted,
  source: preferences.source,
  updatedAt: preferences.updatedAt,
};

/** Writes what a person said, in place of what they said before about the same. */
export async function writePreference(
  orm: Orm,
  of: OptOut,
  said: Pick<Preference, 'muted' | 'source'>,
): Promise<Preference> {
  const { muted, source } = said;
  const rows = await orm
    .insert(preferences)
    .values({ ...of, workflowId: of.workflowId ?? '', muted, source })
    .onConflictDoUpdate({
      target: [preferences.tenantId, preferences.userId, preferences.channel, preferences.workflowId],
      set: { muted, source, updatedAt: sql`clock_timestamp()` },
    })
    .returning(columns);
  return rows[0] as Preference;
}

/** Mutes every workflow that a person has unmuted by itself, in one channel. */
export async function muteAll(orm: Orm, of: Omit<OptOut, 'workflowId'>): Promise<void> {
  await orm
    .update(preferences)
    .set({ muted: true, source: 'unsubscribe_link', updatedAt: sql`clock_timestamp()` })
    .where(
      and(
        eq(preferences.tenantId, of.tenantId),
        eq(preferences.userId, of.userId),
        eq(preferences.channel, of.channel),
        eq(preferences.muted, false),
      ),
    );
}

/** Where a page of preferences starts: after this one. */
export type PreferenceCursor = { readonly userId: string; readonly channel: string; readonly workflowId: string };

/** Preferences of a tenant by user, channel and workflow. */
export async function listPreferences(
  orm: Orm,
  filter: {
    tenantId: string;
    userId: string | null;
    channel: string | null;
    after: PreferenceCursor | null;
    limit: number | null;
  },
): Promise<Preference[]> {
  const { userId, channel, workflowId } = preferences;
  const conditions: SQL[] = [eq(preferences.tenantId, filter.tenantId)];
  if (filter.userId !== null) conditions.push(eq(userId, filter.userId));
  if (filter.channel !== null) conditions.push(eq(channel, filter.channel));
  if (filter.after !== null) {
    const { after } = filter;
    conditions.push(
      sql`(${userId}, ${channel}, ${workflowId}) > (${after.userId}, ${after.channel}, ${after.workflowId})`,
    );
  }
  const rows = orm
    .select(columns)
    .from(preferences)
    .where(and(...conditions))
    .orderBy(asc(userId), asc(channel), asc(workflowId));
  return filter.limit === null ? rows : rows.limit(filter.limit);
}
