import pg from 'pg';
import { createOrderTable, insertOrder } from '../../src/cli/bench/order-table.ts';
import { type ScratchDatabase, usagePer } from '../../src/cli/bench/scratch-server.ts';
import { wakeUpChannel } from '../../src/model/wake-up.ts';
import { type Benchmark, type Figures, measureInTurn, type PreparedBenchmark, type Scale } from '../benchmark.ts';
import type { BenchServer } from '../measure/server.ts';
import { besideDrain } from '../processes/drain-beside.ts';
import { checkCapture } from '../workloads/check-capture.ts';
import { createNotifiedOrderTable, notifiedChannel } from '../workloads/notified-order-table.ts';
import { publishOrderWorkflows } from '../workloads/order-events.ts';
import { createCapturedOrderTable } from '../workloads/order-table.ts';
import { Writers } from '../workloads/writers.ts';

/** What capture takes of a host's write throughput when the database is full. */
export const captureSaturatedBenchmark: Benchmark = {
  name: 'capture-saturated',
  about:
    'Single-row INSERT transactions by 8 and by 16 writers as fast as they go: no trigger; captured with no drain on this machine (and none asleep, so nobody is notified: what writers see while a drain elsewhere is busy); captured, and a NOTIFY with every transaction to one listener; captured with a drain on this machine, which takes its share of the two cores. The writers are Node, whose CPU is the same in all: the PostgreSQL CPU per transaction shows the trigger undiluted (beside a drain it includes the share of the drain, whose own Node is not counted). NOTIFYs are counted apart for the first moments: each writer that begins while the drain still sleeps sends one.',
  prepare,
};

const tables = {
  'no trigger': 'plain_orders',
  captured: 'orders',
  'NOTIFY per transaction': 'notified_orders',
} as const;
type Table = (typeof tables)[keyof typeof tables];

/** The first moments: so much of the time. */
const firstShare = 0.2;

type Parties = {
  readonly server: BenchServer;
  readonly copy: ScratchDatabase;
  readonly writers: Readonly<Record<8 | 16, Writers>>;
  readonly notifications: NotificationCount;
  readonly forMs: number;
};

async function prepare(server: BenchServer, scaled: Scale): Promise<PreparedBenchmark> {
  const copy = await server.createDatabase();
  await publishOrderWorkflows(copy.database, 'notification');
  await createOrderTable(copy.database, 'plain_orders');
  await createCapturedOrderTable(copy.database, 'orders');
  await createNotifiedOrderTable(copy.database, 'notified_orders');
  const writers = { 8: await Writers.open(copy.url, 8), 16: await Writers.open(copy.url, 16) };
  const notifications = await countNotifications(copy.url);
  const parties: Parties = { server, copy, writers, notifications, forMs: scaled(1_000) };
  const measure = (table: Table, count: 8 | 16) => () => measureWriters(parties, { table, count, isDrained: false });
  for (const table of Object.values(tables)) await measure(table, 8)();
  return {
    settings: { writers: '8, 16', 'seconds per round': parties.forMs / 1000 },
    comparisons: comparisons(),
    measureRound: () =>
      measureInTurn({
        'no trigger, 8': measure('plain_orders', 8),
        'captured, 8': measure('orders', 8),
        'NOTIFY per transaction, 8': measure('notified_orders', 8),
        'captured, drain beside, 8': () => measureWriters(parties, { table: 'orders', count: 8, isDrained: true }),
        'no trigger, 16': measure('plain_orders', 16),
        'captured, 16': measure('orders', 16),
        'NOTIFY per transaction, 16': measure('notified_orders', 16),
      }),
    close: async () => {
      await Promise.all([writers[8].close(), writers[16].close(), notifications.close()]);
      await copy.drop();
    },
  };
}

function comparisons(): PreparedBenchmark['comparisons'] {
  const figure = 'tx/s';
  const notified = 'NOTIFY per transaction, 16';
  return [
    // 1.5 times the cost is two thirds of the rate.
    ...[8, 16].map((count) => ({
      claim: `throughput kept by a captured table, ${count} writers`,
      variant: `captured, ${count}`,
      peer: `no trigger, ${count}`,
      figure,
      target: { atLeast: 0.667 },
    })),
    {
      claim: 'better than NOTIFY per transaction',
      variant: 'captured, 16',
      peer: notified,
      figure,
      target: { atLeast: 2.5 },
    },
    {
      claim: 'PostgreSQL CPU of a captured insert',
      variant: 'captured, 8',
      peer: 'no trigger, 8',
      figure: 'PostgreSQL us/tx',
    },
    {
      claim: 'throughput kept with a drain beside',
      variant: 'captured, drain beside, 8',
      peer: 'no trigger, 8',
      figure,
    },
    {
      claim: 'NOTIFYs under load',
      variant: 'captured, drain beside, 8',
      peer: null,
      figure: 'NOTIFYs/1000 tx',
      target: { atMost: 1 },
    },
  ];
}

/** Measures the writers, checks that every captured row came to one event, and empties the tables for the next. */
async function measureWriters(
  parties: Parties,
  options: { table: Table; count: 8 | 16; isDrained: boolean },
): Promise<Figures> {
  const { copy } = parties;
  const { table, isDrained } = options;
  const figures = await (isDrained ? besideDrain(copy, () => saturate(parties, options)) : saturate(parties, options));
  if (table !== 'plain_orders') await checkCapture(copy.database, { table, operation: 'insert' });
  await copy.database.pool.query(
    `truncate public.${table}, tocsin.events, tocsin.event_history, tocsin.executions, tocsin.deliveries, tocsin.notifications`,
  );
  return figures;
}

async function saturate(parties: Parties, options: { table: Table; count: 8 | 16 }): Promise<Figures> {
  const { server, writers, notifications, forMs } = parties;
  const write = async (ms: number) => {
    const notifiedBefore = notifications.count();
    const count = await writers[options.count].saturate(insertOrder(options.table), ms);
    return { count, notified: notifications.count() - notifiedBefore };
  };
  const { usage, result } = await server.measureWith(async () => {
    const first = await write(forMs * firstShare);
    return { first, rest: await write(forMs * (1 - firstShare)) };
  });
  const { first, rest } = result;
  const count = first.count + rest.count;
  return {
    'tx/s': (count / usage.ms) * 1000,
    ...usagePer('tx', count, usage),
    'NOTIFYs at first': first.notified,
    'NOTIFYs/1000 tx': (rest.notified / rest.count) * 1000,
  };
}

type NotificationCount = { readonly count: () => number; readonly close: () => Promise<void> };

/** Listens to what wakes a drain and to what the peer notifies. */
async function countNotifications(connectionString: string): Promise<NotificationCount> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  let count = 0;
  client.on('notification', () => {
    count += 1;
  });
  await client.query(`listen ${wakeUpChannel}`);
  await client.query(`listen ${notifiedChannel}`);
  return { count: () => count, close: () => client.end() };
}
