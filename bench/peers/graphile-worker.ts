import { EventEmitter } from 'node:events';
import { Logger, run, runMigrations, type Task } from 'graphile-worker';
import pg from 'pg';
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

/** Adds a job per kept event, up to `count`. */
export async function fillGraphileWorker(connectionString: string, count: number): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  await client.query(
    `select count(*)
     from graphile_worker.add_jobs(array(
       select row('order', json_build_object('id', id, 'tenantId', 'acme', 'payload', payload),
         null, null, null, null, null, null)::graphile_worker.job_spec
       from bench.order_events
       where position <= $1
       order by position))`,
    [count],
  );
  await client.query('vacuum analyze graphile_worker._private_jobs');
  await client.end();
}

/**
 * Works off all jobs: `order` does what Tocsin does for the event in one statement, `empty` nothing.
 *
 * @returns ms from the first fetch to the last job being recorded as done
 */
export async function runGraphileWorker(
  connectionString: string,
  options: { count: number; task: 'order' | 'empty' },
): Promise<number> {
  const pool = new pg.Pool({ connectionString, max: worker.maxPoolSize });
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  const workflows = await readPlainWorkflows(pool);
  const allDone = Promise.withResolvers<void>();
  let left = options.count;
  const done = () => {
    left -= 1;
    if (left === 0) allDone.resolve();
  };
  const order: Task = async (job) => {
    await pool.query(insertPlainRows(runPlainJob(workflows, job as OrderJob)));
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
    taskList: { order: options.task === 'order' ? order : done },
    preset: { worker },
  });
  await Promise.race([allDone.promise, runner.promise]);
  await untilNone(pool, 'select 1 from graphile_worker._private_jobs limit 1');
  const ms = performance.now() - startedAt;
  await runner.stop();
  await pool.end();
  return ms;
}
