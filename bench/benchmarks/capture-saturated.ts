import { type Benchmark, type Figures, measureInTurn, type PreparedBenchmark } from '../benchmark.ts';
import { type BenchServer, type ScratchDatabase, usagePer } from '../measure/server.ts';
import { besideDrain } from '../processes/drain-beside.ts';
import { checkCapture } from '../workloads/check-capture.ts';
import { publishOrderWorkflows } from '../workloads/order-events.ts';
import { createCapturedOrderTable, createOrderTable, insertOrder } from '../workloads/order-table.ts';
import { Writers } from '../workloads/writers.ts';

const forMs = 2_000;
const writerCount = 8;

/** What capture takes of a host's write throughput when the database is full. */
export const captureSaturatedBenchmark: Benchmark = {
  name: 'capture-saturated',
  about:
    'Single-row INSERT transactions by 8 writers as fast as they go: no trigger; captured with no drain on this machine (and none asleep, so nobody is notified: what writers see while a drain elsewhere is busy); captured with a drain on this machine, which takes its share of the two cores. The writers are Node, whose CPU is the same in all three: the PostgreSQL CPU per transaction shows the trigger undiluted (beside a drain it includes the share of the drain, whose own Node is not counted).',
  prepare,
};

async function prepare(server: BenchServer): Promise<PreparedBenchmark> {
  const copy = await server.createDatabase();
  await publishOrderWorkflows(copy.database, 'notification');
  await createOrderTable(copy.database, 'plain_orders');
  await createCapturedOrderTable(copy.database, 'orders');
  const writers = await Writers.open(copy.url, writerCount);
  const parties = { server, copy, writers };
  for (const table of ['plain_orders', 'orders'] as const) await measureWriters(parties, { table, isDrained: false });
  const pair = { variant: 'captured, drain elsewhere', peer: 'no trigger' };
  return {
    settings: { writers: writerCount, 'seconds per round': forMs / 1000 },
    comparisons: [
      // 1.5 times the cost is two thirds of the rate.
      { claim: 'throughput kept by a captured table', ...pair, figure: 'tx/s', target: { atLeast: 0.667 } },
      { claim: 'PostgreSQL CPU of a captured insert', ...pair, figure: 'PostgreSQL us/tx' },
      {
        claim: 'throughput kept with a drain beside',
        variant: 'captured, drain beside',
        peer: 'no trigger',
        figure: 'tx/s',
      },
    ],
    measureRound: () =>
      measureInTurn({
        'no trigger': () => measureWriters(parties, { table: 'plain_orders', isDrained: false }),
        'captured, drain elsewhere': () => measureWriters(parties, { table: 'orders', isDrained: false }),
        'captured, drain beside': () => measureWriters(parties, { table: 'orders', isDrained: true }),
      }),
    close: async () => {
      await writers.close();
      await copy.drop();
    },
  };
}

type Parties = { readonly server: BenchServer; readonly copy: ScratchDatabase; readonly writers: Writers };

/** Measures the writers, checks that every captured row came to one event, and empties the tables for the next. */
async function measureWriters(
  parties: Parties,
  options: { table: 'plain_orders' | 'orders'; isDrained: boolean },
): Promise<Figures> {
  const { copy } = parties;
  const { table, isDrained } = options;
  const figures = await (isDrained ? besideDrain(copy, () => saturate(parties, table)) : saturate(parties, table));
  if (table === 'orders') await checkCapture(copy.database, { table, operation: 'insert' });
  await copy.database.pool.query(
    `truncate public.${table}, tocsin.events, tocsin.event_history, tocsin.executions, tocsin.deliveries, tocsin.notifications`,
  );
  return figures;
}

async function saturate({ server, writers }: Parties, table: string): Promise<Figures> {
  let count = 0;
  const usage = await server.measure(async () => {
    count = await writers.saturate(insertOrder(table), forMs);
  });
  return { 'tx/s': (count / usage.ms) * 1000, ...usagePer('tx', count, usage) };
}
