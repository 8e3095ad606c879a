import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import { tenantId as crowdedTenant, keepOrderEvents } from '../../src/cli/bench/order-workload.ts';
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
import { untilDrained } from '../workloads/check-capture.ts';
import { publishOrderWorkflows } from '../workloads/order-events.ts';
import { createCapturedOrderTable, insertOrderOf } from '../workloads/order-table.ts';

const backlogAtScale = 100_000;
const samplesAtScale = 300;
const warmUpSamples = 50;
/** Between two orders. */
const pauseMs = { least: 2, most: 8 };
const smallTenant = 'globex';

/** What the backlog of one tenant does to another tenant's notifications. */
export const fairnessBenchmark: Benchmark = {
  name: 'fairness',
  about:
    "One order of a small tenant at a time: from sending the INSERT to hearing that its in-app notification is committed (LISTEN, from a trigger on the small tenant's inbox rows). While nothing else happens, and while the same drain has a backlog of 100,000 events of another tenant to match, each of which comes to a notification too. Writer, drain and listener are processes of their own.",
  prepare,
};

async function prepare(server: BenchServer, scaled: Scale): Promise<PreparedBenchmark> {
  const [backlogEvents, quietSamples] = [scaled(backlogAtScale), scaled(samplesAtScale)];
  const template = await server.createDatabase();
  for (const tenant of [crowdedTenant, smallTenant])
    await publishOrderWorkflows(template.database, 'notification', tenant);
  await keepOrderEvents(template.database, backlogEvents);
  await createCapturedOrderTable(template.database, 'orders');
  await tellOfSmallTenant(template);
  await template.close();
  const course: Course = { server, template, backlogEvents, quietSamples };
  const beside = (lanes: number) => ({ variant: withBacklog(lanes), peer: alone(lanes) });
  return {
    settings: {
      'backlog, events': backlogEvents,
      'orders per round without it': quietSamples,
      'orders with it': 'one after another until it is drained',
      'pause ms': `${pauseMs.least}-${pauseMs.most}`,
    },
    comparisons: [2, 1].flatMap((lanes) => [
      { claim: `${lanes} lane(s)`, ...beside(lanes), figure: 'p99 ms', target: { atMost: 3 } },
      { claim: `${lanes} lane(s)`, ...beside(lanes), figure: 'p50 ms' },
    ]),
    measureRound: async () => ({
      ...(await measureDrain(course, 2)),
      ...(await measureDrain(course, 1)),
    }),
    close: () => template.drop(),
  };
}

const alone = (lanes: number) => `${lanes} lane(s), nothing else`;
const withBacklog = (lanes: number) => `${lanes} lane(s), beside a backlog`;

/** Tells of each inbox row of the small tenant when it is committed. */
async function tellOfSmallTenant({ database }: ScratchDatabase): Promise<void> {
  await database.pool.query(
    `create function public.tell_of_notification() returns trigger language plpgsql as $$
     begin
       perform pg_notify('bench_told', new.id::text);
       return null;
     end
     $$`,
  );
  await database.pool.query(
    `create trigger tell_of_notification after insert on tocsin.notifications for each row
     when (new.tenant_id = '${smallTenant}') execute function public.tell_of_notification()`,
  );
}

type Course = {
  readonly server: BenchServer;
  readonly template: ScratchDatabase;
  readonly backlogEvents: number;
  readonly quietSamples: number;
};
type Parties = { readonly copy: ScratchDatabase; readonly writer: pg.Client; readonly listener: BenchChild };

async function measureDrain(course: Course, lanes: number): Promise<Round> {
  const { server, template, backlogEvents, quietSamples } = course;
  const copy = await server.createDatabase(template.name);
  const writer = new pg.Client({ connectionString: copy.url });
  await writer.connect();
  const listener = await BenchChild.start(new URL('../processes/raw-listener.ts', import.meta.url), [
    copy.url,
    'bench_told',
  ]);
  const drain = await BenchChild.start(new URL('../processes/drain-process.ts', import.meta.url), [
    copy.url,
    'quiet',
    String(lanes),
  ]);
  try {
    const parties: Parties = { copy, writer, listener };
    await sampleOrders(parties, async (taken) => taken < warmUpSamples);
    const quiet = await sampleOrders(parties, async (taken) => taken < quietSamples);
    await addBacklog(copy);
    const startedAt = performance.now();
    const busy = await sampleOrders(parties, async (taken) => taken % 20 !== 0 || (await isBacklogLeft(copy)));
    const seconds = (performance.now() - startedAt) / 1000;
    await untilDrained(copy.database);
    await checkNotifications(copy, backlogEvents);
    return {
      [alone(lanes)]: { ...percentiles(quiet), orders: quiet.length },
      [withBacklog(lanes)]: { ...percentiles(busy), orders: busy.length, 'backlog events/s': backlogEvents / seconds },
    };
  } finally {
    await Promise.all([drain.stop(), listener.stop(), writer.end()]);
    await copy.drop();
  }
}

async function addBacklog({ database }: ScratchDatabase): Promise<void> {
  await database.pool.query(
    `insert into tocsin.events (tenant_id, source, entity_type, entity_id, operation, payload)
     select $1, 'db', 'order', position::text, 'insert', payload
     from bench.order_events`,
    [crowdedTenant],
  );
}

async function isBacklogLeft({ database }: ScratchDatabase): Promise<boolean> {
  const { rows } = await database.pool.query('select 1 from tocsin.events where tenant_id = $1 limit 1', [
    crowdedTenant,
  ]);
  return rows.length > 0;
}

/** Times one order after another for as long as `goesOn`. */
async function sampleOrders(parties: Parties, goesOn: (taken: number) => Promise<boolean>): Promise<number[]> {
  const ms: number[] = [];
  while (await goesOn(ms.length)) {
    const told = parties.listener.next('handled');
    const sentAtNs = process.hrtime.bigint();
    await parties.writer.query({ ...insertOrderOf('orders'), values: [ms.length, smallTenant] });
    ms.push(Number(BigInt((await told).atNs) - sentAtNs) / 1e6);
    await wait(pauseMs.least + Math.random() * (pauseMs.most - pauseMs.least));
  }
  return ms;
}

function percentiles(ms: readonly number[]): Figures {
  return { 'p50 ms': quantile(ms, 0.5), 'p99 ms': quantile(ms, 0.99), 'max ms': Math.max(...ms) };
}

/** Every order of either tenant has one notification, and nothing else is wrong. */
async function checkNotifications({ database }: ScratchDatabase, backlogEvents: number): Promise<void> {
  const { rows } = await database.pool.query<{ orders: number; small: number; crowded: number }>(
    `select (select count(*)::int from public.orders) as orders,
       (select count(*)::int from tocsin.notifications where tenant_id = $1) as small,
       (select count(*)::int from tocsin.notifications where tenant_id = $2) as crowded`,
    [smallTenant, crowdedTenant],
  );
  const { orders = 0, small = -1, crowded = -1 } = rows[0] ?? {};
  const broken = await brokenInvariants(database);
  if (orders !== small) broken.push(`${orders} orders of the small tenant came to ${small} notifications`);
  if (crowded !== backlogEvents) broken.push(`${backlogEvents} events of the other came to ${crowded} notifications`);
  if (broken.length > 0) throw new WrongAnswer(broken);
}
