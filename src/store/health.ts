import type { Runner } from './connection.ts';

/** Where the work stands, over all tenants. */
export type Backlog = {
  /** Events waiting to be matched; counted up to 100,000. */
  readonly events: number;
  /** Age of the oldest of them, seconds; 0 when none waits. */
  readonly oldestEventSeconds: number;
  readonly executions: number;
  readonly deliveries: number;
  /** How long the delivery that is due the longest has been due, seconds. */
  readonly oldestDueSeconds: number;
  readonly deadDeliveries: number;
  readonly failedEvents: number;
};

const countLimit = 100_000;

/** Counts what waits. Each count stops at 100,000, so that a big backlog is not made worse by looking at it. */
export async function readBacklog(runner: Runner): Promise<Backlog> {
  const result = await runner.query<Backlog>(
    `select
       (select count(*)::int from (select 1 from tocsin.events limit ${countLimit}) e) as events,
       (select coalesce(extract(epoch from clock_timestamp() - min(occurred_at)), 0)::float8
        from (select occurred_at from tocsin.events order by position limit 1) e) as "oldestEventSeconds",
       (select count(*)::int from (select 1 from tocsin.executions where status = 'pending' limit ${countLimit}) e) as executions,
       (select count(*)::int from (select 1 from tocsin.deliveries where status = 'pending' limit ${countLimit}) d) as deliveries,
       (select greatest(coalesce(extract(epoch from clock_timestamp() - min(due_at)), 0), 0)::float8
        from (select due_at from tocsin.deliveries where status = 'pending' order by due_at limit 1) d) as "oldestDueSeconds",
       (select count(*)::int from (select 1 from tocsin.deliveries where status = 'dead' limit ${countLimit}) d) as "deadDeliveries",
       (select count(*)::int from (select 1 from tocsin.event_history where failure is not null limit ${countLimit}) h) as "failedEvents"`,
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
  await runner.query(
    `insert into tocsin.workers (id, host, pid, version, stages, queues)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (id) do update set seen_at = now()`,
    [worker.id, worker.host, worker.pid, worker.version, worker.stages, worker.queues],
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
