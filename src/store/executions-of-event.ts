import type { Runner } from './connection.ts';

/**
 * How far an event is: null while it waits in the outbox, else the ids of its executions and how many are not at their end.
 * Executions share the time in the first 48 bits of the event's id, so their range of the primary key is read.
 */
export async function executionsOfEvent(
  runner: Runner,
  event: { tenantId: string; eventId: string },
): Promise<{ ids: readonly string[]; open: number } | null> {
  const result = await runner.query<{ ids: string[]; open: number; matched: boolean }>(
    `select
       exists (select from tocsin.event_history where id = $2) as matched,
       coalesce(array_agg(id order by id), '{}') as ids,
       count(*) filter (where status in ('pending', 'running'))::int as open
     from tocsin.executions
     where id >= (left($2::text, 13) || '-0000-0000-000000000000')::uuid
       and id <= (left($2::text, 13) || '-ffff-ffff-ffffffffffff')::uuid
       and event_id = $2::uuid
       and tenant_id = $1`,
    [event.tenantId, event.eventId],
  );
  const row = result.rows[0];
  return row?.matched ? { ids: row.ids, open: row.open } : null;
}
