import type { Database } from '../../src/store/database.ts';
import { brokenInvariants } from '../../test/support/invariants.ts';
import { type Benchmark, type Figures, measureInTurn, type PreparedBenchmark, WrongAnswer } from '../benchmark.ts';
import { type BenchServer, type ScratchDatabase, usagePer } from '../measure/server.ts';
import { type ParameterFormat, type PlannedRows, readPlannedRows, runBareLoop } from '../peers/bare-loop.ts';
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
    'Events end to end: claim, match (3 workflows, 1 fires), execution, delivery, 1 in-app notification or 1 mail to be sent; against a bare claim + insert loop that writes the same rows, with the parameters the driver makes and with binary arrays. What each variant wrote is compared row by row.',
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
  const tocsin = (action: OrderAction) => () =>
    measureOn(server, courses[action], (copy) => drainEvents(copy.database, eventCount));
  const bare = (action: OrderAction, format: ParameterFormat) => () =>
    measureOn(server, courses[action], (copy) => runBareLoop(copy.url, { ...courses[action], format }));
  const target = { atLeast: 0.6 };
  const [inApp, mail] = ['Tocsin, in-app', 'Tocsin, mail'];
  const [bareInApp, binaryInApp, bareMail] = ['bare loop, in-app', 'bare loop, in-app, binary', 'bare loop, mail'];
  return {
    settings: { events: eventCount, 'payload bytes': 440, processes: 1, lanes: 2, batch: 500 },
    comparisons: [
      { claim: 'drain to an inbox', variant: inApp, peer: bareInApp, figure: 'events/s', target },
      { claim: 'drain to an inbox', variant: inApp, peer: bareInApp, figure: 'events/CPU s' },
      { claim: 'the same against binary arrays', variant: inApp, peer: binaryInApp, figure: 'events/s' },
      { claim: 'the same against binary arrays', variant: inApp, peer: binaryInApp, figure: 'events/CPU s' },
      { claim: 'drain to mails that wait', variant: mail, peer: bareMail, figure: 'events/s', target },
      { claim: 'drain to mails that wait', variant: mail, peer: bareMail, figure: 'events/CPU s' },
    ],
    measureRound: () =>
      measureInTurn({
        [inApp]: tocsin('notification'),
        [bareInApp]: bare('notification', 'text'),
        [binaryInApp]: bare('notification', 'binary'),
        [mail]: tocsin('email'),
        [bareMail]: bare('email', 'text'),
      }),
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
    await checkInvariants(copy.database);
    const planned = await readPlannedRows(copy.database.pool);
    if (planned.size !== eventCount) throw new WrongAnswer([`${planned.size} executions of ${eventCount} events`]);
    return { template, expected: await fingerprint(copy.database), planned };
  } finally {
    await copy.drop();
  }
}

async function measureOn(
  server: BenchServer,
  course: Course,
  run: (copy: ScratchDatabase) => Promise<void>,
): Promise<Figures> {
  const copy = await server.createDatabase(course.template.name);
  try {
    await fillOutbox(copy.database);
    const usage = await server.measure(() => run(copy));
    await checkInvariants(copy.database);
    const written = await fingerprint(copy.database);
    const different = Object.keys(written).filter((table) => written[table] !== course.expected[table]);
    if (different.length > 0)
      throw new WrongAnswer(different.map((table) => `${table} holds other rows than it should`));
    return { 'events/s': (eventCount / usage.ms) * 1000, ...usagePer('event', eventCount, usage) };
  } finally {
    await copy.drop();
  }
}

async function checkInvariants(database: Database): Promise<void> {
  const broken = await brokenInvariants(database);
  if (broken.length > 0) throw new WrongAnswer(broken);
}
