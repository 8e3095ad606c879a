import { sql } from 'drizzle-orm';
import type { Orm } from './database.ts';
import { wakeNext } from './ordered-lines.ts';

/**
 * Cancels an execution that is not at its end, with every delivery of it that is still open. An attempt that is under way
 * cannot be called back; its result changes nothing any more. What stood in line behind them
 * is woken. Call it in a read committed transaction.
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
      update tocsin.deliveries d
      set status = 'cancelled', reason = 'cancelled', lease_token = null, completed_at = now()
      from open
      where d.id = open.id
        and exists (select from cancelled)
      returning d.id
    )
    select (select count(*)::int from closed) as cancelled
    from cancelled`);
  const cancelled = result.rows[0]?.cancelled;
  if (cancelled === undefined) return null;
  const late = await cancelLateDeliveries(orm, execution);
  const [before = '', after = ''] = wakeNext('done.execution_id = $1').split('$1');
  await orm.execute(sql`${sql.raw(before)}${execution.id}::uuid${sql.raw(after)}`);
  return cancelled + late;
}

/**
 * A page that was planned while the cancellation waited for the execution is not in its snapshot. No later page comes: the
 * planner no longer holds the execution.
 */
async function cancelLateDeliveries(
  orm: Orm,
  execution: { readonly tenantId: string; readonly id: string },
): Promise<number> {
  const result = await orm.execute(sql`
    update tocsin.deliveries
    set status = 'cancelled', reason = 'cancelled', lease_token = null, completed_at = now()
    where execution_id = ${execution.id}
      and tenant_id = ${execution.tenantId}
      and status = 'pending'`);
  return result.rowCount ?? 0;
}
