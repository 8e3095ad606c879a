import { createOrderTable, insertOrder } from '../../src/cli/bench/order-table.ts';
import type { ScratchDatabase } from '../../src/cli/bench/scratch-server.ts';
import { quantile } from '../../src/cli/bench/statistics.ts';
import { type Benchmark, type Figures, measureInTurn, type PreparedBenchmark, type Scale } from '../benchmark.ts';
import type { BenchServer } from '../measure/server.ts';
import { besideDrain } from '../processes/drain-beside.ts';
import { checkCapture } from '../workloads/check-capture.ts';
import { publishOrderWorkflows } from '../workloads/order-events.ts';
import { createCapturedOrderTable } from '../workloads/order-table.ts';
import { Writers } from '../workloads/writers.ts';

const perSecond = 1_000;
const writerCount = 8;

/** What capture adds to the latency of a host's single-row transactions at a load the machine carries easily. */
export const capturePacedBenchmark: Benchmark = {
  name: 'capture-paced',
  about:
    'Latency of single-row INSERT transactions, 1,000 a second: no trigger; captured with no drain on this machine (and none asleep, so nobody is notified); captured with a drain on this machine, in a process of its own, that matches every event.',
  prepare,
};

async function prepare(server: BenchServer, scaled: Scale): Promise<PreparedBenchmark> {
  const forMs = scaled(2_000);
  const copy = await server.createDatabase();
  await publishOrderWorkflows(copy.database, 'notification');
  await createOrderTable(copy.database, 'plain_orders');
  await createCapturedOrderTable(copy.database, 'orders');
  const writers = await Writers.open(copy.url, writerCount);
  const pace = (table: 'plain_orders' | 'orders') => () => measurePaced({ server, writers }, { table, forMs });
  const paceBeside = () => besideDrain(copy, pace('orders'));
  for (const measure of [pace('plain_orders'), pace('orders'), paceBeside]) await emptied(copy, measure);
  const elsewhere = { variant: 'captured, drain elsewhere', peer: 'no trigger', target: { atMost: 1.1 } };
  const beside = { variant: 'captured, drain beside', peer: 'no trigger' };
  return {
    settings: { 'tx/s': perSecond, writers: writerCount, 'seconds per round': forMs / 1000 },
    comparisons: [
      { claim: 'latency of a captured insert', ...elsewhere, figure: 'p50 ms' },
      { claim: 'latency of a captured insert', ...elsewhere, figure: 'p99 ms' },
      { claim: 'the same with a drain beside', ...beside, figure: 'p50 ms' },
      { claim: 'the same with a drain beside', ...beside, figure: 'p99 ms' },
    ],
    measureRound: () =>
      measureInTurn({
        'no trigger': () => emptied(copy, pace('plain_orders')),
        'captured, drain elsewhere': () => emptied(copy, pace('orders')),
        'captured, drain beside': () => emptied(copy, paceBeside),
      }),
    close: async () => {
      await writers.close();
      await copy.drop();
    },
  };
}

async function measurePaced(
  { server, writers }: { server: BenchServer; writers: Writers },
  { table, forMs }: { table: string; forMs: number },
): Promise<Figures> {
  const { result: latencies } = await server.measureWith(() => writers.pace(insertOrder(table), { perSecond, forMs }));
  return { 'p50 ms': quantile(latencies, 0.5), 'p99 ms': quantile(latencies, 0.99) };
}

/** Measures, checks that every captured row came to one event, and empties the tables, so that no variant finds what another left. */
async function emptied(copy: ScratchDatabase, measure: () => Promise<Figures>): Promise<Figures> {
  const figures = await measure();
  await checkCapture(copy.database, { table: 'orders', operation: 'insert' });
  await copy.database.pool.query(
    `truncate public.plain_orders, public.orders, tocsin.events, tocsin.event_history, tocsin.executions, tocsin.deliveries,
       tocsin.notifications`,
  );
  return figures;
}
