import { type PlannedRows, readPlannedRows, runBareLoop } from './bare-loop.ts';
import {
  type Benchmark,
  type Figures,
  measureInTurn,
  type PreparedBenchmark,
  type Scale,
  WrongAnswer,
} from './benchmark.ts';
import { drainOutbox } from './drain-outbox.ts';
import { fillOutbox, fingerprint, keepOrderEvents } from './order-workload.ts';
import { type ScratchDatabase, type ScratchServer, usagePer } from './scratch-server.ts';
import { layWorkflows, openTocsin } from './scratch-tocsin.ts';

/** How many events a second one process drains on a server, and how much of that is the server's. */
export const drainBenchmark: Benchmark<ScratchServer> = {
  name: 'drain',
  about:
    'Events end to end in one process: claim, match (3 workflows, 1 fires), execution, delivery, 1 in-app notification; against a bare claim + insert loop that writes the same rows. What each wrote is compared row by row.',
  prepare,
};

/** What the rounds have in common: a database to copy, what is to be written for each event, and its fingerprint. */
type Course = {
  readonly server: ScratchServer;
  readonly template: ScratchDatabase;
  readonly count: number;
  readonly planned: ReadonlyMap<string, PlannedRows>;
  readonly expected: Readonly<Record<string, string>>;
};

async function prepare(server: ScratchServer, scaled: Scale): Promise<PreparedBenchmark> {
  const count = scaled(20_000);
  const template = await server.createDatabase();
  await layWorkflows(template.url);
  await keepOrderEvents(template.database, count);
  await template.close();
  const course = { server, template, count, ...(await learn(server, template, count)) };
  await measureBareLoop(course);
  const pair = { claim: 'drain to an inbox', variant: 'Tocsin', peer: 'bare loop' };
  return {
    settings: { events: count, 'payload bytes': 440, lanes: 2, batch: 500 },
    comparisons: [
      { ...pair, figure: 'events/s', target: { atLeast: 0.6 } },
      { ...pair, claim: 'CPU of Node', figure: 'Node us/event' },
    ],
    measureRound: () =>
      measureInTurn({ Tocsin: () => measureTocsin(course), 'bare loop': () => measureBareLoop(course) }),
    close: () => template.drop(),
  };
}

/** Has Tocsin drain once, which warms it up, and keeps what it wrote. */
async function learn(
  server: ScratchServer,
  template: ScratchDatabase,
  count: number,
): Promise<Pick<Course, 'planned' | 'expected'>> {
  const copy = await server.createDatabase(template.name);
  try {
    await fillOutbox(copy.database);
    await drain(copy, count);
    const expected = await fingerprint(copy.database);
    for (const table of ['executions', 'notifications']) {
      const written = Number.parseInt(expected[table] ?? '', 10);
      if (written !== count) throw new WrongAnswer([`${count} events came to ${written} ${table}`]);
    }
    return { expected, planned: await readPlannedRows(copy.database.pool) };
  } finally {
    await copy.drop();
  }
}

async function drain({ url, database }: ScratchDatabase, count: number): Promise<Figures> {
  const tocsin = await openTocsin(url);
  try {
    await tocsin.engine.warmUp();
    const { batches, roundTrips } = await drainOutbox(database, { engine: tocsin.engine, count });
    return { 'events/batch': count / batches, 'round trips/batch': roundTrips / batches };
  } finally {
    await tocsin.close();
  }
}

function measureTocsin(course: Course): Promise<Figures> {
  return measureOn(course, (copy) => drain(copy, course.count));
}

function measureBareLoop(course: Course): Promise<Figures> {
  return measureOn(course, async ({ database }) => {
    await runBareLoop(database, { planned: course.planned, format: 'binary' });
    return {};
  });
}

/** Fills a copy, has it drained, and compares what stands there then. */
async function measureOn(
  { server, template, count, expected }: Course,
  work: (copy: ScratchDatabase) => Promise<Figures>,
): Promise<Figures> {
  const copy = await server.createDatabase(template.name);
  try {
    await fillOutbox(copy.database);
    const { usage, result } = await server.measureWith(() => work(copy));
    const written = await fingerprint(copy.database);
    const different = Object.keys(written).filter((table) => written[table] !== expected[table]);
    if (different.length > 0)
      throw new WrongAnswer(different.map((table) => `${table} holds other rows than it should`));
    return { 'events/s': (count / usage.ms) * 1000, ...usagePer('event', count, usage), ...result };
  } finally {
    await copy.drop();
  }
}
