import { createListenedOrderTable, listenedChannel } from '../../src/cli/bench/listened-order-table.ts';
import { insertOrder } from '../../src/cli/bench/order-table.ts';
import { quantile } from '../../src/cli/bench/statistics.ts';
import {
  type Benchmark,
  type Figures,
  measureInTurn,
  type PreparedBenchmark,
  type Scale,
  WrongAnswer,
} from '../benchmark.ts';
import type { BenchServer } from '../measure/server.ts';
import { BenchChild } from '../processes/child-process.ts';
import { checkCapture, untilDrained } from '../workloads/check-capture.ts';
import { countWritten, publishOrderWorkflows } from '../workloads/order-events.ts';
import { createCapturedOrderTable } from '../workloads/order-table.ts';
import { Writers } from '../workloads/writers.ts';

const perSecond = 1_000;
const writerCount = 8;
/** Until the processes run the code that they will run for long. */
const roundsBefore = 4;

/** How long after an order is sent its notification stands, while a thousand a second are sent. */
export const latencyLoadBenchmark: Benchmark = {
  name: 'latency-load',
  about:
    '1,000 orders a second by 8 writers, each a transaction: from sending the INSERT to the match stage having the event, and to its in-app notification being committed; against a raw LISTEN of committed rows (row trigger, the id in the NOTIFY) at the same load. Writers, drain and listener are processes of their own.',
  prepare,
};

const [handled, visible] = ['Tocsin: match stage has the event', 'Tocsin: notification committed'];

async function prepare(server: BenchServer, scaled: Scale): Promise<PreparedBenchmark> {
  const forMs = scaled(2_000);
  const copy = await server.createDatabase();
  await publishOrderWorkflows(copy.database, 'notification');
  await createCapturedOrderTable(copy.database, 'orders');
  await createListenedOrderTable(copy.database, 'listened_orders');
  const writers = await Writers.open(copy.url, writerCount);
  const drain = await BenchChild.start(new URL('../processes/drain-process.ts', import.meta.url), [copy.url, 'keep']);
  const listenerFile = new URL('../processes/raw-listener.ts', import.meta.url);
  const listener = await BenchChild.start(listenerFile, [copy.url, listenedChannel, 'keep']);
  const measureRound = async () => {
    let [heard, matched, told]: (readonly number[])[] = [];
    await measureInTurn({
      'raw LISTEN': async () => {
        [heard] = await sendAndHear({ writers, child: listener, table: 'listened_orders', forMs });
        return {};
      },
      Tocsin: async () => {
        [matched, told] = await sendAndHear({ writers, child: drain, table: 'orders', forMs });
        await untilDrained(copy.database);
        return {};
      },
    });
    await checkCapture(copy.database, { table: 'orders', operation: 'insert' });
    await checkNotified(copy.database);
    return { 'raw LISTEN': percentiles(heard), [handled]: percentiles(matched), [visible]: percentiles(told) };
  };
  for (let round = 0; round < roundsBefore; round++) await measureRound();
  const pair = { variant: visible, peer: 'raw LISTEN' };
  return {
    settings: {
      'orders/s': perSecond,
      writers: writerCount,
      'seconds per round': forMs / 1000,
      'rounds before': roundsBefore,
    },
    comparisons: [
      { claim: 'to the match stage', variant: handled, peer: 'raw LISTEN', figure: 'p50 ms' },
      { claim: 'to the match stage', variant: handled, peer: 'raw LISTEN', figure: 'p99 ms' },
      { claim: 'to the notification', ...pair, figure: 'p50 ms', target: { atMost: 4 } },
      { claim: 'to the notification', ...pair, figure: 'p99 ms', target: { atMost: 3 } },
    ],
    measureRound,
    close: async () => {
      await Promise.all([writers.close(), drain.stop(), listener.stop()]);
      await copy.drop();
    },
  };
}

/** Writes at the pace, then asks the other process when it heard of each: ms since it was sent, for each kind of moment. */
async function sendAndHear(options: {
  writers: Writers;
  child: BenchChild;
  table: string;
  forMs: number;
}): Promise<readonly (readonly number[])[]> {
  const { writers, child, table, forMs } = options;
  const sentAtNs = new Map<string, bigint>();
  const heardMs: number[][] = [];
  await writers.pace(insertOrder(table), { perSecond, forMs, onWritten: (id, atNs) => sentAtNs.set(id, atNs) });
  const deadline = performance.now() + 10_000;
  let heard = 0;
  while (heard < sentAtNs.size) {
    if (performance.now() > deadline) throw new WrongAnswer([`${sentAtNs.size} orders, ${heard} heard of`]);
    for (const [id, ...moments] of await child.moments()) {
      const sentNs = sentAtNs.get(id);
      if (sentNs === undefined) continue;
      heard += 1;
      for (const [kind, atNs] of moments.entries()) {
        heardMs[kind] ??= [];
        heardMs[kind].push(Number(BigInt(atNs) - sentNs) / 1e6);
      }
    }
  }
  return heardMs;
}

function percentiles(ms: readonly number[] = []): Figures {
  return { 'p50 ms': quantile(ms, 0.5), 'p99 ms': quantile(ms, 0.99) };
}

async function checkNotified(database: Parameters<typeof countWritten>[0]): Promise<void> {
  const { executions, notifications } = await countWritten(database);
  if (executions !== notifications) {
    throw new WrongAnswer([`${executions} executions came to ${notifications} notifications`]);
  }
}
