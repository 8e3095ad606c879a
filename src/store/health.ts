import { promptly, type Runner } from './connection.ts';

/** Where the work stands, over all tenants. */
export type Backlog = {
  /** Events waiting to be matched; counted up to 100,000. */
  readonly events: number;
  /** Age of the oldest of them that does not wait for its tenant's quota, seconds; 0 when none does. */
  readonly oldestEventSeconds: number;
  readonly executions: number;
  readonly deliveries: number;
  /** How long the delivery that is due the longest has been due, seconds. */
  readonly oldestDueSeconds: number;
  readonly deadDeliveries: number;
  readonly failedEvents: number;
  /** Endpoints that are paused or disabled. */
  readonly openEndpoints: number;
};

const countLimit = 100_000;

/** Tenants that have used up their quota of events in this minute or the last: `$1` is that of tenants without one of their own. */
const throttledLately = `
  select u.tenant_id
  from tocsin.tenant_usage u
  left join tocsin.tenants t on t.tenant_id = u.tenant_id
  where u.minute >= date_trunc('minute', now()) - interval '1 minute'
    and u.events >= coalesce(t.events_per_minute, $1::int)`;

/**
 * Counts what waits. Each count stops at 100,000, so that a big backlog is not made worse by looking at it. `eventsPerMinute` is the
 * quota of tenants that have none of their own.
 */
export async function readBacklog(runner: Runner, options: { eventsPerMinute?: number | null } = {}): Promise<Backlog> {
  const result = await runner.query<Backlog>(
    `select
       (select count(*)::int from (select 1 from tocsin.events limit ${countLimit}) e) as events,
       (select coalesce(extract(epoch from clock_timestamp() - min(occurred_at)), 0)::float8
        from (
          select occurred_at
          from tocsin.events
          where tenant_id <> all(array(${throttledLately}))
          order by position
          limit 1) e) as "oldestEventSeconds",
       (select count(*)::int from (select 1 from tocsin.executions where status = 'pending' limit ${countLimit}) e) as executions,
       (select count(*)::int from (select 1 from tocsin.deliveries where status = 'pending' limit ${countLimit}) d) as deliveries,
       (select greatest(coalesce(extract(epoch from clock_timestamp() - min(due_at)), 0), 0)::float8
        from (select due_at from tocsin.deliveries where status = 'pending' order by due_at limit 1) d) as "oldestDueSeconds",
       (select count(*)::int from (select 1 from tocsin.deliveries where status = 'dead' limit ${countLimit}) d) as "deadDeliveries",
       (select count(*)::int from (select 1 from tocsin.event_history where failure is not null limit ${countLimit}) h) as "failedEvents",
       (select count(*)::int from (select 1 from tocsin.endpoints where state <> 'closed' limit ${countLimit}) e) as "openEndpoints"`,
    [options.eventsPerMinute ?? null],
  );
  const row = result.rows[0];
  if (!row) throw new Error('counting the backlog answered no row');
  return row;
}

/** The difference between the database's clock and this machine's, ms; positive when the database is ahead. */
export async function readClockSkewMs(runner: Runner, nowMs: () => number): Promise<number> {
  const before = nowMs();
  const result = await runner.query<{ now: number }>(
    'select (extract(epoch from clock_timestamp()) * 1000)::float8 as now',
  );
  const after = nowMs();
  return Number(result.rows[0]?.now) - (before + after) / 2;
}

/** Says that a worker is alive; the first time also what it does. */
export async function heartbeat(
  runner: Runner,
  worker: {
    id: string;
    host: string;
    pid: number;
    version: string;
    stages: readonly string[];
    queues: readonly string[] | null;
  },
): Promise<void> {
  await runner.query({
    ...promptly,
    text: `
      insert into tocsin.workers (id, host, pid, version, stages, queues)
      values ($1, $2, $3, $4, $5, $6)
      on conflict (id) do update set seen_at = now()`,
    values: [worker.id, worker.host, worker.pid, worker.version, worker.stages, worker.queues],
  });
}

/** A worker that is on the list. */
export type ListedWorker = {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly stages: readonly string[];
  /** Since its last heartbeat. */
  readonly unseenMs: number;
  /** It began to work before the process that asks was started. */
  readonly isOlderThanProcess: boolean;
};

/** The workers on the list but `id`. `uptimeMs` is how long the process that asks has been running. */
export async function listOtherWorkers(
  runner: Runner,
  asks: { id: string; uptimeMs: number },
): Promise<ListedWorker[]> {
  const result = await runner.query<ListedWorker>(
    `select id, host, pid, stages, (extract(epoch from now() - seen_at) * 1000)::float8 as "unseenMs",
       started_at < now() - $2 * interval '1 millisecond' as "isOlderThanProcess"
     from tocsin.workers
     where id <> $1`,
    [asks.id, asks.uptimeMs],
  );
  return result.rows;
}

/** Takes workers off the list. */
export async function removeWorkers(runner: Runner, ids: readonly string[]): Promise<void> {
  await runner.query(
    `delete from tocsin.workers
     where id = any($1::uuid[])`,
    [ids],
  );
}

/** Takes a worker that stopped, and those not seen for a day, off the list. */
export async function removeWorker(runner: Runner, id: string): Promise<void> {
  await runner.query(
    `delete from tocsin.workers
     where id = $1
       or seen_at < now() - interval '1 day'`,
    [id],
  );
}

export type WorkerSeen = {
  readonly id: string;
  readonly host: string;
  readonly pid: number;
  readonly version: string;
  readonly stages: readonly string[];
  readonly queues: readonly string[] | null;
  readonly secondsAgo: number;
};

/** The workers that were seen in the last minute. */
export async function liveWorkers(runner: Runner): Promise<WorkerSeen[]> {
  const result = await runner.query<WorkerSeen>(
    `select id, host, pid, version, stages, queues, extract(epoch from now() - seen_at)::float8 as "secondsAgo"
     from tocsin.workers
     where seen_at > now() - interval '1 minute'
     order by started_at`,
  );
  return result.rows;
}
