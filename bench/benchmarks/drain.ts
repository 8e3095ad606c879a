import type { ParameterFormat } from '../../src/cli/bench/bare-loop.ts';
import { fillOutbox, fingerprint, keepOrderEvents, type OrderAction } from '../../src/cli/bench/order-workload.ts';
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
import type { BareTask } from '../processes/bare-tasks.ts';
import { BenchChild } from '../processes/child-process.ts';
import type { DrainTask } from '../processes/drain-tasks.ts';
import { drainEvents } from '../workloads/drain-events.ts';
import { publishOrderWorkflows } from '../workloads/order-events.ts';

const eventsAtScale = 25_000;

/** Events end to end: claimed, matched, executed, delivered to an inbox or made ready for a mail, in one process. */
export const drainBenchmark: Benchmark = {
  name: 'drain',
  about:
    'Events end to end: claim, match (3 workflows, 1 fires), execution, delivery, 1 in-app notification or 1 mail to be sent; against a bare claim + insert loop that writes the same rows, with the parameters the driver makes and with binary arrays. What each variant wrote is compared row by row.',
  prepare,
};

/** One kind of action: so many events, a database to copy, one that Tocsin has drained, and the fingerprint of what every variant must write. */
type Course = {
  readonly eventCount: number;
  readonly template: ScratchDatabase;
  readonly drained: ScratchDatabase;
  readonly expected: Record<string, string>;
};

async function prepare(server: BenchServer, scaled: Scale): Promise<PreparedBenchmark> {
  const eventCount = scaled(eventsAtScale);
  const courses = {
    notification: await layCourse(server, 'notification', eventCount),
    email: await layCourse(server, 'email', eventCount),
  };
  const drainer = await BenchChild.start(new URL('../processes/drain-tasks.ts', import.meta.url));
  const looper = await BenchChild.start(new URL('../processes/bare-tasks.ts', import.meta.url));
  const tocsin = (action: OrderAction) => () =>
    measureOn(server, courses[action], ({ url }) => drainer.ask<DrainTask>({ databaseUrl: url, count: eventCount }));
  const bare = (action: OrderAction, format: ParameterFormat) => async () => {
    await looper.run<BareTask>({ step: 'learn', databaseUrl: courses[action].drained.url });
    return measureOn(server, courses[action], ({ url }) =>
      looper.ask<BareTask>({ step: 'drain', databaseUrl: url, format }),
    );
  };
  for (const warmUp of [tocsin('notification'), tocsin('email'), bare('notification', 'text')]) await warmUp();
  const target = { atLeast: 0.6 };
  const [inApp, mail] = ['Tocsin, in-app', 'Tocsin, mail'];
  const [bareInApp, binaryInApp, bareMail] = ['bare loop, in-app', 'bare loop, in-app, binary', 'bare loop, mail'];
  return {
    settings: { events: eventCount, 'payload bytes': 440, lanes: 2, batch: 500, process: 'one of its own, warmed up' },
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
      await Promise.all([drainer.stop(), looper.stop()]);
      for (const { template, drained } of Object.values(courses)) await Promise.all([template.drop(), drained.drop()]);
    },
  };
}

/** Makes the database to copy, and learns from a run of Tocsin what is to be written for each event. */
async function layCourse(server: BenchServer, action: OrderAction, eventCount: number): Promise<Course> {
  const template = await server.createDatabase();
  await publishOrderWorkflows(template.database, action);
  await keepOrderEvents(template.database, eventCount);
  await template.close();
  const drained = await server.createDatabase(template.name);
  await fillOutbox(drained.database);
  await drainEvents(drained.database, eventCount);
  await checkInvariants(drained.database);
  const expected = await fingerprint(drained.database);
  const executions = Number.parseInt(expected.executions ?? '', 10);
  if (executions !== eventCount) throw new WrongAnswer([`${executions} executions of ${eventCount} events`]);
  return { eventCount, template, drained, expected };
}

/** Fills a copy, has it drained, and checks what stands there then. `run` answers the CPU time of the Node that drained, and more. */
async function measureOn(
  server: BenchServer,
  course: Course,
  run: (copy: ScratchDatabase) => Promise<{ nodeMs: number; figures: Figures }>,
): Promise<Figures> {
  const { eventCount } = course;
  const copy = await server.createDatabase(course.template.name);
  try {
    await fillOutbox(copy.database);
    const { usage, result } = await server.measureWith(() => run(copy));
    await checkInvariants(copy.database);
    const written = await fingerprint(copy.database);
    const different = Object.keys(written).filter((table) => written[table] !== course.expected[table]);
    if (different.length > 0)
      throw new WrongAnswer(different.map((table) => `${table} holds other rows than it should`));
    const { nodeMs, figures } = result;
    return {
      'events/s': (eventCount / usage.ms) * 1000,
      ...usagePer('event', eventCount, { ...usage, nodeMs }),
      ...figures,
    };
  } finally {
    await copy.drop();
  }
}

async function checkInvariants(database: Database): Promise<void> {
  const broken = await brokenInvariants(database);
  if (broken.length > 0) throw new WrongAnswer(broken);
}
