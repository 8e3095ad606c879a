import { sql } from 'drizzle-orm';
import type { Orm } from './database.ts';

/**
 * Cancels an execution that is not at its end, with every delivery of it that is still open. An attempt that is under way
 * cannot be called back; its result changes nothing any more. Deliveries are locked before the execution, as when attempts are
 * recorded, so that the two cannot deadlock.
 *
 * @returns how many deliveries were cancelled; null when the execution is at its end, or not there
 */
export async function cancelExecution(
  orm: Orm,
  execution: { readonly tenantId: string; readonly id: string },
): Promise<number | null> {
  const result = await orm.execute<{ cancelled: number }>(sql`
    with open as materialized (
      select id
      from tocsin.deliveries
      where execution_id = ${execution.id}
        and tenant_id = ${execution.tenantId}
        and status = 'pending'
      order by id
      for update
    ), cancelled as (
      update tocsin.executions
      set status = 'cancelled', reason = 'cancelled', deliveries_open = 0, lease_token = null, completed_at = now()
      where id = ${execution.id}
        and tenant_id = ${execution.tenantId}
        and status in ('pending', 'running')
        and (select count(*) from open) >= 0
      returning id
    ), closed as (
      update tocsin.deliveries
      set status = 'cancelled', reason = 'cancelled', lease_token = null, completed_at = now()
      where id in (select id from open)
        and exists (select from cancelled)
      returning id
    )
    select (select count(*)::int from closed) as cancelled
    from cancelled`);
  return result.rows[0]?.cancelled ?? null;
}
