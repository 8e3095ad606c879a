import pg from 'pg';
import { type Job, PgBoss } from 'pg-boss';
import {
  insertKeptRows,
  insertPlainRows,
  type OrderJob,
  readPlainWorkflows,
  runPlainJob,
  untilNone,
} from './plain-job.ts';

const queue = 'order';

/** Batches, fetched without a pause while they come full, by two workers: https://pgboss.io/api/workers. */
const work = { batchSize: 2_000, localConcurrency: 2, burstWhenBatchFull: true, pollingIntervalSeconds: 0.5 } as const;

/** How pg-boss is set, for the report. */
export const pgBossSettings =
  'batchSize 2000, localConcurrency 2, burstWhenBatchFull, one insert per batch, as pgboss.io/api/workers has them; with all rows in the transaction that completes the jobs (transactional)';

const insertAtOnce = 5_000;

/** Makes its schema and the queue. */
export async function installPgBoss(connectionString: string): Promise<void> {
  const boss = await start(connectionString);
  await boss.createQueue(queue);
  await stop(boss);
}

/** Adds a job per kept event, up to `count`. */
export async function fillPgBoss(connectionString: string, count: number): Promise<void> {
  const pool = new pg.Pool({ connectionString });
  const boss = await start(connectionString);
  for (let from = 0; from < count; from += insertAtOnce) {
    const { rows } = await pool.query<OrderJob>(
      `select id, 'acme' as "tenantId", payload
       from bench.order_events
       where position > $1 and position <= least($1 + $2, $3)
       order by position`,
      [from, insertAtOnce, count],
    );
    await boss.insert(
      queue,
      rows.map((data) => ({ data })),
    );
  }
  await stop(boss);
  await pool.query('vacuum analyze');
  await pool.end();
}

/**
 * Works off all jobs, doing what Tocsin does for the events, one statement per batch: `plain` an execution and an inbox row for
 * each, in a transaction of their own; `kept` all rows that Tocsin keeps, in the transaction that completes the jobs, so that
 * they are written once.
 *
 * @returns ms from the first fetch to the last job being recorded as done
 */
export async function runPgBoss(
  connectionString: string,
  { count, rows }: { count: number; rows: 'plain' | 'kept' },
): Promise<number> {
  const pool = new pg.Pool({ connectionString });
  const workflows = await readPlainWorkflows(pool);
  const boss = await start(connectionString);
  const allDone = Promise.withResolvers<void>();
  boss.on('error', allDone.reject);
  let left = count;
  const startedAt = performance.now();
  const planned = (jobs: readonly { data: OrderJob }[]) => jobs.flatMap(({ data }) => runPlainJob(workflows, data));
  const done = (jobs: readonly unknown[]) => {
    left -= jobs.length;
    if (left <= 0) allDone.resolve();
  };
  if (rows === 'kept') {
    const exactlyOnce = { ...work, transactional: true } as const;
    await boss.work(queue, exactlyOnce, async (jobs: Job<OrderJob>[], transaction) => {
      const { text, values } = insertKeptRows(planned(jobs));
      await transaction.executeSql(text, values);
      done(jobs);
    });
  } else {
    await boss.work<OrderJob>(queue, work, async (jobs) => {
      await pool.query(insertPlainRows(planned(jobs)));
      done(jobs);
    });
  }
  await allDone.promise;
  await untilNone(pool, `select 1 from pgboss.job where state < 'completed' limit 1`);
  const ms = performance.now() - startedAt;
  await stop(boss);
  await pool.end();
  return ms;
}

/** Without what it does beside: schedules, supervision, maintenance. */
async function start(connectionString: string): Promise<PgBoss> {
  const boss = new PgBoss({ connectionString, schedule: false, supervise: false });
  boss.on('error', () => undefined);
  return boss.start();
}

async function stop(boss: PgBoss): Promise<void> {
  await boss.stop({ graceful: true, close: true });
}
