import pg from 'pg';
import {
  latencyComparisons,
  latencySettings,
  measureLatencies,
  type OrderSenders,
  wrongNotifications,
} from '../../src/cli/bench/latency-rounds.ts';
import { createListenedOrderTable, listenedChannel } from '../../src/cli/bench/listened-order-table.ts';
import { insertOrder } from '../../src/cli/bench/order-table.ts';
import { brokenInvariants } from '../../test/support/invariants.ts';
import { type Benchmark, type PreparedBenchmark, type Scale, WrongAnswer } from '../benchmark.ts';
import type { BenchServer } from '../measure/server.ts';
import { BenchChild } from '../processes/child-process.ts';
import { publishOrderWorkflows } from '../workloads/order-events.ts';
import { createCapturedOrderTable } from '../workloads/order-table.ts';

/** How long after an order is sent somebody knows of it, while nothing else happens. */
export const latencyBenchmark: Benchmark = {
  name: 'latency',
  about:
    'Idle system, one order at a time, every variant in turn: from sending the INSERT to the match stage having the event, and to its in-app notification being committed; against a raw LISTEN of a committed row (row trigger, the id in the NOTIFY). Writer, drain and listener are processes of their own.',
  prepare,
};

async function prepare(server: BenchServer, scaled: Scale): Promise<PreparedBenchmark> {
  const samplesPerRound = scaled(250);
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
  const senders = sendersOf({ writer, drain, listener });
  await measureLatencies(senders, scaled(250));
  return {
    settings: latencySettings(samplesPerRound),
    comparisons: latencyComparisons,
    measureRound: async () => {
      const round = await measureLatencies(senders, samplesPerRound);
      const wrong = [...(await brokenInvariants(copy.database)), ...(await wrongNotifications(copy))];
      if (wrong.length > 0) throw new WrongAnswer(wrong);
      return round;
    },
    close: async () => {
      await Promise.all([drain.stop(), listener.stop(), writer.end()]);
      await copy.drop();
    },
  };
}

function sendersOf({
  writer,
  drain,
  listener,
}: {
  writer: pg.Client;
  drain: BenchChild;
  listener: BenchChild;
}): OrderSenders {
  return {
    listened: async () => {
      const told = listener.next('handled');
      const sentAtNs = process.hrtime.bigint();
      await writer.query({ ...insertOrder('listened_orders'), values: [1] });
      const acknowledged = millisecondsSince(sentAtNs, process.hrtime.bigint());
      return { acknowledged, heard: millisecondsSince(sentAtNs, BigInt((await told).atNs)) };
    },
    captured: async () => {
      const told = Promise.all([drain.next('handled'), drain.next('committed'), drain.next('asleep')]);
      const sentAtNs = process.hrtime.bigint();
      await writer.query({ ...insertOrder('orders'), values: [1] });
      const [handled, committed] = await told;
      return {
        handled: millisecondsSince(sentAtNs, BigInt(handled.atNs)),
        committed: millisecondsSince(sentAtNs, BigInt(committed.atNs)),
      };
    },
  };
}

function millisecondsSince(startNs: bigint, endNs: bigint): number {
  return Number(endNs - startNs) / 1e6;
}
