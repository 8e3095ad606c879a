/**
 * Circuit breakers of endpoints. What is decided across processes is decided here, by the database's clock: when an
 * endpoint is paused, for how long, and which single delivery may try it again. An endpoint without a row is closed.
 */

import { sql } from 'drizzle-orm';
import type { EndpointPlace, EndpointPolicy, EndpointState } from '../model/endpoint.ts';
import type { Runner } from './connection.ts';
import type { Orm } from './database.ts';

/** The breaker of one endpoint. */
export type EndpointRow = {
  readonly origin: string;
  readonly state: EndpointState;
  readonly failures: number;
  /** While not closed: ms until one delivery may try it; 0 when it may now; null when it is disabled. */
  readonly retryInMs: number | null;
};

const shown = `origin, state, failures,
  case when retry_at is not null
    then greatest(extract(epoch from retry_at - clock_timestamp()) * 1000, 0)::float8 end as "retryInMs"`;

/** Failures this long after the last one do not belong to the same row of failures. */
const forgetAfter = "interval '1 hour'";

/** Most endpoints of a tenant that are looked at; of more, those that are not paused are called as usual. */
const mostEndpoints = 1_000;

/** What is known of a tenant's endpoints, the paused ones first; those that work have no row. */
export async function readEndpoints(runner: Runner, tenantId: string): Promise<EndpointRow[]> {
  const result = await runner.query<EndpointRow>({
    name: 'tocsin_read_endpoints',
    text: `
      select ${shown}
      from tocsin.endpoints
      where tenant_id = $1
      order by state = 'closed'
      limit $2`,
    values: [tenantId, mostEndpoints],
  });
  return result.rows;
}

/**
 * Takes the right to try a paused endpoint whose pause is over; of several that ask at once one gets it. Whoever has it for
 * longer than `leaseMs` has lost it to the next.
 */
export async function claimEndpointTrial(runner: Runner, place: EndpointPlace, leaseMs: number): Promise<boolean> {
  const result = await runner.query(
    `update tocsin.endpoints
     set state = 'half_open',
       retry_at = clock_timestamp() + $3 * interval '1 millisecond',
       updated_at = clock_timestamp()
     where tenant_id = $1
       and origin = $2
       and state in ('open', 'half_open')
       and retry_at <= clock_timestamp()
     returning origin`,
    [place.tenantId, place.origin, leaseMs],
  );
  return result.rows.length > 0;
}

/** Gives back a trial that told nothing: the next delivery may try. */
export async function returnEndpointTrial(runner: Runner, place: EndpointPlace): Promise<void> {
  await runner.query(
    `update tocsin.endpoints
     set state = 'open', retry_at = clock_timestamp(), updated_at = clock_timestamp()
     where tenant_id = $1
       and origin = $2
       and state = 'half_open'`,
    [place.tenantId, place.origin],
  );
}

/**
 * Counts a failure and pauses the endpoint if it is one too many, if the trial of a paused one failed, or if the other side
 * asked for a pause (Retry-After), which is kept to the millisecond. Requests that were under way when it was paused change
 * nothing, but for a longer wait that they were asked for.
 */
export async function recordEndpointFailure(
  runner: Runner,
  failure: EndpointPlace & {
    readonly reason: string;
    readonly isTrial: boolean;
    /** The pause that the other side asked for, ms. */
    readonly askedMs: number | null;
    readonly policy: EndpointPolicy;
  },
): Promise<EndpointRow | null> {
  const { tenantId, origin, reason, isTrial, askedMs, policy } = failure;
  const pause = (failures: string) =>
    `least($6, $5 * power(2, least(greatest(${failures} - $4, 0), 30))) * (1 - 0.2 * random())`;
  const until = (failures: string) => `clock_timestamp() + greatest($8::float8,
    case when $7 or ${failures} >= $4 then ${pause(failures)} else 0 end) * interval '1 millisecond'`;
  const result = await runner.query<EndpointRow>({
    name: 'tocsin_record_endpoint_failure',
    text: `
      insert into tocsin.endpoints as e
        (tenant_id, origin, state, failures, last_reason, opened_at, retry_at, updated_at)
      select $1, $2,
        case when opens then 'open' else 'closed' end, 1, $3,
        case when opens then clock_timestamp() end,
        case when opens then ${until('1')} end,
        clock_timestamp()
      from (select 1 >= $4::int or $8::float8 is not null as opens) as first
      on conflict (tenant_id, origin) do update
      set (state, failures, last_reason, opened_at, retry_at, updated_at) = (
        select
          case when opens then 'open' else e.state end,
          counted,
          excluded.last_reason,
          case when opens then coalesce(e.opened_at, clock_timestamp()) else e.opened_at end,
          case
            when opens then ${until('counted')}
            when e.state = 'open' and $8::float8 is not null
              then greatest(e.retry_at, clock_timestamp() + $8::float8 * interval '1 millisecond')
            else e.retry_at end,
          clock_timestamp()
        from (
          select case
            when e.state = 'closed' and e.updated_at < clock_timestamp() - ${forgetAfter} then 1
            when e.state = 'closed' or (e.state = 'half_open' and $7::boolean) then e.failures + 1
            else e.failures end as counted
        ) as c
        cross join lateral (
          select (e.state = 'closed' and (counted >= $4 or $8::float8 is not null))
            or (e.state = 'half_open' and $7) as opens
        ) as o
      )
      where e.retry_at is not null or e.state = 'closed'
      returning ${shown}`,
    values: [tenantId, origin, reason, policy.pauseAfterFailures, policy.pauseMs, policy.maxPauseMs, isTrial, askedMs],
  });
  return result.rows[0] ?? null;
}

/** Stops calling an endpoint until somebody resumes it. */
export async function disableEndpoint(runner: Runner, place: EndpointPlace & { reason: string }): Promise<void> {
  await runner.query(
    `insert into tocsin.endpoints as e (tenant_id, origin, state, failures, last_reason, opened_at, retry_at, updated_at)
     values ($1, $2, 'open', 1, $3, clock_timestamp(), null, clock_timestamp())
     on conflict (tenant_id, origin) do update
     set state = 'open',
       failures = e.failures + 1,
       last_reason = excluded.last_reason,
       opened_at = coalesce(e.opened_at, excluded.opened_at),
       retry_at = null,
       updated_at = excluded.updated_at`,
    [place.tenantId, place.origin, place.reason],
  );
}

/** Forgets endpoints that nothing was sent to for long: failures after a day, pauses after 30 days; not those that are gone. */
export async function forgetOldEndpoints(runner: Runner): Promise<void> {
  await runner.query(
    `delete from tocsin.endpoints
     where (state = 'closed' and updated_at < clock_timestamp() - interval '1 day')
       or greatest(updated_at, retry_at) < clock_timestamp() - interval '30 days' and retry_at is not null`,
  );
}

/** Forgets the failures of an endpoint that was not paused: it answered. */
export async function forgetEndpointFailures(runner: Runner, place: EndpointPlace): Promise<void> {
  await runner.query(
    `delete from tocsin.endpoints
     where tenant_id = $1
       and origin = $2
       and state = 'closed'`,
    [place.tenantId, place.origin],
  );
}

/** Ends the pause of an endpoint that answered its trial; false when it was decided otherwise meanwhile. */
export async function closeEndpoint(runner: Runner, place: EndpointPlace): Promise<boolean> {
  const result = await runner.query(
    `delete from tocsin.endpoints
     where tenant_id = $1
       and origin = $2
       and state = 'half_open'
     returning origin`,
    [place.tenantId, place.origin],
  );
  return result.rows.length > 0;
}

/**
 * Lets a tenant's deliveries that wait for endpoints go out, one after the other, `everyMs` apart and all within
 * `withinMs`; those of endpoints that are still paused go back to waiting when their turn comes.
 */
export async function wakeWaitingDeliveries(
  orm: Orm,
  options: { tenantId: string; reasons: readonly string[]; everyMs: number; withinMs: number },
): Promise<void> {
  const { tenantId, reasons, everyMs, withinMs } = options;
  await orm.execute(sql`
     with waiting as materialized (
       select id
       from tocsin.deliveries
       where tenant_id = ${tenantId}
         and status = 'pending'
         and lease_token is null
         and reason = any(${sql.param(reasons)}::text[])
         and due_at > now()
       order by id
       for update skip locked
     ), turns as (
       select id, row_number() over (order by id) as turn
       from waiting
     )
     update tocsin.deliveries d
     set due_at = least(d.due_at, now() + least(turn * ${everyMs}::int, ${withinMs}::int) * interval '1 millisecond')
     from turns
     where d.id = turns.id`);
}
