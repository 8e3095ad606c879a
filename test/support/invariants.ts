import type { Database } from '../../src/store/database.ts';

/** A promise of the engine as a query for what breaks it. */
const invariants: Readonly<Record<string, string>> = {
  'every execution is of an event that was matched': `
    select x.id from tocsin.executions x
    left join tocsin.event_history h on h.id = x.event_id
    where h.id is null`,
  'an event is either waiting or matched': `
    select e.id from tocsin.events e join tocsin.event_history h on h.id = e.id`,
  'one event and one workflow version have one execution': `
    select event_id from tocsin.executions group by event_id, workflow_id, workflow_version having count(*) > 1`,
  'one execution, action and recipient have one delivery': `
    select execution_id from tocsin.deliveries group by execution_id, action_id, recipient_id having count(*) > 1`,
  'an inbox notification stands exactly when its delivery is delivered': `
    select coalesce(n.id, d.id) from tocsin.notifications n
    full join (select id from tocsin.deliveries where action_type = 'notification' and status = 'delivered') d on d.id = n.id
    where n.id is null or d.id is null`,
  'the counters of an execution say what its deliveries say': `
    select x.id from tocsin.executions x
    left join (
      select execution_id, count(*) filter (where status = 'pending') as open,
        count(*) filter (where status = 'delivered') as done, count(*) filter (where status = 'dead') as failed
      from tocsin.deliveries group by execution_id
    ) d on d.execution_id = x.id
    where x.status <> 'pending'
      and (x.deliveries_open, x.deliveries_done, x.deliveries_failed)
        <> (coalesce(d.open, 0), coalesce(d.done, 0), coalesce(d.failed, 0))`,
  'an execution runs exactly while a delivery of it is open': `
    select id from tocsin.executions
    where status not in ('pending', 'cancelled') and (status = 'running') <> (deliveries_open > 0)`,
  'what is dead, skipped or failed has a reason': `
    select id from tocsin.deliveries where status in ('dead', 'skipped') and reason is null
    union all
    select id from tocsin.executions where status = 'skipped' and reason is null`,
  'everything of a tenant points at things of the same tenant': `
    select d.id from tocsin.deliveries d join tocsin.executions x on x.id = d.execution_id where d.tenant_id <> x.tenant_id
    union all
    select x.id from tocsin.executions x join tocsin.event_history h on h.id = x.event_id where x.tenant_id <> h.tenant_id
    union all
    select x.id from tocsin.executions x join tocsin.workflows w on w.id = x.workflow_id where x.tenant_id <> w.tenant_id`,
};

/** Checks every promise that the tables can show; answers what is broken, with up to five ids each. */
export async function brokenInvariants(database: Database): Promise<string[]> {
  const broken: string[] = [];
  for (const [promise, query] of Object.entries(invariants)) {
    const { rows } = await database.pool.query(`select * from (${query}) as broken limit 5`);
    if (rows.length > 0) broken.push(`${promise}: ${JSON.stringify(rows)}`);
  }
  return broken;
}
