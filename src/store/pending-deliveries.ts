import { promptly, type Runner } from './connection.ts';
import { nearPlaces, parkedSeconds } from './ordered-lines.ts';
import { dueInTurn, momentOf, type Turn, turnValues } from './tenants-in-line.ts';

/** A delivery leased to this worker for one attempt. */
export type ClaimedDelivery = {
  readonly id: string;
  readonly tenantId: string;
  readonly executionId: string;
  readonly actionId: string;
  readonly actionType: string;
  readonly recipientId: string;
  readonly recipient: unknown;
  /** All attempts so far, this one included. */
  readonly attempts: number;
  /** Attempts before the last redrive. */
  readonly attemptsBase: number;
  readonly leaseToken: string;
  /** The lease of another worker ran out before it recorded an outcome. */
  readonly takenOver: boolean;
  /** It has a place in a line (`ordered-lines.ts`). */
  readonly isOrdered: boolean;
  /** The database's clock, ms since 1970. */
  readonly nowMs: number;
};

/**
 * Of deliveries that go one after the other only the first that is open may go, and none while an execution of an earlier event
 * is still to be planned. Nothing else is asked of those that go in any order. (Compared with the delivery's own position, the
 * executions cannot be read all at once; asked for in their order, both are found by the one index that has it, whatever is known of
 * how many there are.)
 */
const isItsTurn = `(
  deliveries.ordering_key is null
  or (
    select true
    from tocsin.deliveries earlier
    where earlier.tenant_id = deliveries.tenant_id
      and earlier.ordering_key = deliveries.ordering_key
      and earlier.ordering_position < deliveries.ordering_position
      and earlier.status = 'pending'
    order by earlier.ordering_position
    limit 1
  ) is null
  and (
    select true
    from tocsin.executions earlier
    where earlier.tenant_id = deliveries.tenant_id
      and earlier.ordering_key = (select own.ordering_key from tocsin.executions own where own.id = deliveries.execution_id)
      and earlier.status = 'pending'
      and earlier.ordering_position < deliveries.ordering_position
    order by earlier.ordering_position
    limit 1
  ) is null
)`;

/** What a worker may claim, and for how long. */
export type DeliveryClaim = {
  readonly leaseMs: number;
  /** Action types this worker knows. */
  readonly actionTypes: readonly string[];
  /** Queues it serves; null: all. */
  readonly queues: readonly string[] | null;
  /** Passes by those that were due until then, microseconds since 1970 (see `LowWaterMark`); default: none. */
  readonly dueAfter?: bigint;
};

/** Which deliveries can be claimed; `$2` to `$4` are the worker's action types and queues, and where it begins. */
const claimable = `
  status = 'pending'
  and due_at > ${momentOf('$4')}
  and due_at <= now()
  and action_type = any($2::text[])
  and ($3::text[] is null or queue = any($3::text[]))
  and ${isItsTurn}`;

/**
 * SQL that leases what `due` locks. The attempt is counted now, so that a message which kills its worker runs out of attempts.
 * One whose worker ended before it could record its outcome is recorded as lost: the log then shows why it is made again.
 */
function lease(due: string): string {
  return `
    with due as (${due}
    ), leased as (
      update tocsin.deliveries d
      set lease_token = gen_random_uuid(),
        due_at = now() + $1 * interval '1 millisecond',
        attempts = attempts + 1
      from due
      where d.id = due.id
      returning d.id, tenant_id, execution_id, action_id, action_type, recipient_id, recipient, attempts, attempts_base,
        d.lease_token, due.taken_over, ordering_key is not null as is_ordered
    ), lost as (
      insert into tocsin.delivery_attempts (delivery_id, attempt, tenant_id, outcome, reason, started_at, duration_ms)
      select id, attempts - 1, tenant_id, 'retry', 'lease_lost', now(), 0
      from leased
      where taken_over
      on conflict (delivery_id, attempt) do nothing
    )
    select id, tenant_id as "tenantId", execution_id as "executionId", action_id as "actionId",
      action_type as "actionType", recipient_id as "recipientId", recipient, attempts, attempts_base as "attemptsBase",
      lease_token as "leaseToken", taken_over as "takenOver", is_ordered as "isOrdered",
      (extract(epoch from now()) * 1000)::float8 as "nowMs"
    from leased`;
}

/** Leases pending deliveries that are due, those first that became due first. */
export async function claimDeliveries(
  runner: Runner,
  options: DeliveryClaim & { limit: number },
): Promise<ClaimedDelivery[]> {
  const result = await runner.query<ClaimedDelivery>({
    ...promptly,
    name: 'tocsin_claim_deliveries',
    text: lease(`
      select id, lease_token is not null as taken_over
      from tocsin.deliveries
      where ${claimable}
      order by due_at
      limit $5
      for update skip locked`),
    values: [options.leaseMs, options.actionTypes, options.queues, options.dueAfter ?? 0n, options.limit],
  });
  return result.rows;
}

/** The same for some tenants in turn, so many of each. */
export async function claimDeliveriesInTurn(
  runner: Runner,
  options: DeliveryClaim & { turn: Turn },
): Promise<ClaimedDelivery[]> {
  const result = await runner.query<ClaimedDelivery>({
    ...promptly,
    name: 'tocsin_claim_deliveries_in_turn',
    text: lease(dueInTurn('deliveries', { claimable, first: 5 })),
    values: [options.leaseMs, options.actionTypes, options.queues, options.dueAfter ?? 0n, ...turnValues(options.turn)],
  });
  return result.rows;
}

/**
 * Puts off up to `limit` due deliveries whose turn it is not, and that were not put off when they were planned (`ordered-lines.ts`).
 * The next in line until the first one may be tried, or for a second while it is tried, a minute at most; the others as there.
 */
export async function parkBlockedDeliveries(
  runner: Runner,
  { dueAfter = 0n, limit }: { dueAfter?: bigint; limit: number },
): Promise<void> {
  const parked = await runner.query<{ id: string }>({
    ...promptly,
    name: 'tocsin_park_deliveries',
    text: `
      with blocked as materialized (
        select id, tenant_id, ordering_key, ordering_position
        from tocsin.deliveries
        where status = 'pending'
          and ordering_key is not null
          and due_at > ${momentOf('$2')}
          and due_at <= now()
          and not ${isItsTurn}
        order by due_at
        limit $1
        for update skip locked
      )
      update tocsin.deliveries d
      set due_at = now() + interval '1 second' * case
        when line.length > ${nearPlaces} and d.attempts = d.attempts_base then ${parkedSeconds.far}
        when line.length > 1 then ${parkedSeconds.near}
        when line.is_waiting then least(${parkedSeconds.near}, greatest(1, extract(epoch from line.due_at - now())))
        else 1 end
      from blocked
      cross join lateral (
        select count(*) as length, bool_and(earlier.lease_token is null) as is_waiting, min(earlier.due_at) as due_at
        from (
          select lease_token, due_at
          from tocsin.deliveries
          where tenant_id = blocked.tenant_id
            and ordering_key = blocked.ordering_key
            and ordering_position < blocked.ordering_position
            and status = 'pending'
          order by ordering_position
          limit ${nearPlaces + 1}
        ) earlier
      ) line
      where d.id = blocked.id
      returning d.id`,
    values: [limit, dueAfter],
  });
  if (parked.rows.length > 0)
    await wakeUnblocked(
      runner,
      parked.rows.map(({ id }) => id),
    );
}

/**
 * Makes those due again whose turn it is. What was put off by what the statement before saw may have been woken just then; whoever
 * closes the one before them from now on finds them put off, and wakes them.
 */
async function wakeUnblocked(runner: Runner, ids: readonly string[]): Promise<void> {
  await runner.query({
    ...promptly,
    name: 'tocsin_wake_unblocked',
    text: `
      update tocsin.deliveries
      set due_at = now()
      where id = any($1::uuid[])
        and status = 'pending'
        and lease_token is null
        and attempts = attempts_base
        and due_at > now()
        and ${isItsTurn}`,
    values: [ids],
  });
}

/** Prolongs leases of deliveries whose attempts still run. One that is locked is left alone: its outcome is being recorded. */
export async function renewDeliveryLeases(
  runner: Runner,
  options: { ids: readonly string[]; leaseTokens: readonly string[]; leaseMs: number },
): Promise<void> {
  await runner.query({
    ...promptly,
    text: `
      with free as materialized (
        select id
        from tocsin.deliveries
        where id = any($1::uuid[])
          and status = 'pending'
        order by id
        for update skip locked
      )
      update tocsin.deliveries d
      set due_at = now() + $3 * interval '1 millisecond'
      from free
      join unnest($1::uuid[], $2::uuid[]) as held (id, token) on held.id = free.id
      where d.id = free.id
        and d.lease_token = held.token`,
    values: [options.ids, options.leaseTokens, options.leaseMs],
  });
}

/** Lets deliveries wait whose attempts came to nothing yet: the attempt does not count and leaves no record. */
export async function postponeDeliveries(
  runner: Runner,
  postponed: readonly { deliveryId: string; leaseToken: string; reason: string | null; delayMs: number }[],
): Promise<void> {
  if (postponed.length === 0) return;
  await runner.query(
    `update tocsin.deliveries d
     set due_at = now() + held.delay_ms * interval '1 millisecond',
       reason = held.reason,
       lease_token = null,
       attempts = attempts - 1
     from unnest($1::uuid[], $2::uuid[], $3::text[], $4::float8[]) as held (id, token, reason, delay_ms)
     where d.id = held.id
       and d.lease_token = held.token
       and d.status = 'pending'`,
    [
      postponed.map((row) => row.deliveryId),
      postponed.map((row) => row.leaseToken),
      postponed.map((row) => row.reason),
      postponed.map((row) => row.delayMs),
    ],
  );
}

/** Puts deliveries that were taken over back, not started; whoever claims them next takes them over too. */
export async function putBackSuspects(
  runner: Runner,
  options: { ids: readonly string[]; leaseTokens: readonly string[]; delayMs: number },
): Promise<void> {
  if (options.ids.length === 0) return;
  await runner.query(
    `update tocsin.deliveries d
     set due_at = now() + $3 * interval '1 millisecond', attempts = attempts - 1
     from unnest($1::uuid[], $2::uuid[]) as held (id, token)
     where d.id = held.id
       and d.lease_token = held.token
       and d.status = 'pending'`,
    [options.ids, options.leaseTokens, options.delayMs],
  );
}

/** Gives back deliveries that were claimed and not started, as if they had not been claimed. */
export async function returnDeliveries(
  runner: Runner,
  options: { ids: readonly string[]; leaseTokens: readonly string[] },
): Promise<void> {
  if (options.ids.length === 0) return;
  await runner.query(
    `update tocsin.deliveries d
     set due_at = now(), lease_token = null, attempts = attempts - 1
     from unnest($1::uuid[], $2::uuid[]) as held (id, token)
     where d.id = held.id
       and d.lease_token = held.token
       and d.status = 'pending'`,
    [options.ids, options.leaseTokens],
  );
}
