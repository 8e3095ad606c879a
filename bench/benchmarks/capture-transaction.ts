import { createOrderTable } from '../../src/cli/bench/order-table.ts';
import { type ScratchDatabase, usagePer } from '../../src/cli/bench/scratch-server.ts';
import { type Benchmark, type Figures, measureInTurn, type PreparedBenchmark, type Scale } from '../benchmark.ts';
import type { BenchServer } from '../measure/server.ts';
import { checkCapture } from '../workloads/check-capture.ts';
import { publishOrderWorkflows } from '../workloads/order-events.ts';
import { createCapturedOrderTable } from '../workloads/order-table.ts';
import { checkout, createShopTables } from '../workloads/shop-transaction.ts';
import { Writers } from '../workloads/writers.ts';

const writerCount = 8;

/** What capture takes of a transaction as an application makes it, of which one statement in seven is captured. */
export const captureTransactionBenchmark: Benchmark = {
  name: 'capture-transaction',
  about:
    "A host's checkout in one transaction of 7 statements (read the customer, take 3 products from stock, insert the order, insert its lines, add to the balance) by 8 writers as fast as they go: the table of orders captured, with no drain on this machine (and none asleep, so nobody is notified), against the same without a trigger.",
  prepare,
};

type Parties = {
  readonly server: BenchServer;
  readonly copy: ScratchDatabase;
  readonly writers: Writers;
  readonly forMs: number;
};

async function prepare(server: BenchServer, scaled: Scale): Promise<PreparedBenchmark> {
  const copy = await server.createDatabase();
  await publishOrderWorkflows(copy.database, 'notification');
  await createShopTables(copy.database);
  await createOrderTable(copy.database, 'plain_orders');
  await createCapturedOrderTable(copy.database, 'orders');
  const writers = await Writers.open(copy.url, writerCount);
  const parties: Parties = { server, copy, writers, forMs: scaled(1_500) };
  for (const table of ['plain_orders', 'orders'] as const) await measureCheckouts(parties, table);
  const pair = { variant: 'captured', peer: 'no trigger' };
  return {
    settings: { writers: writerCount, 'seconds per round': parties.forMs / 1000 },
    comparisons: [
      // 1.15 times the cost is 0.87 of the rate.
      { claim: 'throughput kept by a captured table', ...pair, figure: 'tx/s', target: { atLeast: 0.87 } },
      { claim: 'PostgreSQL CPU of the transaction', ...pair, figure: 'PostgreSQL us/tx' },
    ],
    measureRound: () =>
      measureInTurn({
        'no trigger': () => measureCheckouts(parties, 'plain_orders'),
        captured: () => measureCheckouts(parties, 'orders'),
      }),
    close: async () => {
      await writers.close();
      await copy.drop();
    },
  };
}

async function measureCheckouts(parties: Parties, table: 'plain_orders' | 'orders'): Promise<Figures> {
  const { server, copy, writers, forMs } = parties;
  const { usage, result: count } = await server.measureWith(() => writers.saturate(checkout(table), forMs));
  if (table === 'orders') await checkCapture(copy.database, { table, operation: 'insert' });
  await copy.database.pool.query(`truncate public.${table}, public.order_lines, tocsin.events`);
  await copy.database.pool.query('vacuum public.products, public.customers');
  return { 'tx/s': (count / usage.ms) * 1000, ...usagePer('tx', count, usage) };
}
