import { and, eq, sql } from 'drizzle-orm';
import type { SenderSettings, TenantSender } from '../model/tenant-sender.ts';
import type { Orm } from './database.ts';
import { tenants } from './schema.ts';

const columns = {
  name: tenants.senderName,
  address: tenants.senderAddress,
  replyTo: tenants.senderReplyTo,
  domains: tenants.senderDomains,
};

/** A tenant's sender and the domains it may send from; null when the tenant has no settings. */
export async function readSender(orm: Orm, tenantId: string): Promise<SenderSettings | null> {
  const rows = await orm.select(columns).from(tenants).where(eq(tenants.tenantId, tenantId));
  return rows[0] ?? null;
}

/**
 * Writes a tenant's sender, unless `domain` is not one of those it may send from: then null, and nothing is written.
 *
 * @param change.domain of the address; null when there is none
 */
export async function writeSender(
  orm: Orm,
  tenantId: string,
  change: { sender: TenantSender; domain: string | null },
): Promise<SenderSettings | null> {
  const { sender, domain } = change;
  if (domain === null) {
    // Plain SQL, because drizzle would name every column, also those that only the operator may write.
    const result = await orm.execute<SenderSettings>(sql`
      insert into tocsin.tenants as t (tenant_id, sender_name, sender_address, sender_reply_to)
      values (${tenantId}, ${sender.name}, null, ${sender.replyTo})
      on conflict (tenant_id) do update
      set sender_name = excluded.sender_name,
        sender_address = excluded.sender_address,
        sender_reply_to = excluded.sender_reply_to,
        updated_at = now()
      returning t.sender_name as name, t.sender_address as address, t.sender_reply_to as "replyTo",
        t.sender_domains as domains`);
    return result.rows[0] as SenderSettings;
  }
  const rows = await orm
    .update(tenants)
    .set({
      senderName: sender.name,
      senderAddress: sender.address,
      senderReplyTo: sender.replyTo,
      updatedAt: sql`now()`,
    })
    .where(and(eq(tenants.tenantId, tenantId), sql`${domain} = any(${tenants.senderDomains})`))
    .returning(columns);
  return rows[0] ?? null;
}

/** Writes the domains a tenant may send from. */
export async function writeSenderDomains(
  orm: Orm,
  tenantId: string,
  senderDomains: readonly string[],
): Promise<SenderSettings> {
  const changed = { senderDomains: [...senderDomains], updatedAt: sql`now()` };
  const rows = await orm
    .insert(tenants)
    .values({ tenantId, ...changed })
    .onConflictDoUpdate({ target: tenants.tenantId, set: changed })
    .returning(columns);
  return rows[0] as SenderSettings;
}
