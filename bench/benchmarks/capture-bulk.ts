import { type Benchmark, type Figures, measureInTurn, type PreparedBenchmark } from '../benchmark.ts';
import type { BenchServer, ScratchDatabase } from '../measure/server.ts';
import { checkCapture } from '../workloads/check-capture.ts';
import { publishOrderWorkflows } from '../workloads/order-events.ts';
import { createCapturedOrderTable, createOrderTable, insertOrders } from '../workloads/order-table.ts';

const rowCount = 10_000;

/** What capture adds to statements that write many rows. */
export const captureBulkBenchmark: Benchmark = {
  name: 'capture-bulk',
  about:
    'One statement that inserts 10,000 rows, one that updates them: table captured against the same table without a trigger. No drain runs.',
  prepare,
};

async function prepare(server: BenchServer): Promise<PreparedBenchmark> {
  const copy = await server.createDatabase();
  await publishOrderWorkflows(copy.database, 'notification');
  await createOrderTable(copy.database, 'plain_orders');
  await createCapturedOrderTable(copy.database, 'orders');
  for (const table of ['plain_orders', 'orders']) await writeBulk(server, copy, table);
  const pair = { variant: 'captured', peer: 'no trigger', target: { atMost: 2.5 } };
  return {
    settings: { rows: rowCount },
    comparisons: [
      { claim: 'insert of 10,000 rows', ...pair, figure: 'insert ms' },
      { claim: 'update of 10,000 rows', ...pair, figure: 'update ms' },
    ],
    measureRound: () =>
      measureInTurn({
        'no trigger': () => writeBulk(server, copy, 'plain_orders'),
        captured: () => writeBulk(server, copy, 'orders'),
      }),
    close: () => copy.drop(),
  };
}

async function writeBulk(server: BenchServer, { database }: ScratchDatabase, table: string): Promise<Figures> {
  const inserted = await server.measure(async () => {
    await database.pool.query(insertOrders(table, rowCount));
  });
  const updated = await server.measure(async () => {
    await database.pool.query(`update public.${table} set status = 'approved', total = total + 1`);
  });
  if (table === 'orders') {
    await checkCapture(database, { table, operation: 'insert' });
    await checkCapture(database, { table, operation: 'update' });
  }
  await database.pool.query(`truncate public.${table}, tocsin.events`);
  return {
    'insert ms': inserted.ms,
    'update ms': updated.ms,
    'insert WAL B/row': inserted.walBytes / rowCount,
    'update WAL B/row': updated.walBytes / rowCount,
  };
}
