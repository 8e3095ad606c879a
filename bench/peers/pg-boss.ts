import pg from 'pg';
import { type Job, PgBoss } from 'pg-boss';
import { type EventRange, type JobQueue, sizeOf } from './job-queue.ts';
import {
  insertKeptRows,
  insertPlainRows,
  type OrderJob,
  type PlainWorkflow,
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

/**
 * Opens it. It does what Tocsin does for the events, one statement per batch: `plain` an execution and an inbox row for each, in a
 * transaction of their own; `kept` all rows that Tocsin keeps, in the transaction that completes the jobs, so that they are written
 * once. Its time runs from the first fetch to the last job being recorded as done.
 */
export async function openPgBoss(connectionString: string, rows: 'plain' | 'kept'): Promise<JobQueue> {
  const pool = new pg.Pool({ connectionString, idleTimeoutMillis: 0 });
  const party = { pool, workflows: await readPlainWorkflows(pool), boss: await start(connectionString) };
  return {
    fill: (events) => insertJobs(party, events),
    run: (events) => workOff(party, { count: sizeOf(events), rows }),
    close: async () => {
      await stop(party.boss);
      await pool.end();
    },
  };
}

type Party = { readonly pool: pg.Pool; readonly boss: PgBoss; readonly workflows: readonly PlainWorkflow[] };

async function insertJobs({ pool, boss }: Party, { after, upTo }: EventRange): Promise<void> {
  for (let from = after; from < upTo; from += insertAtOnce) {
    const { rows } = await pool.query<OrderJob>(
      `select id, 'acme' as "tenantId", payload
       from bench.order_events
       where position > $1 and position <= least($1 + $2, $3)
       order by position`,
      [from, insertAtOnce, upTo],
    );
    await boss.insert(
      queue,
      rows.map((data) => ({ data })),
    );
  }
  await pool.query('vacuum analyze pgboss.job');
}

async function workOff(
  { pool, boss, workflows }: Party,
  { count, rows }: { count: number; rows: 'plain' | 'kept' },
): Promise<number> {
  const allDone = Promise.withResolvers<void>();
  boss.once('error', allDone.reject);
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
  boss.off('error', allDone.reject);
  await boss.offWork(queue);
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
