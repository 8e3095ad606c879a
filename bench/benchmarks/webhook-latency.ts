import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { createListenedOrderTable, listenedChannel } from '../../src/cli/bench/listened-order-table.ts';
import { insertOrder } from '../../src/cli/bench/order-table.ts';
import type { ScratchDatabase } from '../../src/cli/bench/scratch-server.ts';
import { quantile } from '../../src/cli/bench/statistics.ts';
import { brokenInvariants } from '../../test/support/invariants.ts';
import { until } from '../../test/support/until.ts';
import { type Benchmark, type PreparedBenchmark, type Round, type Scale, WrongAnswer } from '../benchmark.ts';
import type { BenchServer } from '../measure/server.ts';
import { BenchChild } from '../processes/child-process.ts';
import type { WorkerTask } from '../processes/worker-tasks.ts';
import { publishActionWorkflow } from '../workloads/order-events.ts';
import { createCapturedOrderTable } from '../workloads/order-table.ts';

/** Between two orders: a worker records what it did and goes to sleep. */
const pauseMs = { least: 15, most: 25 };

/** How long after an order is sent its webhook comes in, while nothing else happens. */
export const webhookLatencyBenchmark: Benchmark = {
  name: 'webhook-latency',
  about:
    'Idle system, one order at a time, both variants in turn: from sending the INSERT to its webhook coming in, by a whole worker; against a raw LISTEN of a committed row that posts with undici. Connections stay open. Writer, worker, listener and receiver are processes of their own.',
  prepare,
};

type Parties = { readonly copy: ScratchDatabase; readonly writer: pg.Client; readonly receiver: BenchChild };

async function prepare(server: BenchServer, scaled: Scale): Promise<PreparedBenchmark> {
  const samples = scaled(60);
  const receiver = await BenchChild.start(new URL('../processes/http-receiver.ts', import.meta.url), ['tell']);
  const origin = `http://127.0.0.1:${receiver.port}`;
  const copy = await server.createDatabase();
  await publishActionWorkflow(copy.database, {
    type: 'webhook',
    url: `${origin}/hook`,
    payload: { order: '{{ payload.id }}' },
  });
  await createCapturedOrderTable(copy.database, 'orders');
  await createListenedOrderTable(copy.database, 'listened_orders');
  const writer = new pg.Client({ connectionString: copy.url });
  await writer.connect();
  const listenerFile = new URL('../processes/raw-listener.ts', import.meta.url);
  const listener = await BenchChild.start(listenerFile, [copy.url, listenedChannel, origin]);
  const worker = await BenchChild.start(new URL('../processes/worker-tasks.ts', import.meta.url));
  const stages = ['match', 'execute', 'deliver'] as const;
  await worker.run<WorkerTask>({ step: 'start', databaseUrl: copy.url, stages, concurrency: 50 });
  const parties: Parties = { copy, writer, receiver };
  await measureRound(parties, scaled(30));
  const pair = { variant: 'Tocsin', peer: 'raw LISTEN and POST' };
  return {
    settings: { 'orders per round': samples, 'pause ms': `${pauseMs.least}-${pauseMs.most}` },
    comparisons: [
      { claim: 'commit to webhook', ...pair, figure: 'p50 ms', target: { atMost: 1.5 } },
      { claim: 'commit to webhook', ...pair, figure: 'p99 ms' },
    ],
    measureRound: () => measureRound(parties, samples),
    close: async () => {
      await worker.run<WorkerTask>({ step: 'stop' });
      await Promise.all([worker.stop(), listener.stop(), receiver.stop(), writer.end()]);
      await copy.drop();
    },
  };
}

async function measureRound(parties: Parties, samples: number): Promise<Round> {
  const ms = { orders: [] as number[], listened_orders: [] as number[] };
  for (let sample = 0; sample < samples; sample++) {
    for (const table of ['orders', 'listened_orders'] as const) ms[table].push(await sendOrder(parties, table));
  }
  await checkDeliveries(parties.copy);
  const percentiles = (values: readonly number[]) => ({
    'p50 ms': quantile(values, 0.5),
    'p99 ms': quantile(values, 0.99),
  });
  return { Tocsin: percentiles(ms.orders), 'raw LISTEN and POST': percentiles(ms.listened_orders) };
}

async function sendOrder({ writer, receiver }: Parties, table: string): Promise<number> {
  const received = receiver.next('handled');
  const sentAtNs = process.hrtime.bigint();
  await writer.query({ ...insertOrder(table), values: [1] });
  const { atNs } = await received;
  await wait(pauseMs.least + Math.random() * (pauseMs.most - pauseMs.least));
  return Number(BigInt(atNs) - sentAtNs) / 1e6;
}

/** Every captured order has one webhook that was delivered, and nothing else is wrong. */
async function checkDeliveries({ database }: ScratchDatabase): Promise<void> {
  const read = async () => {
    const { rows } = await database.pool.query<{ orders: number; delivered: number }>(
      `select (select count(*)::int from public.orders) as orders,
         (select count(*)::int from tocsin.deliveries where status = 'delivered') as delivered`,
    );
    return rows[0] ?? { orders: 0, delivered: -1 };
  };
  await until('every order has a webhook that is recorded', async () => {
    const { orders, delivered } = await read();
    return orders === delivered;
  });
  const broken = await brokenInvariants(database, { isDrained: true });
  if (broken.length > 0) throw new WrongAnswer(broken);
}
