import { asc, eq, inArray, sql } from 'drizzle-orm';
import type { EntityField, EntityType } from '../model/entity-type.ts';
import type { Orm } from './database.ts';
import { entityTypes } from './schema.ts';

/** Entity types by name: those of these names that are registered, or all. They are shared by all tenants. */
export async function loadEntityTypes(orm: Orm, names?: readonly string[]): Promise<EntityType[]> {
  const rows = await orm
    .select()
    .from(entityTypes)
    .where(names ? inArray(entityTypes.name, [...names]) : undefined)
    .orderBy(asc(entityTypes.name));
  return rows.map(toEntityType);
}

/** Writes an entity type in place of the one of its name. */
export async function upsertEntityType(orm: Orm, entityType: EntityType): Promise<void> {
  const { name, fields, operations, table } = entityType;
  const state = {
    fields,
    operations: [...operations],
    schemaName: table?.schema ?? null,
    tableName: table?.table ?? null,
    tenantColumn: table?.tenantColumn ?? null,
    tenantConstant: table?.tenantConstant ?? null,
    updatedAt: sql`now()`,
  };
  await orm
    .insert(entityTypes)
    .values({ name, ...state })
    .onConflictDoUpdate({ target: entityTypes.name, set: state });
}

/** Deletes an entity type; false when there was none of the name. */
export async function deleteEntityType(orm: Orm, name: string): Promise<boolean> {
  const rows = await orm.delete(entityTypes).where(eq(entityTypes.name, name)).returning({ name: entityTypes.name });
  return rows.length > 0;
}

/** Names of the columns of a host table or view; null when there is none of the name. */
export async function tableColumns(
  orm: Orm,
  table: { readonly schema: string; readonly table: string },
): Promise<string[] | null> {
  const result = await orm.execute<{ columns: string[] | null }>(sql`
    select (
      select array_agg(attname::text order by attnum)
      from pg_catalog.pg_attribute
      where attrelid = relation.oid
        and attnum > 0
        and not attisdropped
    ) as columns
    from pg_catalog.pg_class as relation
    join pg_catalog.pg_namespace as namespace on namespace.oid = relation.relnamespace
    where namespace.nspname = ${table.schema}
      and relation.relname = ${table.table}
      and relation.relkind in ('r', 'p', 'v', 'm', 'f')`);
  const [row] = result.rows;
  return row ? (row.columns ?? []) : null;
}

function toEntityType(row: typeof entityTypes.$inferSelect): EntityType {
  const { name, operations, schemaName, tableName, tenantColumn, tenantConstant } = row;
  const isOfTable = schemaName !== null && tableName !== null;
  return {
    name,
    fields: row.fields as EntityField[],
    operations,
    table: isOfTable ? { schema: schemaName, table: tableName, tenantColumn, tenantConstant } : null,
  };
}
