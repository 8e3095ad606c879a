import { and, asc, eq, gt, type SQL, sql } from 'drizzle-orm';
import type { Suppression, SuppressionReason } from '../model/suppression.ts';
import type { Runner } from './connection.ts';
import type { Orm } from './database.ts';
import { suppressions } from './schema.ts';

/** An address that a mail server said does not exist. `address` as `addressKey` writes it. */
export type Bounce = { readonly tenantId: string; readonly address: string; readonly detail: string | null };

const columns = {
  address: suppressions.address,
  reason: suppressions.reason,
  detail: suppressions.detail,
  createdAt: suppressions.createdAt,
};

/** Suppresses an address; one that is suppressed already gets the new reason. */
export async function writeSuppression(
  orm: Orm,
  row: { tenantId: string; address: string; reason: SuppressionReason; detail: string | null },
): Promise<Suppression> {
  const { reason, detail } = row;
  const rows = await orm
    .insert(suppressions)
    .values(row)
    .onConflictDoUpdate({
      target: [suppressions.tenantId, suppressions.address],
      set: { reason, detail, createdAt: sql`clock_timestamp()` },
    })
    .returning(columns);
  return rows[0] as Suppression;
}

/** Suppressed addresses of a tenant by address, those after `after`. */
export async function listSuppressions(
  orm: Orm,
  filter: {
    tenantId: string;
    address: string | null;
    reason: SuppressionReason | null;
    after: string;
    limit: number;
  },
): Promise<Suppression[]> {
  const conditions: SQL[] = [eq(suppressions.tenantId, filter.tenantId), gt(suppressions.address, filter.after)];
  if (filter.address !== null) conditions.push(eq(suppressions.address, filter.address));
  if (filter.reason !== null) conditions.push(eq(suppressions.reason, filter.reason));
  return orm
    .select(columns)
    .from(suppressions)
    .where(and(...conditions))
    .orderBy(asc(suppressions.address))
    .limit(filter.limit);
}

/** Lets an address have mails again; false when it was not suppressed. */
export async function deleteSuppression(orm: Orm, key: { tenantId: string; address: string }): Promise<boolean> {
  const rows = await orm
    .delete(suppressions)
    .where(and(eq(suppressions.tenantId, key.tenantId), eq(suppressions.address, key.address)))
    .returning({ address: suppressions.address });
  return rows.length > 0;
}

/** Suppresses addresses that bounced; what stands already stays. */
export async function insertBounces(runner: Runner, bounces: readonly Bounce[]): Promise<void> {
  await runner.query(
    `insert into tocsin.suppressions (tenant_id, address, reason, detail)
     select distinct on (tenant_id, address) tenant_id, address, 'hard_bounce', detail
     from unnest($1::text[], $2::text[], $3::text[]) as row (tenant_id, address, detail)
     order by tenant_id, address
     on conflict (tenant_id, address) do nothing`,
    [bounces.map((row) => row.tenantId), bounces.map((row) => row.address), bounces.map((row) => row.detail)],
  );
}
