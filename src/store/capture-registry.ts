import { and, asc, eq, sql } from 'drizzle-orm';
import { escapeIdentifier } from 'pg';
import type { RowOperation } from '../model/event.ts';
import type { Orm } from './database.ts';
import { captures } from './schema.ts';

/** A table by its place. */
export type TableName = { readonly schemaName: string; readonly tableName: string };

/** A column as it was when capture was installed. */
export type CapturedColumn = {
  readonly name: string;
  /** Type with its schema, unless built in: `int8`, `public.citext`. */
  readonly type: string;
};

/** A captured table, as installed. */
export type CaptureInfo = TableName & {
  readonly id: string;
  /** Name as SQL writes it: `public.orders`, `public."Order Lines"`. */
  readonly table: string;
  readonly entityType: string;
  /** Column that names the tenant; null when `tenant` owns every row. */
  readonly tenantColumn: string | null;
  readonly tenant: string | null;
  /** Columns that never leave the table. */
  readonly excluded: readonly string[];
  /** The primary key, in its order. */
  readonly keyColumns: readonly string[];
  readonly columns: readonly CapturedColumn[];
  readonly operations: readonly RowOperation[];
  readonly onlyWhenSubscribed: boolean;
  readonly installedAt: Date;
};

/** What decides the triggers of a capture. */
export type CapturedTable = Omit<CaptureInfo, 'id' | 'table' | 'installedAt'>;

/** A table's name as SQL writes it. */
export function writeTableName({ schemaName, tableName }: TableName): string {
  return [schemaName, tableName]
    .map((part) => (/^[a-z_][a-z0-9_]*$/.test(part) ? part : escapeIdentifier(part)))
    .join('.');
}

/** All captures, by table. */
export async function listCaptures(orm: Orm): Promise<CaptureInfo[]> {
  const rows = await orm.select().from(captures).orderBy(asc(captures.schemaName), asc(captures.tableName));
  return rows.map(toCaptureInfo);
}

/** Records a capture, in place of the table's former one. */
export async function saveCapture(orm: Orm, table: CapturedTable): Promise<CaptureInfo> {
  const { schemaName, tableName, tenant, ...rest } = table;
  const state = {
    ...rest,
    tenantConstant: tenant,
    excluded: [...table.excluded],
    keyColumns: [...table.keyColumns],
    operations: [...table.operations],
  };
  const rows = await orm
    .insert(captures)
    .values({ schemaName, tableName, ...state })
    .onConflictDoUpdate({
      target: [captures.schemaName, captures.tableName],
      set: { ...state, installedAt: sql`now()` },
    })
    .returning();
  return toCaptureInfo(rows[0] as typeof captures.$inferSelect);
}

/** Forgets a capture. */
export async function deleteCapture(orm: Orm, { schemaName, tableName }: TableName): Promise<void> {
  await orm.delete(captures).where(and(eq(captures.schemaName, schemaName), eq(captures.tableName, tableName)));
}

function toCaptureInfo(row: typeof captures.$inferSelect): CaptureInfo {
  const { tenantConstant, columns, operations, ...rest } = row;
  return {
    ...rest,
    table: writeTableName(row),
    tenant: tenantConstant,
    columns: columns as CapturedColumn[],
    operations: operations as RowOperation[],
  };
}
