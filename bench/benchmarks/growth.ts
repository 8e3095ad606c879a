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
import { drainEvents } from '../workloads/drain-events.ts';
import { countWritten, fillNewEvents, publishOrderWorkflows } from '../workloads/order-events.ts';

/** What rows that are kept cost the drain. */
export const growthBenchmark: Benchmark = {
  name: 'growth',
  about:
    'The drain to an inbox in a database that holds 1,000, 10,000 and 100,000 matched events, with as many executions, deliveries and notifications, all of today; a copy of it each time.',
  prepare: (server, scaled) => prepare(server, { scaled, sizes: [1_000, 10_000, 100_000] }),
};

/** The same with a million. */
export const growthMillionBenchmark: Benchmark = {
  name: 'growth-million',
  about:
    'The drain to an inbox in a database that holds 1,000 and 1,000,000 matched events, with as many executions, deliveries and notifications, all of today. The large one is not copied: it grows with each round.',
  isLong: true,
  prepare: (server, scaled) => prepare(server, { scaled, sizes: [1_000, 1_000_000] }),
};

type Course = {
  readonly template: ScratchDatabase;
  readonly worker: BenchChild;
  readonly eventCount: number;
  readonly isCopied: boolean;
};

const largestCopied = 100_000;
/** The preparation drains in portions, as a worker that keeps up does. */
const filledAtOnce = 50_000;

async function prepare(
  server: BenchServer,
  { scaled, sizes }: { scaled: Scale; sizes: readonly number[] },
): Promise<PreparedBenchmark> {
  const eventCount = scaled(5_000);
  const worker = await BenchChild.start(new URL('../processes/outbox-tasks.ts', import.meta.url));
  const courses: (readonly [name: string, course: Course])[] = [];
  for (const size of sizes) {
    const isCopied = size <= largestCopied;
    const template = await layHistory(server, scaled(size));
    if (isCopied) await template.close();
    courses.push([nameOf(size), { template, worker, eventCount, isCopied }]);
  }
  const variants = Object.fromEntries(courses.map(([name, course]) => [name, () => measureDrain(server, course)]));
  for (const warmUp of Object.values(variants)) await warmUp();
  const [smallest = 0, ...larger] = sizes;
  return {
    settings: { events: eventCount, 'kept rows': sizes.map(scaled).join(', ') },
    comparisons: larger.map((size) => ({
      claim: `drain with ${nameOf(size)}`,
      variant: nameOf(size),
      peer: nameOf(smallest),
      figure: 'events/s',
      target: { atLeast: 0.8 },
    })),
    measureRound: () => measureInTurn(variants),
    close: async () => {
      await worker.stop();
      for (const [, { template }] of courses) await template.drop();
    },
  };
}

function nameOf(size: number): string {
  return `${size.toLocaleString('en')} kept`;
}

async function layHistory(server: BenchServer, size: number): Promise<ScratchDatabase> {
  const template = await server.createDatabase();
  await publishOrderWorkflows(template.database, 'notification');
  await keepOrderEvents(template.database, 5_000);
  for (let left = size; left > 0; left -= filledAtOnce) {
    const count = Math.min(left, filledAtOnce);
    await fillNewEvents(template.database, { count });
    await drainEvents(template.database, count);
    await template.database.pool.query('truncate tocsin.events');
  }
  await template.database.pool.query('vacuum analyze');
  return template;
}

async function measureDrain(server: BenchServer, course: Course): Promise<Figures> {
  const { template, worker, eventCount, isCopied } = course;
  const copy = isCopied ? await server.createDatabase(template.name) : template;
  try {
    const before = await countWritten(copy.database);
    await fillNewEvents(copy.database, { count: eventCount });
    await worker.run<OutboxTask>({ step: 'open', databaseUrl: copy.url });
    const { usage, result: nodeMs } = await server.measureWith(() => worker.run<OutboxTask>({ step: 'drain' }));
    await worker.run<OutboxTask>({ step: 'close' });
    const after = await countWritten(copy.database);
    // The promises of a million rows take longer to check than the rest; the smaller ones are checked.
    const broken = isCopied ? await brokenInvariants(copy.database) : [];
    if (after.notifications - before.notifications !== eventCount)
      broken.push(`${eventCount} events came to ${after.notifications - before.notifications} notifications`);
    if (broken.length > 0) throw new WrongAnswer(broken);
    return { 'events/s': (eventCount / usage.ms) * 1000, ...usagePer('event', eventCount, { ...usage, nodeMs }) };
  } finally {
    if (isCopied) await copy.drop();
  }
}
