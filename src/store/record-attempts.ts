import { promptly, type Runner } from './connection.ts';
import { wakeNextInLine } from './ordered-lines.ts';
import type { Bounce } from './suppressions.ts';
import type { NewNotification } from './write-plan.ts';

/** The outcome of one attempt and what becomes of its delivery. */
export type AttemptRecord = {
  readonly deliveryId: string;
  readonly tenantId: string;
  readonly executionId: string;
  readonly actionType: string;
  readonly leaseToken: string;
  readonly attempt: number;
  readonly outcome: 'delivered' | 'retry' | 'failed' | 'skipped' | 'postponed';
  readonly reason: string | null;
  /** JSON text, secrets redacted. */
  readonly detail: string | null;
  /** The database's clock, ms since 1970. */
  readonly startedAtMs: number;
  readonly durationMs: number;
  readonly next: 'delivered' | 'pending' | 'dead' | 'skipped';
  /** For `pending`: the wait before the next attempt. */
  readonly delayMs: number;
  /** The inbox row that stands with the delivery, if it is one of the inbox (only redriven ones come this way). */
  readonly notification: NewNotification | null;
  /** Whether it has a place in a line (`ordered-lines.ts`). */
  readonly isOrdered: boolean;
  /** Addresses that the mail server said do not exist. */
  readonly bounces: readonly Bounce[];
};

/**
 * Records attempts, moves their deliveries on and counts them in their executions, in one statement. A lease that is no
 * longer ours keeps its delivery as the newer owner has it; that the attempt was made is recorded all the same.
 * Executions are locked in id order, so that two workers recording at once cannot deadlock; and by ids alone: where the rows to
 * lock come from a semi-join, PostgreSQL leaves out one that changed while it was waited for, under some plans, and the
 * delivery would not be counted. Run it with plans that are kept (`withFixedPlans`): others read all that is pending, for
 * each handful.
 * What stood in line behind a delivery that is closed is woken, by a second statement: where any is ordered call it in a
 * transaction, or a worker that ends between the two leaves the line asleep for a minute.
 */
export async function recordAttempts(runner: Runner, records: readonly AttemptRecord[]): Promise<void> {
  if (records.length === 0) return;
  const closed = await runner.query<{ id: string }>({
    ...promptly,
    name: 'tocsin_record_attempts',
    text: `
      with made as materialized (
        select *
        from unnest(
          $1::uuid[], $2::text[], $3::uuid[], $4::uuid[], $5::int[], $6::text[], $7::text[], $8::text[], $9::float8[],
          $10::int[], $11::text[], $12::float8[])
          as row (delivery_id, tenant_id, execution_id, token, attempt, outcome, reason, detail, started_at_ms,
            duration_ms, next, delay_ms)
        -- Always so. The planner takes it to leave one row: then it looks for each delivery by its id, and reads no whole table.
        where attempt between 0 and 32767
      ), recorded as (
        insert into tocsin.delivery_attempts
          (delivery_id, attempt, tenant_id, outcome, reason, detail, started_at, duration_ms)
        select delivery_id, attempt, tenant_id, outcome, reason, detail::json, to_timestamp(started_at_ms / 1000), duration_ms
        from made
        on conflict (delivery_id, attempt) do nothing
      ), moved as (
        update tocsin.deliveries d
        set status = made.next,
          reason = case when made.next = 'delivered' then null else made.reason end,
          due_at = now() + made.delay_ms * interval '1 millisecond',
          lease_token = null,
          completed_at = case when made.next <> 'pending' then now() end
        from made
        where d.id = made.delivery_id
          and d.lease_token = made.token
          -- So written no index of what is pending is of use: each is found by its id, however many wait.
          and d.status is not distinct from 'pending'
        returning d.id, d.execution_id, d.status, d.ordering_key
      ), locked as materialized (
        select e.id
        from tocsin.executions e
        where e.id = any($13::uuid[])
        order by e.id
        for update
      ), counts as materialized (
        -- A join with what is locked, by grouping: where nothing may be hashed or merged, a join compares each with each.
        select execution_id, sum(closed) as closed, sum(done) as done, sum(failed) as failed
        from (
          select execution_id,
            (status <> 'pending')::int as closed,
            (status = 'delivered')::int as done,
            (status = 'dead')::int as failed,
            false as is_locked
          from moved
          union all
          select id, 0, 0, 0, true
          from locked
        ) as either
        group by execution_id
        having bool_or(is_locked) and sum(closed) > 0
      ), counted as (
        update tocsin.executions e
        set deliveries_open = e.deliveries_open - counts.closed,
          deliveries_done = e.deliveries_done + counts.done,
          deliveries_failed = e.deliveries_failed + counts.failed,
          status = case
            when e.status <> 'running' or e.deliveries_open - counts.closed > 0 then e.status
            when e.deliveries_failed + counts.failed > 0 or e.reason is not null
              then case when e.deliveries_done + counts.done = 0 then 'failed' else 'partial' end
            when e.deliveries_done + counts.done = 0 then 'skipped'
            else 'success' end,
          -- Whoever was still to be told had opted out, or is suppressed.
          reason = case
            when e.status = 'running'
              and e.deliveries_open - counts.closed <= 0
              and e.deliveries_done + counts.done + e.deliveries_failed + counts.failed = 0
              then coalesce(e.reason, 'resolved_to_nobody')
            else e.reason end,
          completed_at = case when e.deliveries_open - counts.closed <= 0 then now() end
        from counts
        where e.id = counts.execution_id
      )
      select id
      from moved
      where status <> 'pending'
        and ordering_key is not null`,
    values: [
      records.map((row) => row.deliveryId),
      records.map((row) => row.tenantId),
      records.map((row) => row.executionId),
      records.map((row) => row.leaseToken),
      records.map((row) => row.attempt),
      records.map((row) => row.outcome),
      records.map((row) => row.reason),
      records.map((row) => row.detail),
      records.map((row) => row.startedAtMs),
      records.map((row) => row.durationMs),
      records.map((row) => row.next),
      records.map((row) => row.delayMs),
      records.filter(({ next }) => next !== 'pending').map((row) => row.executionId),
    ],
  });
  await wakeNextInLine(
    runner,
    closed.rows.map(({ id }) => id),
  );
}

/**
 * Writes inbox rows of deliveries that stand as delivered; call it in the transaction that recorded them. One that stands
 * already stays.
 */
export async function insertRecordedNotifications(runner: Runner, rows: readonly NewNotification[]): Promise<void> {
  await runner.query(
    `insert into tocsin.notifications (id, tenant_id, user_id, execution_id, title, message, priority, link)
     select row.id, row.tenant_id, user_id, row.execution_id, title, message, priority, link
     from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[])
       as row (id, tenant_id, user_id, execution_id, title, message, priority, link)
     join tocsin.deliveries d on d.id = row.id and d.status = 'delivered'
     on conflict (id) do nothing`,
    [
      rows.map((row) => row.id),
      rows.map((row) => row.tenantId),
      rows.map((row) => row.userId),
      rows.map((row) => row.executionId),
      rows.map((row) => row.title),
      rows.map((row) => row.message),
      rows.map((row) => row.priority),
      rows.map((row) => row.link),
    ],
  );
}
