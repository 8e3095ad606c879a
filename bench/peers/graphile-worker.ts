import { EventEmitter } from 'node:events';
import { Logger, run, runMigrations, type Task } from 'graphile-worker';
import pg from 'pg';
import { type EventRange, type JobQueue, sizeOf } from './job-queue.ts';
import { insertPlainRows, type OrderJob, readPlainWorkflows, runPlainJob, untilNone } from './plain-job.ts';

/** As its page on performance measures it: https://worker.graphile.org/docs/performance. The pool also serves the tasks. */
const worker = {
  concurrentJobs: 24,
  maxPoolSize: 50,
  localQueue: { size: 500 },
  completeJobBatchDelay: 0,
  failJobBatchDelay: 0,
};

/** How graphile-worker is set, for the report. */
export const graphileWorkerSettings =
  '24 jobs at once, local queue 500, completions batched (delay 0), pool 50, as worker.graphile.org/docs/performance says';

const silent = new Logger(() => () => undefined);

/** Makes its schema. */
export async function installGraphileWorker(connectionString: string): Promise<void> {
  await runMigrations({ connectionString, logger: silent });
}

/**
 * Opens it: `order` does what Tocsin does for the event in one statement, `empty` nothing. Its time runs from the first fetch to the
 * last job being recorded as done.
 */
export async function openGraphileWorker(connectionString: string, kind: 'order' | 'empty'): Promise<JobQueue> {
  const pool = new pg.Pool({ connectionString, max: worker.maxPoolSize, idleTimeoutMillis: 0 });
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  const workflows = await readPlainWorkflows(pool);
  const order: Task = async (job) => {
    await pool.query(insertPlainRows(runPlainJob(workflows, job as OrderJob)));
  };
  return {
    fill: (events) => addJobs(pool, events),
    run: (events) => workOff(pool, { count: sizeOf(events), task: kind === 'order' ? order : () => undefined }),
    close: () => pool.end(),
  };
}

async function addJobs(pool: pg.Pool, { after, upTo }: EventRange): Promise<void> {
  await pool.query(
    `select count(*)
     from graphile_worker.add_jobs(array(
       select row('order', json_build_object('id', id, 'tenantId', 'acme', 'payload', payload),
         null, null, null, null, null, null)::graphile_worker.job_spec
       from bench.order_events
       where position > $1
         and position <= $2
       order by position))`,
    [after, upTo],
  );
  await pool.query('vacuum analyze graphile_worker._private_jobs');
}

async function workOff(pool: pg.Pool, { count, task }: { count: number; task: Task }): Promise<number> {
  const allDone = Promise.withResolvers<void>();
  let left = count;
  const done = () => {
    left -= 1;
    if (left === 0) allDone.resolve();
  };
  const order: Task = async (job, jobHelpers) => {
    await task(job, jobHelpers);
    done();
  };
  const events = new EventEmitter();
  let startedAt = performance.now();
  events.once('localQueue:init', () => {
    startedAt = performance.now();
  });
  const runner = await run({
    pgPool: pool,
    events,
    logger: silent,
    noHandleSignals: true,
    crontab: '',
    taskList: { order },
    preset: { worker },
  });
  await Promise.race([allDone.promise, runner.promise]);
  await untilNone(pool, 'select 1 from graphile_worker._private_jobs limit 1');
  const ms = performance.now() - startedAt;
  await runner.stop();
  return ms;
}
