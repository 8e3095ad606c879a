import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { createListenedOrderTable, listenedChannel } from '../../src/cli/bench/listened-order-table.ts';
import { insertOrder } from '../../src/cli/bench/order-table.ts';
import type { ScratchDatabase } from '../../src/cli/bench/scratch-server.ts';
import { quantile } from '../../src/cli/bench/statistics.ts';
import { brokenInvariants } from '../../test/support/invariants.ts';
import {
  type Benchmark,
  type Figures,
  type PreparedBenchmark,
  type Round,
  type Scale,
  WrongAnswer,
} from '../benchmark.ts';
import type { BenchServer } from '../measure/server.ts';
import { BenchChild } from '../processes/child-process.ts';
import { publishOrderWorkflows } from '../workloads/order-events.ts';
import { createCapturedOrderTable } from '../workloads/order-table.ts';

/** Between two orders, so that none meets what the one before left to do. */
const pauseMs = { least: 2, most: 8 };

/** How long after an order is sent somebody knows of it, while nothing else happens. */
export const latencyBenchmark: Benchmark = {
  name: 'latency',
  about:
    'Idle system, one order at a time, every variant in turn: from sending the INSERT to the match stage having the event, and to its in-app notification being committed; against a raw LISTEN of a committed row (row trigger, the id in the NOTIFY). Writer, drain and listener are processes of their own.',
  prepare,
};

type Parties = {
  readonly copy: ScratchDatabase;
  readonly writer: pg.Client;
  readonly drain: BenchChild;
  readonly listener: BenchChild;
};

async function prepare(server: BenchServer, scaled: Scale): Promise<PreparedBenchmark> {
  const samplesPerRound = scaled(100);
  const copy = await server.createDatabase();
  await publishOrderWorkflows(copy.database, 'notification');
  await createCapturedOrderTable(copy.database, 'orders');
  await createListenedOrderTable(copy.database, 'listened_orders');
  const writer = new pg.Client({ connectionString: copy.url });
  await writer.connect();
  const drain = await BenchChild.start(new URL('../processes/drain-process.ts', import.meta.url), [copy.url, 'report']);
  const listener = await BenchChild.start(new URL('../processes/raw-listener.ts', import.meta.url), [
    copy.url,
    listenedChannel,
  ]);
  const parties: Parties = { copy, writer, drain, listener };
  await measureRound(parties, scaled(50));
  const heard = { variant: 'Tocsin: match stage has the event', peer: 'raw LISTEN' };
  const visible = { variant: 'Tocsin: notification committed', peer: 'raw LISTEN' };
  return {
    settings: { 'orders per round': samplesPerRound, 'pause ms': `${pauseMs.least}-${pauseMs.most}` },
    comparisons: [
      { claim: 'commit to match handler', ...heard, figure: 'p50 ms', target: { atMost: 1.5 } },
      { claim: 'commit to match handler', ...heard, figure: 'p99 ms', target: { atMost: 1.3 } },
      { claim: 'commit to notification', ...visible, figure: 'p50 ms', target: { atMost: 4 } },
      { claim: 'commit to notification', ...visible, figure: 'p99 ms', target: { atMost: 3 } },
    ],
    measureRound: () => measureRound(parties, samplesPerRound),
    close: async () => {
      await Promise.all([drain.stop(), listener.stop(), writer.end()]);
      await copy.drop();
    },
  };
}

async function measureRound(parties: Parties, samples: number): Promise<Round> {
  const ms = {
    acknowledged: [] as number[],
    listened: [] as number[],
    handled: [] as number[],
    committed: [] as number[],
  };
  for (let sample = 0; sample < samples; sample++) {
    const heard = await sendListenedOrder(parties);
    ms.listened.push(heard.listenedMs);
    ms.acknowledged.push(heard.acknowledgedMs);
    const captured = await sendCapturedOrder(parties);
    ms.handled.push(captured.handledMs);
    ms.committed.push(captured.committedMs);
  }
  await checkNotifications(parties.copy);
  return {
    'commit acknowledged': percentiles(ms.acknowledged),
    'raw LISTEN': percentiles(ms.listened),
    'Tocsin: match stage has the event': percentiles(ms.handled),
    'Tocsin: notification committed': percentiles(ms.committed),
  };
}

async function sendListenedOrder({
  writer,
  listener,
}: Parties): Promise<{ listenedMs: number; acknowledgedMs: number }> {
  const heard = listener.next('handled');
  const sentAtNs = process.hrtime.bigint();
  await writer.query({ ...insertOrder('listened_orders'), values: [1] });
  const acknowledgedMs = millisecondsSince(sentAtNs, process.hrtime.bigint());
  const { atNs } = await heard;
  await pause();
  return { acknowledgedMs, listenedMs: millisecondsSince(sentAtNs, BigInt(atNs)) };
}

async function sendCapturedOrder({ writer, drain }: Parties): Promise<{ handledMs: number; committedMs: number }> {
  const told = Promise.all([drain.next('handled'), drain.next('committed'), drain.next('asleep')]);
  const sentAtNs = process.hrtime.bigint();
  await writer.query({ ...insertOrder('orders'), values: [1] });
  const [handled, committed] = await told;
  await pause();
  return {
    handledMs: millisecondsSince(sentAtNs, BigInt(handled.atNs)),
    committedMs: millisecondsSince(sentAtNs, BigInt(committed.atNs)),
  };
}

function pause(): Promise<void> {
  return wait(pauseMs.least + Math.random() * (pauseMs.most - pauseMs.least));
}

function millisecondsSince(startNs: bigint, endNs: bigint): number {
  return Number(endNs - startNs) / 1e6;
}

function percentiles(ms: readonly number[]): Figures {
  return { 'p50 ms': quantile(ms, 0.5), 'p99 ms': quantile(ms, 0.99) };
}

/** Every captured order has one notification, and nothing else is wrong. */
async function checkNotifications({ database }: ScratchDatabase): Promise<void> {
  const { rows } = await database.pool.query<{ orders: number; told: number }>(
    `select (select count(*)::int from public.orders) as orders, (select count(*)::int from tocsin.notifications) as told`,
  );
  const { orders = 0, told = -1 } = rows[0] ?? {};
  const broken = await brokenInvariants(database);
  if (orders !== told) broken.push(`${orders} orders came to ${told} notifications`);
  if (broken.length > 0) throw new WrongAnswer(broken);
}
