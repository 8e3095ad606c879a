import { fillOutbox, keepOrderEvents } from '../../src/cli/bench/order-workload.ts';
import { type ScratchDatabase, type Usage, usagePer } from '../../src/cli/bench/scratch-server.ts';
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
import type { OutboxTask } from '../processes/outbox-tasks.ts';
import type { PeerName, PeerTask } from '../processes/peer-tasks.ts';
import { publishMoreWorkflows, publishOrderWorkflows } from '../workloads/order-events.ts';

/** The drain beside what a host would take instead. */
export const drainPeersBenchmark: Benchmark = {
  name: 'drain-peers',
  about:
    'The drain to an inbox against queues doing the same job per event (3 workflows as plain code, 1 fires; 1 execution and 1 inbox row; no delivery or trace is kept), pg-boss also with all rows that Tocsin keeps, graphile-worker with an empty task, and the way of the system that was asked for: NOTIFY with payload, five queries per workflow and event, one event at a time. Slow ones have fewer events: rates are compared. Everybody has connected, loaded what it needs and worked off some before the clock starts.',
  prepare,
};

/** So many are worked off before the clock starts. The slow ones would take minutes for as many, and gain nothing by it. */
const eventsBefore = 500;
const eventsBeforeSlow = 20;

type Parties = {
  readonly server: BenchServer;
  /** By number of workflows. */
  readonly templates: Readonly<Record<3 | 100, ScratchDatabase>>;
  readonly drainer: BenchChild;
  readonly peers: BenchChild;
};

async function prepare(server: BenchServer, scaled: Scale): Promise<PreparedBenchmark> {
  const counts = { tocsin: scaled(25_000), graphile: scaled(4_000), empty: scaled(30_000), boss: scaled(20_000) };
  const [seedOne, seedHundred] = [scaled(300), scaled(6)];
  const kept = eventsBefore + Math.max(...Object.values(counts));
  const parties: Parties = {
    server,
    templates: { 3: await layTemplate(server, 3, kept), 100: await layTemplate(server, 100, kept) },
    drainer: await BenchChild.start(new URL('../processes/outbox-tasks.ts', import.meta.url)),
    peers: await BenchChild.start(new URL('../processes/peer-tasks.ts', import.meta.url)),
  };
  const tocsin = (workflows: 3 | 100) => () => measureTocsin(parties, { workflows, count: counts.tocsin });
  const peer = (name: PeerName, count: number) => () =>
    measurePeer(parties, { peer: name, count, before: eventsBefore, workflows: 3 });
  const seed = (count: number, workflows: 3 | 100) => () =>
    measurePeer(parties, { peer: 'seed', count, before: Math.min(count, eventsBeforeSlow), workflows });
  const variants = {
    [ours(3)]: tocsin(3),
    [ours(100)]: tocsin(100),
    'graphile-worker': peer('graphile-worker', counts.graphile),
    'graphile-worker, empty task': peer('graphile-worker, empty', counts.empty),
    'pg-boss': peer('pg-boss', counts.boss),
    'pg-boss, all rows': peer('pg-boss, all rows', counts.boss),
    'as asked for, 1 workflow': seed(seedOne, 3),
    'as asked for, 100 workflows': seed(seedHundred, 100),
  };
  return {
    settings: {
      'events of Tocsin': counts.tocsin,
      'of the others': [counts.graphile, counts.empty, counts.boss, seedOne, seedHundred].join(', '),
      'before them, of each': `${eventsBefore}, of the last two as many as are measured, ${eventsBeforeSlow} at most`,
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

async function measureTocsin(
  { server, templates, drainer }: Parties,
  { workflows, count }: { workflows: 3 | 100; count: number },
): Promise<Figures> {
  const copy = await server.createDatabase(templates[workflows].name);
  const upTo = eventsBefore + count;
  try {
    await drainer.run<OutboxTask>({ step: 'open', databaseUrl: copy.url });
    await fillOutbox(copy.database, { upTo: eventsBefore });
    await drainer.run<OutboxTask>({ step: 'drain' });
    await fillOutbox(copy.database, { after: eventsBefore, upTo });
    const measured = await server.measureWith(() => drainer.ask<OutboxTask>({ step: 'drain' }));
    await drainer.run<OutboxTask>({ step: 'close' });
    const broken = await brokenInvariants(copy.database);
    if (broken.length > 0) throw new WrongAnswer(broken);
    await checkTold(copy.database, { count: upTo, tables: tocsinTables });
    return figuresOf(count, measured);
  } finally {
    await copy.drop();
  }
}

async function measurePeer(
  { server, templates, peers }: Parties,
  { peer, count, before, workflows }: { peer: PeerName; count: number; before: number; workflows: 3 | 100 },
): Promise<Figures> {
  const copy = await server.createDatabase(templates[workflows].name);
  const [some, all] = [
    { after: 0, upTo: before },
    { after: before, upTo: before + count },
  ];
  try {
    await peers.run<PeerTask>({ step: 'open', peer, databaseUrl: copy.url });
    await peers.run<PeerTask>({ step: 'fill', ...some });
    await peers.run<PeerTask>({ step: 'run', ...some });
    await peers.run<PeerTask>({ step: 'fill', ...all });
    const measured = await server.measureWith(() => peers.ask<PeerTask>({ step: 'run', ...all }));
    await peers.run<PeerTask>({ step: 'close' });
    if (peer !== 'graphile-worker, empty') {
      await checkTold(copy.database, { count: all.upTo, tables: peer === 'seed' ? seedTables : tocsinTables });
    }
    return figuresOf(count, measured);
  } finally {
    await copy.drop();
  }
}

/** By the clock of the process that did it. */
function figuresOf(
  count: number,
  { usage, result }: { usage: Usage; result: { nodeMs: number; figures: Figures } },
): Figures {
  const { ms = usage.ms } = result.figures;
  return { 'events/s': (count / ms) * 1000, ...usagePer('event', count, { ...usage, nodeMs: result.nodeMs }) };
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
