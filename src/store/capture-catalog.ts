import type { TableName } from './capture-registry.ts';
import type { Runner } from './connection.ts';

/** A column as the catalog has it now. */
export type CatalogColumn = {
  readonly name: string;
  /** Type with its schema, unless built in: `int8`, `public.citext`. */
  readonly type: string;
  /** Name of the type below all domains, and its category (`pg_type.typcategory`). */
  readonly baseType: string;
  readonly category: string;
  readonly isNullable: boolean;
  /** A virtual generated column (PostgreSQL 18): triggers cannot read it. */
  readonly isVirtual: boolean;
};

/** A relation that statements can name: the table, or one of its partitions at any level. */
export type CatalogMember = TableName & { readonly oid: string; readonly kind: string };

/** A relation of the host, as the catalog has it now. */
export type CatalogTable = CatalogMember & {
  readonly isPartition: boolean;
  readonly isTemporary: boolean;
  readonly columns: readonly CatalogColumn[];
  readonly keyColumns: readonly string[];
  /** Itself and all its partitions. */
  readonly members: readonly CatalogMember[];
};

/** Reads a relation by name; without a schema the one that the search path finds. Null when there is none. */
export async function readTable(
  runner: Runner,
  name: { readonly schemaName: string | null; readonly tableName: string },
): Promise<CatalogTable | null> {
  const found = await runner.query<Omit<CatalogTable, 'columns' | 'keyColumns' | 'members'>>(
    `select c.oid::text as oid, n.nspname as "schemaName", c.relname as "tableName", c.relkind as kind,
       c.relispartition as "isPartition", c.relpersistence = 't' as "isTemporary"
     from pg_catalog.pg_class c
       join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.relname = $2
       and (n.nspname = $1 or $1 is null and pg_catalog.pg_table_is_visible(c.oid))
       and c.relkind in ('r', 'p', 'v', 'm', 'f')`,
    [name.schemaName, name.tableName],
  );
  const table = found.rows[0];
  if (!table) return null;
  return {
    ...table,
    columns: await readColumns(runner, table.oid),
    keyColumns: await readKeyColumns(runner, table.oid),
    members: await readMembers(runner, table.oid),
  };
}

/** Names of the tables that can be captured. */
export async function readTableNames(runner: Runner): Promise<TableName[]> {
  const { rows } = await runner.query<TableName>(
    `select n.nspname as "schemaName", c.relname as "tableName"
     from pg_catalog.pg_class c
       join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p')
       and not c.relispartition
       and c.relpersistence <> 't'
       and n.nspname <> all ('{pg_catalog,information_schema,pg_toast,tocsin}')
     order by 1, 2`,
  );
  return rows;
}

async function readColumns(runner: Runner, oid: string): Promise<CatalogColumn[]> {
  const { rows } = await runner.query<CatalogColumn>(
    `select a.attname as name,
       case when n.nspname = 'pg_catalog' then t.typname else n.nspname || '.' || t.typname end as type,
       base.typname as "baseType", base.typcategory as category,
       not a.attnotnull as "isNullable", a.attgenerated = 'v' as "isVirtual"
     from pg_catalog.pg_attribute a
       join pg_catalog.pg_type t on t.oid = a.atttypid
       join pg_catalog.pg_namespace n on n.oid = t.typnamespace
       cross join lateral (
         with recursive below as (
           select t.oid, t.typname, t.typcategory, t.typtype, t.typbasetype
           union all
           select d.oid, d.typname, d.typcategory, d.typtype, d.typbasetype
           from below
             join pg_catalog.pg_type d on d.oid = below.typbasetype
           where below.typtype = 'd'
         )
         select typname, typcategory
         from below
         where typtype <> 'd'
       ) base
     where a.attrelid = $1
       and a.attnum > 0
       and not a.attisdropped
     order by a.attnum`,
    [oid],
  );
  return rows;
}

async function readKeyColumns(runner: Runner, oid: string): Promise<string[]> {
  const { rows } = await runner.query<{ name: string }>(
    `select a.attname as name
     from pg_catalog.pg_index i
       cross join lateral unnest(i.indkey) with ordinality as key (attnum, place)
       join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = key.attnum
     where i.indrelid = $1
       and i.indisprimary
       and key.place <= i.indnkeyatts
     order by key.place`,
    [oid],
  );
  return rows.map(({ name }) => name);
}

async function readMembers(runner: Runner, oid: string): Promise<CatalogMember[]> {
  const { rows } = await runner.query<CatalogMember>(
    `select c.oid::text as oid, n.nspname as "schemaName", c.relname as "tableName", c.relkind as kind
     from (
       select $1::oid as relid
       union
       select relid::oid from pg_catalog.pg_partition_tree($1::oid)
     ) member
       join pg_catalog.pg_class c on c.oid = member.relid
       join pg_catalog.pg_namespace n on n.oid = c.relnamespace
     order by c.oid`,
    [oid],
  );
  return rows;
}
