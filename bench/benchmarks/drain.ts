import type { Database } from '../../src/store/database.ts';
import { brokenInvariants } from '../../test/support/invariants.ts';
import { type Benchmark, type Figures, measureInTurn, type PreparedBenchmark, WrongAnswer } from '../benchmark.ts';
import { type BenchServer, type ScratchDatabase, usagePer } from '../measure/server.ts';
import { type PlannedRows, readPlannedRows, runBareLoop } from '../peers/bare-loop.ts';
import { drainEvents } from '../workloads/drain-events.ts';
import {
  fillOutbox,
  fingerprint,
  keepOrderEvents,
  type OrderAction,
  publishOrderWorkflows,
} from '../workloads/order-events.ts';

const eventCount = 40_000;

/** Events end to end: claimed, matched, executed, delivered to an inbox or made ready for a mail, in one process. */
export const drainBenchmark: Benchmark = {
  name: 'drain',
  about:
    'Events end to end: claim, match (3 workflows, 1 fires), execution, delivery, 1 in-app notification or 1 mail to be sent; against a bare claim + insert loop that writes the same rows.',
  prepare,
};

/** One kind of action, with a database to copy and what every variant must write. */
type Course = {
  readonly template: ScratchDatabase;
  readonly expected: Record<string, string>;
  readonly planned: ReadonlyMap<string, PlannedRows>;
};

async function prepare(server: BenchServer): Promise<PreparedBenchmark> {
  const courses = { notification: await layCourse(server, 'notification'), email: await layCourse(server, 'email') };
  const variants = Object.entries(courses).flatMap(([action, course]): [string, () => Promise<Figures>][] => [
    [
      `Tocsin, ${action}`,
      () => measureOn(server, course, `Tocsin, ${action}`, (copy) => drainEvents(copy.database, eventCount)),
    ],
    [
      `bare loop, ${action}`,
      () =>
        measureOn(server, course, `bare loop, ${action}`, (copy) => runBareLoop(copy.url, course.planned, 'server')),
    ],
    [
      `bare loop through node, ${action}`,
      () =>
        measureOn(server, course, `bare loop through node, ${action}`, (copy) =>
          runBareLoop(copy.url, course.planned, 'node'),
        ),
    ],
  ]);
  return {
    settings: { events: eventCount, 'payload bytes': 440, processes: 1, lanes: 2, batch: 500 },
    comparisons: [
      {
        claim: 'drain with an in-app notification',
        variant: 'Tocsin, notification',
        peer: 'bare loop, notification',
        figure: 'events/s',
        target: { atLeast: 0.6 },
      },
      {
        claim: 'drain with a mail to be sent',
        variant: 'Tocsin, email',
        peer: 'bare loop, email',
        figure: 'events/s',
        target: { atLeast: 0.6 },
      },
    ],
    measureRound: () => measureInTurn(Object.fromEntries(variants)),
    close: async () => {
      for (const { template } of Object.values(courses)) await template.drop();
    },
  };
}

/** Makes the database to copy, and learns from a run of Tocsin what is to be written for each event. */
async function layCourse(server: BenchServer, action: OrderAction): Promise<Course> {
  const template = await server.createDatabase();
  await publishOrderWorkflows(template.database, action);
  await keepOrderEvents(template.database, eventCount);
  await template.close();
  const copy = await server.createDatabase(template.name);
  try {
    await fillOutbox(copy.database);
    await drainEvents(copy.database, eventCount);
    await checkInvariants(copy.database, 'Tocsin, warming up');
    const planned = await readPlannedRows(copy.database.pool);
    if (planned.size !== eventCount) throw new WrongAnswer('Tocsin, warming up', [`${planned.size} executions`]);
    return { template, expected: await fingerprint(copy.database), planned };
  } finally {
    await copy.drop();
  }
}

async function measureOn(
  server: BenchServer,
  course: Course,
  variant: string,
  run: (copy: ScratchDatabase) => Promise<void>,
): Promise<Figures> {
  const copy = await server.createDatabase(course.template.name);
  try {
    await fillOutbox(copy.database);
    const usage = await server.measure(() => run(copy));
    await checkInvariants(copy.database, variant);
    const written = await fingerprint(copy.database);
    const different = Object.keys(written).filter((table) => written[table] !== course.expected[table]);
    if (different.length > 0) {
      throw new WrongAnswer(
        variant,
        different.map((table) => `${table} holds other rows than it should`),
      );
    }
    return { 'events/s': (eventCount / usage.ms) * 1000, ...usagePer('event', eventCount, usage) };
  } finally {
    await copy.drop();
  }
}

async function checkInvariants(database: Database, variant: string): Promise<void> {
  const broken = await brokenInvariants(database);
  if (broken.length > 0) throw new WrongAnswer(variant, broken);
}
