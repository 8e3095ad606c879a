import type { Database } from '../../src/store/database.ts';
import type { Hit } from './hit.ts';
import type { WriterLedger } from './writer-ledger.ts';

/** What is known outside the tables, and what may be asked of them because of it. */
export type Outside = {
  /** What writers did; no other event has the tenants that it names. */
  readonly ledger?: WriterLedger;
  /** What the receivers of all mails and webhooks saw, from the first on. */
  readonly hits?: readonly Hit[];
  /** All faults are healed and all work was waited for: nothing may be open. */
  readonly isDrained?: boolean;
  /** The active workflows were published before the first event and have not changed since. */
  readonly isSteady?: boolean;
};

/** A lease may be over for this long before somebody takes its work over: workers poll, and are busy. */
const leaseGraceSeconds = 60;

/** A promise of the engine as a query for what breaks it. */
const alwaysTrue = {
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
  'every delivery is of an execution': `
    select d.id from tocsin.deliveries d
    left join tocsin.executions x on x.id = d.execution_id
    where x.id is null`,
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
  'nothing is leased long after its lease': `
    select id from tocsin.deliveries
    where status = 'pending' and lease_token is not null and due_at < now() - interval '${leaseGraceSeconds} seconds'
    union all
    select id from tocsin.executions
    where status = 'pending' and lease_token is not null and due_at < now() - interval '${leaseGraceSeconds} seconds'`,
  'everything of a tenant points at things of the same tenant': `
    select d.id from tocsin.deliveries d join tocsin.executions x on x.id = d.execution_id where d.tenant_id <> x.tenant_id
    union all
    select x.id from tocsin.executions x join tocsin.event_history h on h.id = x.event_id where x.tenant_id <> h.tenant_id
    union all
    select x.id from tocsin.executions x join tocsin.workflows w on w.id = x.workflow_id where x.tenant_id <> w.tenant_id`,
} as const;

const trueWhenDrained = {
  'nothing is open': `
    select id from tocsin.events
    union all
    select id from tocsin.executions where status in ('pending', 'running')
    union all
    select id from tocsin.deliveries where status = 'pending'`,
  'every attempt that was counted is on record': `
    select d.id, d.attempts, count(a.attempt)::int as recorded from tocsin.deliveries d
    left join tocsin.delivery_attempts a on a.delivery_id = d.id
    where d.status in ('delivered', 'dead')
    group by d.id, d.attempts
    having count(a.attempt) <> d.attempts`,
} as const;

const trueWhenSteady = {
  'every event has an execution of each published version that it fits': `
    select h.id, w.name from tocsin.event_history h
    join tocsin.workflows w on w.tenant_id = h.tenant_id and w.status = 'active' and w.deleted_at is null
    join tocsin.workflow_versions v on v.workflow_id = w.id and v.version = w.published_version
    cross join lateral jsonb_array_elements(v.definition -> 'triggers') t
    left join tocsin.executions x on x.event_id = h.id and x.workflow_id = w.id and x.workflow_version = v.version
    where h.failure is null
      and t ->> 'entityType' = h.entity_type and t ->> 'operation' = h.operation and t -> 'fields' is null
      and (v.definition -> 'settings' ->> 'logSkipped' = 'true' or jsonb_array_length(v.definition -> 'conditions') = 0)
      and x.id is null`,
} as const;

/** What the writers did, against the events. */
const trueOfTheLedger = {
  'a committed change is one event, a rolled-back one none': `
    select *, coalesce(events, 0) as events
    from changes
    full join (
      select tenant_id, entity_type, entity_id, operation, count(*)::int as events
      from (
        select tenant_id, entity_type, entity_id, operation from tocsin.events
        union all
        select tenant_id, entity_type, entity_id, operation from tocsin.event_history
      ) e
      where tenant_id in (select tenant_id from changes)
      group by 1, 2, 3, 4
    ) found using (tenant_id, entity_type, entity_id, operation)
    where coalesce(events, 0) not between coalesce(committed, 0) and coalesce(committed, 0) + coalesce(unknown, 0)`,
  'a domain event keeps the id that was answered': `
    select id from answered
    where not exists (select 1 from tocsin.events e where e.id = answered.id)
      and not exists (select 1 from tocsin.event_history h where h.id = answered.id)`,
} as const;

/** Reasons of attempts that may have reached the receiver without the worker knowing. */
const outcomesUnknown = "('lease_lost', 'timeout', 'outcome_unknown', 'worker_stopped', 'connection_failed')";

/** What receivers saw, against the deliveries. */
const trueOfTheHits = {
  'no hit without a delivery': `
    select hits.id from hits
    left join tocsin.deliveries d on d.id::text = hits.id and d.action_type = hits.action_type
    where d.id is null`,
  'what is delivered was taken by its receiver': `
    select d.id from tocsin.deliveries d
    where d.status = 'delivered' and d.action_type in ('webhook', 'email')
      and d.id::text not in (select id from hits where is_taken)`,
  'no delivery has two ids': `
    select subject, array_agg(distinct id) as ids from hits group by subject having count(distinct id) > 1`,
  'a receiver is called once per recorded attempt at most': `
    select seen.id, n as hits, count(a.attempt)::int as attempts
    from (select id, count(*)::int as n from hits group by id) seen
    left join tocsin.delivery_attempts a on a.delivery_id::text = seen.id
    group by seen.id, n
    having n > count(a.attempt)`,
  'what was taken repeats only where a crash, a timeout or a lost answer is on record': `
    select seen.id, n as taken, count(a.attempt)::int as unknown
    from (select id, count(*)::int as n from hits where is_taken group by id) seen
    left join tocsin.delivery_attempts a on a.delivery_id::text = seen.id and a.reason in ${outcomesUnknown}
    where n > 1
    group by seen.id, n
    having n > count(a.attempt) + 1`,
} as const;

/** Every promise that is checked, for the test that breaks each. */
export const promises: readonly string[] = [
  alwaysTrue,
  trueWhenDrained,
  trueWhenSteady,
  trueOfTheLedger,
  trueOfTheHits,
].flatMap((invariants) => Object.keys(invariants));

/**
 * Checks every promise that the tables can show and, with what is known outside, those that two sides show together. Answers
 * what is broken, with up to five examples each.
 */
export async function brokenInvariants(database: Database, outside: Outside = {}): Promise<string[]> {
  const { ledger, hits, isDrained = false, isSteady = false } = outside;
  const broken: string[] = [];
  const client = await database.pool.connect();
  const check = async (invariants: Readonly<Record<string, string>>, known = { as: '', values: [] as unknown[][] }) => {
    for (const [promise, query] of Object.entries(invariants)) {
      const { rows } = await client.query(`${known.as} select * from (${query}) as broken limit 5`, known.values);
      if (rows.length > 0) broken.push(`${promise}: ${JSON.stringify(rows)}`);
    }
  };
  try {
    await client.query('begin read only');
    // Tables that nobody has analyzed look small, and nested loops over them never end.
    await client.query('set local enable_nestloop = off');
    await check(alwaysTrue);
    if (isDrained) await check(trueWhenDrained);
    if (isSteady) await check(trueWhenSteady);
    if (ledger) await check(trueOfTheLedger, knownChanges(ledger));
    if (hits) await check(trueOfTheHits, knownHits(hits));
    await client.query('commit');
  } finally {
    client.release(true);
  }
  return broken;
}

function knownChanges({ entries, eventIds }: WriterLedger): { as: string; values: unknown[][] } {
  return {
    as: `
      with changes as (
        select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[], $6::int[])
          as change (tenant_id, entity_type, entity_id, operation, committed, unknown)
      ), answered as (
        select * from unnest($7::uuid[]) as answer (id)
      )`,
    values: [
      entries.map(({ tenantId }) => tenantId),
      entries.map(({ entityType }) => entityType),
      entries.map(({ entityId }) => entityId),
      entries.map(({ operation }) => operation),
      entries.map(({ committed }) => committed),
      entries.map(({ unknown }) => unknown),
      [...eventIds],
    ],
  };
}

function knownHits(hits: readonly Hit[]): { as: string; values: unknown[][] } {
  return {
    as: `
      with hits as (
        select * from unnest($1::text[], $2::text[], $3::text[], $4::boolean[])
          as hit (id, action_type, subject, is_taken)
      )`,
    values: [
      hits.map(({ id }) => id),
      hits.map(({ actionType }) => actionType),
      hits.map(({ subject }) => subject),
      hits.map(({ isTaken }) => isTaken),
    ],
  };
}
