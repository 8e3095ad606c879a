import { eq, sql } from 'drizzle-orm';
import { type QuotaName, type Quotas, quotaColumns, quotaNames } from '../model/quota.ts';
import type { Runner } from './connection.ts';
import type { Orm } from './database.ts';
import { tenants } from './schema.ts';

const columns = quotaNames.map((name) => `${quotaColumns[name]} as "${name}"`).join(', ');

/**
 * Quotas of tenants that changed after version `since` of the definitions; with null all that there are. A tenant without any comes
 * with nulls only.
 */
export async function loadChangedQuotas(
  runner: Runner,
  since: number | null,
): Promise<{ tenantId: string; quotas: Quotas }[]> {
  const { rows } = await runner.query<Quotas & { tenantId: string }>(
    `select tenant_id as "tenantId", ${columns}
     from tocsin.tenants
     where changed_at_version > $1
       or $1 is null and num_nonnulls(${Object.values(quotaColumns).join(', ')}) > 0`,
    [since],
  );
  return rows.map(({ tenantId, ...quotas }) => ({ tenantId, quotas }));
}

const ownQuotas = {
  eventsPerMinute: tenants.eventsPerMinute,
  deliveriesPerMinute: tenants.deliveriesPerMinute,
  maxWorkflows: tenants.maxWorkflows,
  maxRecipients: tenants.maxRecipients,
  maxPayloadBytes: tenants.maxPayloadBytes,
};

/** A tenant's own quotas; null when it has no row. */
export async function readQuotas(orm: Orm, tenantId: string): Promise<Quotas | null> {
  const rows = await orm.select(ownQuotas).from(tenants).where(eq(tenants.tenantId, tenantId));
  return rows[0] ?? null;
}

/** Changes the quotas that are given. `version` is that of the definitions, bumped in the same transaction. */
export async function writeQuotas(
  orm: Orm,
  tenantId: string,
  change: { quotas: Partial<Record<QuotaName, number | null>>; version: number },
): Promise<void> {
  const set = { ...change.quotas, changedAtVersion: change.version };
  await orm
    .insert(tenants)
    .values({ tenantId, ...set })
    .onConflictDoUpdate({ target: tenants.tenantId, set: { ...set, updatedAt: sql`now()` } });
}
