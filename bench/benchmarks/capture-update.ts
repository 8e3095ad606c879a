import { createOrderTable } from '../../src/cli/bench/order-table.ts';
import { type ScratchDatabase, usagePer } from '../../src/cli/bench/scratch-server.ts';
import { brokenInvariants } from '../../test/support/invariants.ts';
import {
  type Benchmark,
  type Figures,
  measureInTurn,
  type PreparedBenchmark,
  type Scale,
  WrongAnswer,
} from '../benchmark.ts';
import type { BenchServer } from '../measure/server.ts';
import { publishOrderWorkflows } from '../workloads/order-events.ts';
import { createCapturedOrderTable, insertOrders } from '../workloads/order-table.ts';
import { createRowOutbox, createRowTriggerOrderTable } from '../workloads/row-trigger-order-table.ts';
import { type HostStatement, Writers } from '../workloads/writers.ts';

const writerCount = 8;
const rowCount = 2_000;

/** What capture takes of updates of one row each, of which an application makes most. */
export const captureUpdateBenchmark: Benchmark = {
  name: 'capture-update',
  about:
    'Transactions that update one row, by 8 writers as fast as they go: no trigger; captured, with no drain on this machine (and none asleep, so nobody is notified); a row trigger that writes the same to an outbox.',
  prepare,
};

type Table = 'plain_orders' | 'orders' | 'row_orders';
type Parties = {
  readonly server: BenchServer;
  readonly copy: ScratchDatabase;
  readonly writers: Writers;
  readonly forMs: number;
};

async function prepare(server: BenchServer, scaled: Scale): Promise<PreparedBenchmark> {
  const copy = await server.createDatabase();
  await publishOrderWorkflows(copy.database, 'notification');
  await createOrderTable(copy.database, 'plain_orders');
  await createCapturedOrderTable(copy.database, 'orders');
  await createRowOutbox(copy.database);
  await createRowTriggerOrderTable(copy.database, 'row_orders');
  const writers = await Writers.open(copy.url, writerCount);
  const measure = (table: Table) => () => measureUpdates({ server, copy, writers, forMs: scaled(1_000) }, table);
  for (const table of ['plain_orders', 'orders', 'row_orders'] as const) await measure(table)();
  const pair = { variant: 'captured', peer: 'no trigger' };
  const peer = { variant: 'row trigger', peer: 'no trigger' };
  return {
    settings: { writers: writerCount, rows: rowCount, 'seconds per round': scaled(1_000) / 1000 },
    comparisons: [
      { claim: 'throughput kept by a captured table', ...pair, figure: 'tx/s' },
      { claim: 'PostgreSQL CPU of a captured update', ...pair, figure: 'PostgreSQL us/tx' },
      { claim: 'PostgreSQL CPU with a row trigger', ...peer, figure: 'PostgreSQL us/tx' },
    ],
    measureRound: () =>
      measureInTurn({
        'no trigger': measure('plain_orders'),
        captured: measure('orders'),
        'row trigger': measure('row_orders'),
      }),
    close: async () => {
      await writers.close();
      await copy.drop();
    },
  };
}

/** Measures the writers on rows that stand already, and checks that every update came to one event, or one row of the peer's. */
async function measureUpdates({ server, copy, writers, forMs }: Parties, table: Table): Promise<Figures> {
  const { pool } = copy.database;
  await pool.query(`truncate public.${table} restart identity`);
  await pool.query(insertOrders(table, rowCount));
  await pool.query('truncate tocsin.events, public.row_outbox');
  await pool.query(`vacuum analyze public.${table}`);
  const { usage, result: count } = await server.measureWith(() => writers.saturate(updateOrder(table), forMs));
  const { rows } = await pool.query<{ events: number; outbox: number }>(
    `select (select count(*)::int from tocsin.events where operation = 'update' and changed = '{status,total}') as events,
       (select count(*)::int from public.row_outbox where operation = 'update' and changed = '{status,total}') as outbox`,
  );
  const broken = await brokenInvariants(copy.database);
  const { events = -1, outbox = -1 } = rows[0] ?? {};
  if (events !== (table === 'orders' ? count : 0) || outbox !== (table === 'row_orders' ? count : 0)) {
    broken.push(`${count} updates of ${table} came to ${events} events and ${outbox} rows of the peer's outbox`);
  }
  if (broken.length > 0) throw new WrongAnswer(broken);
  return { 'tx/s': (count / usage.ms) * 1000, ...usagePer('tx', count, usage) };
}

/** The status alternates, so that each update changes it, however often a row's turn comes. */
function updateOrder(table: Table): HostStatement {
  return {
    name: `update_${table}`,
    text: `
      update public.${table}
      set status = case status when 'paid' then 'sent' else 'paid' end, total = total + 1
      where id = 1 + $1::int % ${rowCount}
      returning id`,
  };
}
