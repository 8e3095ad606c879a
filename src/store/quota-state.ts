import { sql } from 'drizzle-orm';
import type { Orm } from './database.ts';

/** What a tenant uses of its quotas now. */
export type QuotaState = {
  /** In the minute under way; 0 for a tenant without such a quota, whose events and deliveries are not counted. */
  readonly events: number;
  readonly deliveries: number;
  /** Neither archived nor deleted. */
  readonly workflows: number;
  /** In the outbox, counted up to 10,000. */
  readonly waitingEvents: number;
  /** Due and not attempted, counted up to 10,000. */
  readonly waitingDeliveries: number;
  /** When the minute ends, by the database's clock, ms since 1970. */
  readonly minuteEndsAtMs: number;
};

const countLimit = 10_000;

/** Reads how a tenant stands. `windowMs` is the length of a minute. */
export async function readQuotaState(orm: Orm, tenantId: string, windowMs: number): Promise<QuotaState> {
  const result = await orm.execute<QuotaState>(sql`
    with present as (
      select floor(extract(epoch from clock_timestamp()) * 1000 / ${windowMs}::float8) * ${windowMs}::float8 as start
    )
    select coalesce(u.events, 0) as events, coalesce(u.deliveries, 0) as deliveries,
      (select count(*)::int from tocsin.workflows
       where tenant_id = ${tenantId} and deleted_at is null and status <> 'archived') as workflows,
      (select count(*)::int from (select from tocsin.events where tenant_id = ${tenantId} limit ${countLimit}) e) as "waitingEvents",
      (select count(*)::int from (select from tocsin.deliveries
        where tenant_id = ${tenantId} and status = 'pending' and due_at <= now() limit ${countLimit}) d) as "waitingDeliveries",
      (start + ${windowMs}::float8)::float8 as "minuteEndsAtMs"
    from present
    left join tocsin.tenant_usage u
      on u.tenant_id = ${tenantId}
      and u.minute = to_timestamp(present.start / 1000)`);
  return result.rows[0] as QuotaState;
}

/** Until the transaction ends nobody else changes how many workflows the tenant has, if all ask this first. */
export async function lockWorkflowCount(orm: Orm, tenantId: string): Promise<void> {
  const key = JSON.stringify(['tocsin.workflow_count', tenantId]);
  await orm.execute(sql`select pg_advisory_xact_lock(hashtextextended(${key}, 0))`);
}

/** How many workflows a tenant has that are neither archived nor deleted, and how many of them are active. */
export async function countWorkflows(orm: Orm, tenantId: string): Promise<{ kept: number; active: number }> {
  const result = await orm.execute<{ kept: number; active: number }>(sql`
    select count(*)::int as kept, (count(*) filter (where status = 'active'))::int as active
    from tocsin.workflows
    where tenant_id = ${tenantId}
      and deleted_at is null
      and status <> 'archived'`);
  return result.rows[0] as { kept: number; active: number };
}
