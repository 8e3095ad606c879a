import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { tenantId as crowdedTenant, keepOrderEvents } from '../../src/cli/bench/order-workload.ts';
import type { ScratchDatabase } from '../../src/cli/bench/scratch-server.ts';
import { quantile } from '../../src/cli/bench/statistics.ts';
import { brokenInvariants } from '../../test/support/invariants.ts';
import { type Benchmark, type PreparedBenchmark, type Round, type Scale, WrongAnswer } from '../benchmark.ts';
import type { BenchServer } from '../measure/server.ts';
import { BenchChild } from '../processes/child-process.ts';
import type { WorkerTask } from '../processes/worker-tasks.ts';
import { publishActionWorkflow } from '../workloads/order-events.ts';
import { createCapturedOrderTable, insertOrderOf } from '../workloads/order-table.ts';

const backlogAtScale = 100_000;
const samplesAtScale = 300;
const warmUpSamples = 30;
/** Between two orders: a worker records what it did and, with nothing else to do, goes to sleep. */
const pauseMs = { least: 15, most: 25 };
const smallTenant = 'globex';
const alone = 'nothing else';
const beside = 'beside a backlog';

/** What the webhooks of one tenant's backlog do to another tenant's webhooks. */
export const fairnessWebhooksBenchmark: Benchmark = {
  name: 'fairness-webhooks',
  about:
    'One order of a small tenant at a time, by one whole worker: from sending the INSERT to its webhook coming in. While nothing else happens, and while 100,000 events of another tenant wait to be matched, each of which comes to a webhook too, to a receiver of its own. What of the backlog is left when all orders were sent is thrown away. Writer, worker and receivers are processes of their own.',
  prepare,
};

type Course = {
  readonly server: BenchServer;
  readonly template: ScratchDatabase;
  readonly backlogEvents: number;
  readonly samples: number;
  /** Of the small tenant: says when each webhook came. */
  readonly receiver: BenchChild;
  readonly worker: BenchChild;
};

async function prepare(server: BenchServer, scaled: Scale): Promise<PreparedBenchmark> {
  const [backlogEvents, samples] = [scaled(backlogAtScale), scaled(samplesAtScale)];
  const receiverFile = new URL('../processes/http-receiver.ts', import.meta.url);
  const [receiver, crowdReceiver, worker] = await Promise.all([
    BenchChild.start(receiverFile, ['tell']),
    BenchChild.start(receiverFile),
    BenchChild.start(new URL('../processes/worker-tasks.ts', import.meta.url)),
  ]);
  const template = await server.createDatabase();
  for (const [tenant, { port }] of [
    [crowdedTenant, crowdReceiver],
    [smallTenant, receiver],
  ] as const) {
    const action = { type: 'webhook', url: `http://127.0.0.1:${port}/hook`, payload: { order: '{{ payload.id }}' } };
    await publishActionWorkflow(template.database, action, tenant);
  }
  await keepOrderEvents(template.database, backlogEvents);
  await createCapturedOrderTable(template.database, 'orders');
  await template.close();
  const course: Course = { server, template, backlogEvents, samples, receiver, worker };
  const pair = { variant: beside, peer: alone };
  return {
    settings: {
      'backlog, events': backlogEvents,
      'orders per round, of each': samples,
      'pause ms': `${pauseMs.least}-${pauseMs.most}`,
    },
    comparisons: [
      { claim: 'commit to webhook', ...pair, figure: 'p99 ms', target: { atMost: 3 } },
      { claim: 'commit to webhook', ...pair, figure: 'p50 ms' },
    ],
    measureRound: () => measureRound(course),
    close: async () => {
      await Promise.all([receiver.stop(), crowdReceiver.stop(), worker.stop()]);
      await template.drop();
    },
  };
}

async function measureRound(course: Course): Promise<Round> {
  const { server, template, backlogEvents, samples, worker } = course;
  const copy = await server.createDatabase(template.name);
  const writer = new pg.Client({ connectionString: copy.url });
  await writer.connect();
  const stages = ['match', 'execute', 'deliver'] as const;
  await worker.run<WorkerTask>({ step: 'start', databaseUrl: copy.url, stages, concurrency: 50 });
  let isRunning = true;
  try {
    await sendOrders(course, writer, warmUpSamples);
    const quiet = await sendOrders(course, writer, samples);
    await addBacklog(copy, backlogEvents);
    const busy = await sendOrders(course, writer, samples);
    const left = await readLeft(copy);
    if (left === 0) throw new WrongAnswer(['the backlog was over before the orders were: nothing was measured']);
    await worker.run<WorkerTask>({ step: 'stop' });
    isRunning = false;
    const broken = await brokenInvariants(copy.database);
    if (broken.length > 0) throw new WrongAnswer(broken);
    return {
      [alone]: percentiles(quiet),
      [beside]: { ...percentiles(busy), 'of the backlog left, %': (100 * left) / backlogEvents },
    };
  } finally {
    if (isRunning) await worker.run<WorkerTask>({ step: 'stop' });
    await writer.end();
    await copy.drop();
  }
}

async function sendOrders({ receiver }: Course, writer: pg.Client, count: number): Promise<number[]> {
  const ms: number[] = [];
  while (ms.length < count) {
    const received = receiver.next('handled');
    const sentAtNs = process.hrtime.bigint();
    await writer.query({ ...insertOrderOf('orders'), values: [ms.length, smallTenant] });
    ms.push(Number(BigInt((await received).atNs) - sentAtNs) / 1e6);
    await wait(pauseMs.least + Math.random() * (pauseMs.most - pauseMs.least));
  }
  return ms;
}

async function addBacklog({ database }: ScratchDatabase, events: number): Promise<void> {
  await database.pool.query(
    `insert into tocsin.events (tenant_id, source, entity_type, entity_id, operation, payload)
     select $1, 'db', 'order', position::text, 'insert', payload
     from bench.order_events
     limit $2`,
    [crowdedTenant, events],
  );
}

/** What waits to be matched, or to be delivered. */
async function readLeft({ database }: ScratchDatabase): Promise<number> {
  const { rows } = await database.pool.query<{ left: number }>(
    `select ((select count(*) from tocsin.events where tenant_id = $1)
       + (select count(*) from tocsin.deliveries where tenant_id = $1 and status = 'pending'))::int as left`,
    [crowdedTenant],
  );
  return rows[0]?.left ?? 0;
}

function percentiles(ms: readonly number[]) {
  return { 'p50 ms': quantile(ms, 0.5), 'p99 ms': quantile(ms, 0.99) };
}
