import type { Runner } from './connection.ts';
import type { ClaimedDelivery } from './pending-deliveries.ts';
import type { NewDelivery } from './write-plan.ts';

/**
 * Writes pending deliveries of executions that are new in this transaction, leased for their first attempts: the rows that
 * writing and claiming them come to. When the transaction is committed they are this process's to attempt.
 */
export async function leasePlannedDeliveries(
  runner: Runner,
  { rows, leaseMs }: { readonly rows: readonly NewDelivery[]; readonly leaseMs: number },
): Promise<ClaimedDelivery[]> {
  if (rows.length === 0) return [];
  const result = await runner.query<ClaimedDelivery>({
    name: 'tocsin_lease_planned_deliveries',
    text: `
      insert into tocsin.deliveries
        (id, tenant_id, execution_id, action_id, action_type, recipient_id, recipient, queue, status,
         attempts, due_at, lease_token)
      select id, "tenantId", "executionId", "actionId", "actionType", "recipientId", recipient::json, queue, 'pending',
        1, clock_timestamp() + $2 * interval '1 millisecond', gen_random_uuid()
      from json_to_recordset($1::json)
        as row (id uuid, "tenantId" text, "executionId" uuid, "actionId" text, "actionType" text, "recipientId" text,
          recipient text, queue text)
      returning id, tenant_id as "tenantId", execution_id as "executionId", action_id as "actionId",
        action_type as "actionType", recipient_id as "recipientId", recipient, attempts, attempts_base as "attemptsBase",
        lease_token as "leaseToken", false as "takenOver", false as "isOrdered",
        (extract(epoch from now()) * 1000)::float8 as "nowMs"`,
    values: [JSON.stringify(rows), leaseMs],
  });
  return result.rows;
}
