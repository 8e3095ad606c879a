import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { keepOrderEvents, orderWorkflow, tenantId } from '../../src/cli/bench/order-workload.ts';
import type { ScratchDatabase } from '../../src/cli/bench/scratch-server.ts';
import { defineAction } from '../../src/deliver/define-action.ts';
import { unwrap } from '../../src/model/result.ts';
import { ensurePartitions } from '../../src/store/partitions.ts';
import { createTocsin, type Tocsin } from '../../src/tocsin.ts';
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
import { publishOrderWorkflows } from '../workloads/order-events.ts';

const dayAtScale = 250_000;
const days = 8;
const keptDays = 2;
/** Tables are as full as they get once so many days are kept. */
const fullDay = 4;
const storedAtOnce = 5_000;
const waitingAtMost = 20_000;
/** Orders of so much and more are delivered by an attempt, the others to an inbox only: one in ten. */
const attemptedFrom = 1_900;

/** Whether retention and vacuum keep what a worker writes from growing. */
export const soakBenchmark: Benchmark = {
  name: 'soak',
  about:
    'Two million events, 250,000 to a day, through a whole worker as it is shipped: an inbox row for each, an attempt for one in ten. After each day what is older than two days is pruned; vacuum comes when it comes. Sizes with indexes. The days are in the ids of the events; the inbox rows of days that are gone are deleted, as a host may.',
  isLong: true,
  prepare,
};

const nameOf = (day: number, perDay: number) => `after ${(day * perDay).toLocaleString('en')}`;

async function prepare(server: BenchServer, scaled: Scale): Promise<PreparedBenchmark> {
  const perDay = scaled(dayAtScale);
  const claim = (figure: string, atMost: number) => ({
    claim: `${figure} at the end`,
    variant: nameOf(days, perDay),
    peer: nameOf(fullDay, perDay),
    figure,
    target: { atMost },
  });
  return {
    settings: { 'events of a day': perDay, days, 'days kept': keptDays, 'one attempt in, events': 10 },
    comparisons: [claim('tables MiB', 1.2), claim('indexes MiB', 1.2)],
    measureRound: () => soak(server, perDay),
    close: async () => undefined,
  };
}

async function soak(server: BenchServer, perDay: number): Promise<Round> {
  const scratch = await server.createDatabase();
  await publishOrderWorkflows(scratch.database, 'notification');
  await keepOrderEvents(scratch.database, storedAtOnce);
  const tocsin = await openWorker(scratch);
  const round: Record<string, Figures> = {};
  try {
    await ensurePartitions(scratch.database.pool, days + 1);
    await tocsin.listener.start();
    for (let day = 1; day <= days; day++) {
      const startedAt = performance.now();
      await liveThrough(scratch, { day, perDay });
      const seconds = (performance.now() - startedAt) / 1000;
      const dropped = await endDay(scratch, tocsin, day);
      round[nameOf(day, perDay)] = {
        'events/s': perDay / seconds,
        ...(await sizes(scratch)),
        'partitions dropped': dropped,
      };
      console.error(`soak: ${nameOf(day, perDay)}: ${JSON.stringify(round[nameOf(day, perDay)])}`);
    }
    const broken = await brokenInvariants(scratch.database, { isDrained: true });
    if (broken.length > 0) throw new WrongAnswer(broken);
  } finally {
    await tocsin.close();
    await scratch.drop();
  }
  return round;
}

/** A worker, with a workflow whose deliveries are attempts that are over at once. */
async function openWorker({ url }: ScratchDatabase): Promise<Tocsin> {
  const tell = defineAction({
    type: 'tell',
    schema: z.object({}),
    audience: 'recipients',
    deliver: async () => ({ status: 'delivered' }),
  });
  const tocsin = await createTocsin({ databaseUrl: url, actions: [tell] });
  const workflow = orderWorkflow({ name: 'one order in ten', limit: attemptedFrom - 1, action: 'notification' });
  unwrap(await tocsin.workflows.createWorkflow(tenantId, { ...workflow, actions: [{ type: 'tell' }] }));
  return tocsin;
}

/** Stores the events of a day as fast as they are worked off. */
async function liveThrough(
  { database }: ScratchDatabase,
  { day, perDay }: { day: number; perDay: number },
): Promise<void> {
  for (let stored = 0; stored < perDay; stored += storedAtOnce) {
    await waitUntilFewer(database, waitingAtMost);
    await database.pool.query(
      `insert into tocsin.events (id, tenant_id, source, entity_type, entity_id, operation, payload)
       select overlay(gen_random_uuid()::text placing
           left(tocsin.id_at(date_trunc('day', now()) + $1::int * interval '1 day' + number * interval '1 millisecond')::text, 14) || '7'
           from 1 for 15)::uuid,
         $2, 'db', 'order', number::text, 'insert', payload
       from generate_series($3::int, $3::int + $4::int - 1) as number
       join bench.order_events as kept on kept.position = 1 + number % (select count(*) from bench.order_events)
       order by number`,
      [day, tenantId, stored, Math.min(storedAtOnce, perDay - stored)],
    );
  }
  await waitUntilFewer(database, 1);
}

async function waitUntilFewer(database: ScratchDatabase['database'], count: number): Promise<void> {
  for (;;) {
    const { rows } = await database.pool.query<{ waiting: number }>(
      `select (select count(*)::int from (select from tocsin.events limit $1) e)
         + (select count(*)::int from (select from tocsin.deliveries where status = 'pending' limit $1) d) as waiting`,
      [count],
    );
    if ((rows[0]?.waiting ?? 0) < count) return;
    await wait(50);
  }
}

/** Retention, as if the day were over; answers how many partitions it dropped. */
async function endDay({ database }: ScratchDatabase, tocsin: Tocsin, day: number): Promise<number> {
  const { rows } = await database.pool.query<{ now: Date }>(
    `select date_trunc('day', now()) + ($1::int + 1) * interval '1 day' as now`,
    [day],
  );
  const now = rows[0]?.now ?? new Date();
  const report = await tocsin.retention.prune({ now, defaultDays: keptDays, eventDays: keptDays });
  await database.pool.query('delete from tocsin.notifications where id < tocsin.id_at($1::timestamptz)', [
    new Date(now.getTime() - keptDays * 86_400_000),
  ]);
  return report.droppedPartitions.length;
}

async function sizes({ database }: ScratchDatabase): Promise<Figures> {
  const { rows } = await database.pool.query<Record<string, number>>(
    `select sum(pg_table_size(oid)) / 1048576 as tables,
       sum(pg_indexes_size(oid)) / 1048576 as indexes,
       sum(pg_total_relation_size(oid)) filter (where relname ~ '^events_') / 1048576 as outbox,
       sum(pg_total_relation_size(oid)) filter (where relname ~ '^event_history') / 1048576 as history,
       sum(pg_total_relation_size(oid)) filter (where relname ~ '^executions') / 1048576 as executions,
       sum(pg_total_relation_size(oid)) filter (where relname ~ '^deliver') / 1048576 as deliveries,
       sum(pg_total_relation_size(oid)) filter (where relname = 'notifications') / 1048576 as inbox
     from pg_class
     where relnamespace = 'tocsin'::regnamespace
       and relkind = 'r'`,
  );
  return Object.fromEntries(Object.entries(rows[0] ?? {}).map(([name, size]) => [`${name} MiB`, Number(size)]));
}
