import { type SQL, sql } from 'drizzle-orm';
import { wakeUpChannel } from '../model/wake-up.ts';
import type { Orm } from './database.ts';

/** What can be given up: a delivery whose attempts ran out, an execution that could not be decided, an event that could not be matched. */
export const deadLetterKinds = ['delivery', 'execution', 'event'] as const;
export type DeadLetterKind = (typeof deadLetterKinds)[number];

/** Which dead letters; null leaves a condition out. */
export type DeadLetterSelection = {
  /** Null: of all tenants. */
  readonly tenantId: string | null;
  readonly kind: DeadLetterKind | null;
  readonly workflowId: string | null;
  readonly reason: string | null;
  /** Given up at this moment or later. */
  readonly since: Date | null;
  /** Given up before this moment. */
  readonly before: Date | null;
  readonly ids: readonly string[] | null;
};

/** A dead letter as it is listed. */
export type DeadLetterRow = {
  readonly kind: DeadLetterKind;
  readonly id: string;
  readonly tenantId: string;
  readonly workflowId: string | null;
  readonly workflowName: string | null;
  readonly actionId: string | null;
  readonly actionType: string | null;
  readonly recipientId: string | null;
  readonly executionId: string | null;
  readonly eventId: string;
  readonly reason: string;
  readonly attempts: number;
  /** Milliseconds since 1970. */
  readonly atMs: number;
};

/** How much is put back at once, and when it is tried; null: now. */
export type Redrive = { readonly limit: number; readonly at: Date | null };

/** Reasons of executions that trying again cannot change. */
const finalReasons = sql`('event_expired', 'version_missing', 'cancelled')`;

/** Of each kind: where it is found (`x` is its row), what makes it dead, and where it keeps what all kinds have. */
const kinds: Record<
  DeadLetterKind,
  Readonly<Record<'from' | 'dead' | 'at' | 'reason' | 'workflowId' | 'columns', SQL>>
> = {
  delivery: {
    from: sql`tocsin.deliveries x join tocsin.executions e on e.id = x.execution_id`,
    dead: sql`x.status = 'dead' and e.status <> 'cancelled'`,
    at: sql`x.completed_at`,
    reason: sql`coalesce(x.reason, 'attempts_exhausted')`,
    workflowId: sql`e.workflow_id`,
    columns: sql`x.action_id, x.action_type, x.recipient_id, x.execution_id, e.event_id, x.attempts`,
  },
  execution: {
    from: sql`tocsin.executions x`,
    dead: sql`x.status in ('failed', 'partial') and x.reason is not null and x.reason not in ${finalReasons}`,
    at: sql`x.completed_at`,
    reason: sql`x.reason`,
    workflowId: sql`x.workflow_id`,
    columns: sql`null, null, null, x.id, x.event_id, x.attempts`,
  },
  event: {
    from: sql`tocsin.event_history x`,
    dead: sql`x.failure is not null`,
    at: sql`x.processed_at`,
    reason: sql`x.failure`,
    workflowId: sql`null::uuid`,
    columns: sql`null, null, null, null::uuid, x.id, x.attempts`,
  },
};

/** Dead letters by their ids, the newest first; at most `limit` of them, with ids before `beforeId`. */
export async function listDeadLetters(
  orm: Orm,
  selection: DeadLetterSelection,
  page: { beforeId: string | null; limit: number },
): Promise<DeadLetterRow[]> {
  const before = page.beforeId === null ? sql`` : sql`and x.id < ${page.beforeId}::uuid`;
  const ofKind = (kind: DeadLetterKind) => sql`(
    select ${kind}::text, x.id, x.tenant_id, ${kinds[kind].workflowId}, ${kinds[kind].reason}, ${kinds[kind].at},
      ${kinds[kind].columns}
    from ${kinds[kind].from}
    where ${isSelected(kind, selection)}
      ${before}
    order by x.id desc
    limit ${page.limit})`;
  const result = await orm.execute<DeadLetterRow>(sql`
    select letter.kind, letter.id, letter.tenant_id as "tenantId", letter.workflow_id as "workflowId",
      w.name as "workflowName", letter.action_id as "actionId", letter.action_type as "actionType",
      nullif(letter.recipient_id, '') as "recipientId", letter.execution_id as "executionId",
      letter.event_id as "eventId", letter.reason, letter.attempts, (extract(epoch from letter.at) * 1000)::float8 as "atMs"
    from (${sql.join(deadLetterKinds.map(ofKind), sql` union all `)})
      as letter (kind, id, tenant_id, workflow_id, reason, at, action_id, action_type, recipient_id, execution_id,
        event_id, attempts)
    left join tocsin.workflows w on w.id = letter.workflow_id
    order by letter.id desc
    limit ${page.limit}`);
  return result.rows;
}

/** The database's clock: letters given up after it are left to the next redrive, so that one which dies at once is not redriven for ever. */
export async function readNow(orm: Orm): Promise<Date> {
  const result = await orm.execute<{ nowMs: number }>(
    sql`select (extract(epoch from clock_timestamp()) * 1000)::float8 as "nowMs"`,
  );
  return new Date(Math.ceil((result.rows[0] as { nowMs: number }).nowMs));
}

/**
 * Makes up to `limit` dead deliveries pending again, with the attempts of their policy once more, and reopens their
 * executions. Deliveries are locked before executions and both in the order of their ids, as `recordAttempts` does.
 *
 * @returns their ids
 */
export async function redriveDeliveries(
  orm: Orm,
  selection: DeadLetterSelection,
  { limit, at }: Redrive,
): Promise<string[]> {
  const result = await orm.execute<{ id: string }>(sql`
    with picked as materialized (
      select x.id, x.execution_id
      from ${kinds.delivery.from}
      where ${isSelected('delivery', selection)}
        and ${hasEvent(sql`e.event_id`)}
      order by x.id
      limit ${limit}
      for update of x
    ), moved as (
      update tocsin.deliveries d
      set status = 'pending',
        due_at = ${dueAt(at)},
        attempts_base = d.attempts,
        lease_token = null,
        completed_at = null
      from picked
      where d.id = picked.id
      returning d.id, d.execution_id
    ), counts as (
      select execution_id, count(*)::int as reopened
      from moved
      group by execution_id
    ), locked as materialized (
      select e.id
      from tocsin.executions e
      -- No semi-join: as in recordAttempts, one that changes while it is waited for could be left out.
      where e.id = any(array(select execution_id from picked))
      order by e.id
      for update
    ), reopened as (
      update tocsin.executions e
      set deliveries_open = e.deliveries_open + counts.reopened,
        deliveries_failed = e.deliveries_failed - counts.reopened,
        status = case when e.status = 'pending' then e.status else 'running' end,
        completed_at = null
      from counts
      join locked on locked.id = counts.execution_id
      where e.id = locked.id
    )
    select id
    from moved`);
  return result.rows.map((row) => row.id);
}

/** Makes up to `limit` failed executions pending again: decided and planned anew, what was planned before stays. */
export async function redriveExecutions(
  orm: Orm,
  selection: DeadLetterSelection,
  { limit, at }: Redrive,
): Promise<string[]> {
  const result = await orm.execute<{ id: string }>(sql`
    with picked as materialized (
      select x.id
      from ${kinds.execution.from}
      where ${isSelected('execution', selection)}
        and ${hasEvent(sql`x.event_id`)}
      order by x.id
      limit ${limit}
      for update of x
    )
    update tocsin.executions e
    set status = 'pending',
      reason = null,
      attempts = 0,
      due_at = ${dueAt(at)},
      lease_token = null,
      completed_at = null
    from picked
    where e.id = picked.id
    returning e.id`);
  return result.rows.map((row) => row.id);
}

/** Moves up to `limit` failed events from the history back to the outbox, as if they had just been captured. */
export async function redriveEvents(
  orm: Orm,
  selection: DeadLetterSelection,
  { limit, at }: Redrive,
): Promise<string[]> {
  const columns = sql`
    id, tenant_id, source, entity_type, entity_id, operation, payload, previous, changed, actor, trace_context,
    causation, idempotency_key, occurred_at`;
  const result = await orm.execute<{ id: string }>(sql`
    with picked as materialized (
      select x.id
      from ${kinds.event.from}
      where ${isSelected('event', selection)}
      order by x.id
      limit ${limit}
      for update of x
    ), moved as (
      delete from tocsin.event_history
      where id in (select picked.id from picked)
      returning ${columns}
    ), woken as (
      select pg_notify(${wakeUpChannel}, '')
      from picked
      limit 1
    ), written as (
      insert into tocsin.events (${columns}, not_before)
      select ${columns}, ${at === null ? sql`null` : dueAt(at)}
      from moved
      returning id
    )
    select id
    from written
    left join woken on true`);
  return result.rows.map((row) => row.id);
}

/** Up to `limit` dead deliveries and executions whose event is no longer kept: nothing can be rendered for them. */
export async function listExpiredDeadLetters(
  orm: Orm,
  selection: DeadLetterSelection,
  limit: number,
): Promise<string[]> {
  const result = await orm.execute<{ id: string }>(sql`
    (select x.id
    from ${kinds.delivery.from}
    where ${isSelected('delivery', selection)}
      and not ${hasEvent(sql`e.event_id`)}
    limit ${limit})
    union all
    (select x.id
    from ${kinds.execution.from}
    where ${isSelected('execution', selection)}
      and not ${hasEvent(sql`x.event_id`)}
    limit ${limit})
    order by id
    limit ${limit}`);
  return result.rows.map((row) => row.id);
}

function dueAt(at: Date | null): SQL {
  return at === null ? sql`now()` : sql`greatest(now(), ${at.toISOString()}::timestamptz)`;
}

function hasEvent(eventId: SQL): SQL {
  return sql`exists (select from tocsin.event_history h where h.id = ${eventId})`;
}

function isSelected(kind: DeadLetterKind, selection: DeadLetterSelection): SQL {
  const { tenantId, workflowId, reason, since, before, ids } = selection;
  const { dead, at, reason: itsReason, workflowId: itsWorkflow } = kinds[kind];
  const conditions = [
    dead,
    selection.kind === null || selection.kind === kind ? null : sql`false`,
    tenantId === null ? null : sql`x.tenant_id = ${tenantId}`,
    workflowId === null ? null : sql`${itsWorkflow} = ${workflowId}::uuid`,
    reason === null ? null : sql`${itsReason} = ${reason}`,
    since === null ? null : sql`${at} >= ${since.toISOString()}::timestamptz`,
    before === null ? null : sql`${at} < ${before.toISOString()}::timestamptz`,
    ids === null ? null : sql`x.id = any(${sql.param(ids)}::uuid[])`,
  ].filter((condition) => condition !== null);
  return sql.join(conditions, sql` and `);
}
