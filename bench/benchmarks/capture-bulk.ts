import { installCapture } from '../../src/capture/install-capture.ts';
import { createOrderTable } from '../../src/cli/bench/order-table.ts';
import type { ScratchDatabase } from '../../src/cli/bench/scratch-server.ts';
import { unwrap } from '../../src/model/result.ts';
import type { Database } from '../../src/store/database.ts';
import {
  type Benchmark,
  type Figures,
  measureInTurn,
  type PreparedBenchmark,
  type Scale,
  WrongAnswer,
} from '../benchmark.ts';
import type { BenchServer } from '../measure/server.ts';
import { checkCapture } from '../workloads/check-capture.ts';
import { publishOrderWorkflows } from '../workloads/order-events.ts';
import { createCapturedOrderTable, insertOrders } from '../workloads/order-table.ts';
import {
  createImageTriggerOrderTable,
  createRowOutbox,
  createRowTriggerOrderTable,
} from '../workloads/row-trigger-order-table.ts';

/** What capture adds to statements that write many rows. */
export const captureBulkBenchmark: Benchmark = {
  name: 'capture-bulk',
  about:
    'One statement that inserts many rows, one that updates them: table captured against the same table without a trigger, with a row trigger that writes the same to an outbox (images, columns that changed, what the session says), with one that writes the images alone, and captured only when subscribed while nobody is. No drain runs.',
  prepare,
};

const tables = {
  'no trigger': 'plain_orders',
  captured: 'orders',
  'row trigger': 'row_orders',
  'row trigger, images alone': 'image_orders',
  'captured, nobody subscribed': 'unheard_orders',
} as const;
type Table = (typeof tables)[keyof typeof tables];

/** At the usual scale 10,000 rows: with fewer, what a statement costs by itself would count. */
async function prepare(server: BenchServer, scaled: Scale): Promise<PreparedBenchmark> {
  const rowCount = scaled(25_000);
  const copy = await server.createDatabase();
  await publishOrderWorkflows(copy.database, 'notification');
  await createOrderTable(copy.database, 'plain_orders');
  await createCapturedOrderTable(copy.database, 'orders');
  await createRowOutbox(copy.database);
  await createRowTriggerOrderTable(copy.database, 'row_orders');
  await createImageTriggerOrderTable(copy.database, 'image_orders');
  await createUnheardOrderTable(copy);
  const write = (table: Table) => () => writeBulk(server, copy, { table, rowCount });
  for (const table of Object.values(tables)) await write(table)();
  const pair = { variant: 'captured', peer: 'no trigger', target: { atMost: 2.5 } };
  const better = { variant: 'row trigger', peer: 'captured', target: { atLeast: 1.5 } };
  const images = { variant: 'row trigger, images alone', peer: 'captured' };
  const unheard = { variant: 'captured, nobody subscribed', peer: 'no trigger', target: { atMost: 1.05 } };
  return {
    settings: { rows: rowCount },
    comparisons: [
      { claim: `insert of ${rowCount} rows`, ...pair, figure: 'insert ms' },
      { claim: `update of ${rowCount} rows`, ...pair, figure: 'update ms' },
      { claim: 'a row trigger takes longer, insert', ...better, figure: 'insert ms' },
      { claim: 'a row trigger takes longer, update', ...better, figure: 'update ms' },
      { claim: 'one that writes the images alone, insert', ...images, figure: 'insert ms' },
      { claim: 'one that writes the images alone, update', ...images, figure: 'update ms' },
      { claim: 'insert that nobody subscribed to', ...unheard, figure: 'insert ms' },
      { claim: 'update that nobody subscribed to', ...unheard, figure: 'update ms' },
    ],
    measureRound: () =>
      measureInTurn(Object.fromEntries(Object.entries(tables).map(([variant, table]) => [variant, write(table)]))),
    close: () => copy.drop(),
  };
}

/** A captured table whose entity type no workflow listens to, and which is captured only when one does. */
async function createUnheardOrderTable({ database }: ScratchDatabase): Promise<void> {
  await createOrderTable(database, 'unheard_orders');
  const capture = { table: 'public.unheard_orders', entityType: 'unheard_order', tenantColumn: 'tenant_id' };
  unwrap(await installCapture(database, { ...capture, onlyWhenSubscribed: true }));
}

async function writeBulk(
  server: BenchServer,
  { database }: ScratchDatabase,
  { table, rowCount }: { table: Table; rowCount: number },
): Promise<Figures> {
  const inserted = await server.measure(() => database.pool.query(insertOrders(table, rowCount)));
  const updated = await server.measure(() =>
    database.pool.query(`update public.${table} set status = 'approved', total = total + 1`),
  );
  if (table === 'orders') {
    await checkCapture(database, { table, operation: 'insert' });
    await checkCapture(database, { table, operation: 'update' });
  }
  await checkCounts(database, table, rowCount);
  await database.pool.query(`truncate public.${table}, tocsin.events, public.row_outbox`);
  return {
    'insert ms': inserted.ms,
    'update ms': updated.ms,
    ...(inserted.serverMs === null ? {} : { 'insert PostgreSQL us/row': (inserted.serverMs * 1000) / rowCount }),
    ...(updated.serverMs === null ? {} : { 'update PostgreSQL us/row': (updated.serverMs * 1000) / rowCount }),
    'insert WAL B/row': inserted.walBytes / rowCount,
    'update WAL B/row': updated.walBytes / rowCount,
  };
}

/** Every row that was written is one event or one row of the peers' outbox, where it is to be one. */
async function checkCounts(database: Database, table: Table, rowCount: number): Promise<void> {
  const { rows } = await database.pool.query<{ events: number; outbox: number }>(
    `select (select count(*)::int from tocsin.events) as events, (select count(*)::int from public.row_outbox) as outbox`,
  );
  const { events = -1, outbox = -1 } = rows[0] ?? {};
  const isPeer = table === 'row_orders' || table === 'image_orders';
  if (events !== (table === 'orders' ? 2 * rowCount : 0) || outbox !== (isPeer ? 2 * rowCount : 0)) {
    throw new WrongAnswer([
      `${rowCount} rows of ${table} inserted and updated: ${events} events, ${outbox} of the peers`,
    ]);
  }
}
