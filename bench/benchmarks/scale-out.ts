import { keepOrderEvents } from '../../src/cli/bench/order-workload.ts';
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
import { BenchChild } from '../processes/child-process.ts';
import type { OutboxTask } from '../processes/outbox-tasks.ts';
import { countWritten, fillNewEvents, publishOrderWorkflows } from '../workloads/order-events.ts';

const processCounts = [1, 2, 4];
/** Of each process, so that its connections have planned their statements. */
const eventsBefore = 2_000;

/** What more worker processes on one outbox do: until PostgreSQL is full they drain more, and never less. */
export const scaleOutBenchmark: Benchmark = {
  name: 'scale-out',
  about:
    'The drain to an inbox by 1, 2 and 4 worker processes at once on one outbox, each with two connections. The processes have connected, loaded the definitions and drained a little, one after the other, before the clock starts.',
  prepare,
};

type Parties = {
  readonly server: BenchServer;
  readonly template: ScratchDatabase;
  readonly workers: readonly BenchChild[];
  readonly eventCount: number;
};

async function prepare(server: BenchServer, scaled: Scale): Promise<PreparedBenchmark> {
  const eventCount = scaled(30_000);
  const template = await server.createDatabase();
  await publishOrderWorkflows(template.database, 'notification');
  await keepOrderEvents(template.database, 5_000);
  await template.close();
  const file = new URL('../processes/outbox-tasks.ts', import.meta.url);
  const workers = await Promise.all(Array.from({ length: Math.max(...processCounts) }, () => BenchChild.start(file)));
  const parties: Parties = { server, template, workers, eventCount };
  await measureWorkers(parties, workers.length);
  return {
    settings: { events: eventCount, 'before them, of each process': eventsBefore, 'lanes per process': 2, batch: 500 },
    comparisons: [2, 4].flatMap((count) => {
      const pair = { variant: nameOf(count), peer: nameOf(1) };
      return [
        { claim: `${nameOf(count)} are no slower`, ...pair, figure: 'events/s', target: { atLeast: 1 } },
        { claim: 'PostgreSQL CPU per event stays', ...pair, figure: 'PostgreSQL us/event', target: { atMost: 1.15 } },
      ];
    }),
    measureRound: () =>
      measureInTurn(
        Object.fromEntries(processCounts.map((count) => [nameOf(count), () => measureWorkers(parties, count)])),
      ),
    close: async () => {
      await Promise.all(workers.map((worker) => worker.stop()));
      await template.drop();
    },
  };
}

function nameOf(count: number): string {
  return count === 1 ? '1 process' : `${count} processes`;
}

async function measureWorkers({ server, template, workers, eventCount }: Parties, count: number): Promise<Figures> {
  const copy = await server.createDatabase(template.name);
  const some = workers.slice(0, count);
  try {
    await all(some, { step: 'open', databaseUrl: copy.url });
    for (const worker of some) {
      await fillNewEvents(copy.database, { count: eventsBefore });
      await worker.run<OutboxTask>({ step: 'drain' });
    }
    await fillNewEvents(copy.database, { count: eventCount });
    const { usage, result: nodeMs } = await server.measureWith(() => all(some, { step: 'drain' }));
    await all(some, { step: 'close' });
    const broken = await brokenInvariants(copy.database);
    const { executions, notifications } = await countWritten(copy.database);
    const expected = eventCount + count * eventsBefore;
    if (executions !== expected || notifications !== expected)
      broken.push(`${expected} events came to ${executions} executions and ${notifications} notifications`);
    if (broken.length > 0) throw new WrongAnswer(broken);
    return { 'events/s': (eventCount / usage.ms) * 1000, ...usagePer('event', eventCount, { ...usage, nodeMs }) };
  } finally {
    await copy.drop();
  }
}

/** Has all of them do a task at once; answers the CPU time, ms, that this took them together. */
async function all(workers: readonly BenchChild[], task: OutboxTask): Promise<number> {
  const nodeMs = await Promise.all(workers.map((worker) => worker.run(task)));
  return nodeMs.reduce((sum, ms) => sum + ms, 0);
}
