import { fillOutbox, keepOrderEvents } from '../../src/cli/bench/order-workload.ts';
import { type ScratchDatabase, usagePer } from '../../src/cli/bench/scratch-server.ts';
import type { Database } from '../../src/store/database.ts';
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
import { graphileWorkerSettings, installGraphileWorker } from '../peers/graphile-worker.ts';
import { installPgBoss, pgBossSettings } from '../peers/pg-boss.ts';
import { installSeedEngine } from '../peers/seed-engine.ts';
import { BenchChild } from '../processes/child-process.ts';
import type { DrainTask } from '../processes/drain-tasks.ts';
import type { PeerTask } from '../processes/peer-tasks.ts';
import { publishMoreWorkflows, publishOrderWorkflows } from '../workloads/order-events.ts';

/** The drain beside what a host would take instead. */
export const drainPeersBenchmark: Benchmark = {
  name: 'drain-peers',
  about:
    'The drain to an inbox against queues doing the same job per event (3 workflows as plain code, 1 fires; 1 execution and 1 inbox row; no delivery or trace is kept), pg-boss also with all rows that Tocsin keeps, graphile-worker with an empty task, and the way of the system that was asked for: NOTIFY with payload, five queries per workflow and event, one event at a time. Slow ones have fewer events: rates are compared. The clock of a peer begins when it fetches, that of Tocsin before it connects.',
  prepare,
};

type PeerName = PeerTask['peer'];

type Parties = {
  readonly server: BenchServer;
  /** By number of workflows. */
  readonly templates: Readonly<Record<3 | 100, ScratchDatabase>>;
  readonly drainer: BenchChild;
  readonly peers: BenchChild;
};

async function prepare(server: BenchServer, scaled: Scale): Promise<PreparedBenchmark> {
  const counts = { tocsin: scaled(20_000), graphile: scaled(4_000), empty: scaled(30_000), boss: scaled(10_000) };
  const [seedOne, seedHundred] = [scaled(300), scaled(6)];
  const kept = Math.max(...Object.values(counts));
  const parties: Parties = {
    server,
    templates: { 3: await layTemplate(server, 3, kept), 100: await layTemplate(server, 100, kept) },
    drainer: await BenchChild.start(new URL('../processes/drain-tasks.ts', import.meta.url)),
    peers: await BenchChild.start(new URL('../processes/peer-tasks.ts', import.meta.url)),
  };
  const tocsin = (workflows: 3 | 100) => () => measureTocsin(parties, { workflows, count: counts.tocsin });
  const peer =
    (name: PeerName, count: number, workflows: 3 | 100 = 3) =>
    () =>
      measurePeer(parties, { peer: name, count, workflows });
  const variants = {
    [ours(3)]: tocsin(3),
    [ours(100)]: tocsin(100),
    'graphile-worker': peer('graphile-worker', counts.graphile),
    'graphile-worker, empty task': peer('graphile-worker, empty', counts.empty),
    'pg-boss': peer('pg-boss', counts.boss),
    'pg-boss, all rows': peer('pg-boss, all rows', counts.boss),
    'as asked for, 1 workflow': peer('seed', seedOne),
    'as asked for, 100 workflows': peer('seed', seedHundred, 100),
  };
  for (const warmUp of [variants[ours(3)], variants['graphile-worker'], variants['pg-boss']]) await warmUp?.();
  return {
    settings: {
      'events of Tocsin': counts.tocsin,
      'of the others': [counts.graphile, counts.empty, counts.boss, seedOne, seedHundred].join(', '),
      'graphile-worker': graphileWorkerSettings,
      'pg-boss': pgBossSettings,
    },
    comparisons: [
      against('graphile-worker', 'same job', 5),
      against('graphile-worker, empty task', 'a task that does nothing', 0.8),
      against('pg-boss', 'same job', 3),
      against('pg-boss, all rows', 'same job, same rows, each written once', 3),
      against('as asked for, 1 workflow', 'one workflow there, three here', 100),
      { ...against('as asked for, 100 workflows', '100 workflows each', 5_000), variant: ours(100) },
    ],
    measureRound: () => measureInTurn(variants),
    close: async () => {
      await Promise.all([parties.drainer.stop(), parties.peers.stop()]);
      await Promise.all(Object.values(parties.templates).map((template) => template.drop()));
    },
  };
}

function ours(workflows: 3 | 100): string {
  return `Tocsin, ${workflows} workflows`;
}

function against(peer: string, claim: string, atLeast: number): PreparedBenchmark['comparisons'][number] {
  return { claim: `against ${peer}: ${claim}`, variant: ours(3), peer, figure: 'events/s', target: { atLeast } };
}

/** A database that holds everything every variant needs. The peers' job has three workflows, that of the seed one or 100. */
async function layTemplate(server: BenchServer, workflows: 3 | 100, kept: number): Promise<ScratchDatabase> {
  const template = await server.createDatabase();
  await publishOrderWorkflows(template.database, 'notification');
  await publishMoreWorkflows(template.database, workflows - 3);
  await keepOrderEvents(template.database, kept);
  await installGraphileWorker(template.url);
  await installPgBoss(template.url);
  await installSeedEngine(template.url, workflows === 3 ? 1 : workflows);
  await template.close();
  return template;
}

async function measureTocsin(parties: Parties, options: { workflows: 3 | 100; count: number }): Promise<Figures> {
  const { server, templates, drainer } = parties;
  const { workflows, count } = options;
  const copy = await server.createDatabase(templates[workflows].name);
  try {
    await fillOutbox(copy.database, count);
    const { usage, result: nodeMs } = await server.measureWith(() =>
      drainer.run<DrainTask>({ databaseUrl: copy.url, count }),
    );
    const broken = await brokenInvariants(copy.database);
    if (broken.length > 0) throw new WrongAnswer(broken);
    await checkTold(copy.database, { count, tables: tocsinTables });
    return { 'events/s': (count / usage.ms) * 1000, ...usagePer('event', count, { ...usage, nodeMs }) };
  } finally {
    await copy.drop();
  }
}

async function measurePeer(
  parties: Parties,
  options: { peer: PeerName; count: number; workflows: 3 | 100 },
): Promise<Figures> {
  const { server, templates, peers } = parties;
  const { peer, count, workflows } = options;
  const copy = await server.createDatabase(templates[workflows].name);
  const task = { peer, count, databaseUrl: copy.url };
  try {
    await peers.run<PeerTask>({ ...task, step: 'fill' });
    const { usage, result } = await server.measureWith(() => peers.ask<PeerTask>({ ...task, step: 'run' }));
    if (peer !== 'graphile-worker, empty') {
      await checkTold(copy.database, { count, tables: peer === 'seed' ? seedTables : tocsinTables });
    }
    const ms = result.figures.ms ?? usage.ms;
    return { 'events/s': (count / ms) * 1000, ...usagePer('event', count, { ...usage, nodeMs: result.nodeMs }) };
  } finally {
    await copy.drop();
  }
}

const tocsinTables = `
  select x.event_id, n.title, n.message
  from tocsin.executions x join tocsin.notifications n on n.execution_id = x.id`;
const seedTables = `
  select x.event_id, n.title, n.message
  from seed.execution_log x join seed.notification n on n.event_id = x.event_id`;

/** Every event has one execution, with one notification that says what it should. */
async function checkTold(database: Database, options: { count: number; tables: string }): Promise<void> {
  const { rows } = await database.pool.query<{ told: number; right: number }>(
    `select count(*)::int as told,
       (count(distinct kept.id) filter (where told.title = 'Order ' || kept.position and told.message =
         format('%s ordered for %s %s', payload #>> '{customer,name}', payload ->> 'total', payload ->> 'currency')))::int as right
     from (${options.tables}) told
     left join bench.order_events kept on kept.id = told.event_id`,
  );
  const { told = -1, right = -1 } = rows[0] ?? {};
  if (told !== options.count || right !== options.count) {
    throw new WrongAnswer([
      `${options.count} events came to ${told} notifications, of which ${right} say what they should`,
    ]);
  }
}
