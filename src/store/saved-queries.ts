import { and, asc, eq, gt, type SQL, sql } from 'drizzle-orm';
import { parseJson, stringifyJson } from '../model/json.ts';
import type { SavedQuery } from '../model/saved-query.ts';
import type { Orm } from './database.ts';
import { savedQueries } from './schema.ts';

/** A saved query as it is kept. */
export type StoredQuery = SavedQuery & {
  readonly id: string;
  readonly tenantId: string;
  readonly updatedAt: Date;
};

/** Which saved query: names are unique in a tenant. */
export type SavedQueryPlace = { readonly tenantId: string; readonly name: string };

/** A change of a saved query. */
export type SavedQueryChange = {
  readonly definition: SavedQuery;
  /** The definitions version of this change. */
  readonly changedAtVersion: number;
};

const columns = {
  id: savedQueries.id,
  tenantId: savedQueries.tenantId,
  definition: sql<string>`${savedQueries.definition}::text`,
  updatedAt: savedQueries.updatedAt,
};

/** One saved query; null when there is none of the name. */
export async function readSavedQuery(orm: Orm, place: SavedQueryPlace): Promise<StoredQuery | null> {
  const rows = await orm.select(columns).from(savedQueries).where(isThis(place));
  return rows[0] ? toStoredQuery(rows[0]) : null;
}

/** Saved queries of a tenant by name, those after `after`. */
export async function listSavedQueries(
  orm: Orm,
  options: { tenantId: string; after: string; limit: number },
): Promise<StoredQuery[]> {
  const rows = await orm
    .select(columns)
    .from(savedQueries)
    .where(and(eq(savedQueries.tenantId, options.tenantId), gt(savedQueries.name, options.after)))
    .orderBy(asc(savedQueries.name))
    .limit(options.limit);
  return rows.map(toStoredQuery);
}

/** Adds a saved query; null when the tenant has one of the name. */
export async function insertSavedQuery(
  orm: Orm,
  tenantId: string,
  { definition, changedAtVersion }: SavedQueryChange,
): Promise<StoredQuery | null> {
  const rows = await orm
    .insert(savedQueries)
    .values({ tenantId, name: definition.name, definition: asJsonb(definition), changedAtVersion })
    .onConflictDoNothing()
    .returning(columns);
  return rows[0] ? toStoredQuery(rows[0]) : null;
}

/** Replaces a saved query, its name included; null when there is none. */
export async function updateSavedQuery(
  orm: Orm,
  place: SavedQueryPlace,
  { definition, changedAtVersion }: SavedQueryChange,
): Promise<StoredQuery | null> {
  const rows = await orm
    .update(savedQueries)
    .set({ name: definition.name, definition: asJsonb(definition), changedAtVersion, updatedAt: sql`now()` })
    .where(isThis(place))
    .returning(columns);
  return rows[0] ? toStoredQuery(rows[0]) : null;
}

/** Deletes a saved query. */
export async function deleteSavedQuery(orm: Orm, place: SavedQueryPlace): Promise<void> {
  await orm.delete(savedQueries).where(isThis(place));
}

function isThis(place: SavedQueryPlace): SQL | undefined {
  return and(eq(savedQueries.tenantId, place.tenantId), eq(savedQueries.name, place.name));
}

/** Integers beyond 2^53 stay exact. */
function asJsonb(definition: SavedQuery): SQL {
  return sql`${stringifyJson(definition)}::jsonb`;
}

function toStoredQuery(row: { id: string; tenantId: string; definition: string; updatedAt: Date }): StoredQuery {
  const { definition, ...place } = row;
  return { ...(parseJson(definition) as unknown as SavedQuery), ...place };
}
