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
import { publishForTenants, publishManyWorkflows } from '../workloads/many-workflows.ts';
import { countWritten, fillNewEvents } from '../workloads/order-events.ts';

/** What the number of workflows and of tenants costs the drain and the start of a worker. */
export const manyWorkflowsBenchmark: Benchmark = {
  name: 'many-workflows',
  about:
    'The drain to an inbox with 100 and up to 100,000 workflows of one tenant on the entity type and operation (one fires, the others are each for one of 5,000 customers and never fire), and with 10 and up to 10,000 tenants of 10 workflows each; how long a worker takes to start, and how long the first event of each tenant takes after that, for which its workflows are loaded.',
  prepare,
};

type Course = {
  readonly copy: ScratchDatabase;
  readonly worker: BenchChild;
  readonly eventCount: number;
  readonly tenants?: number;
};

async function prepare(server: BenchServer, scaled: Scale): Promise<PreparedBenchmark> {
  const eventCount = scaled(10_000);
  const lay = async (publish: (copy: ScratchDatabase) => Promise<void>, tenants?: number): Promise<Course> => {
    const copy = await server.createDatabase();
    await publish(copy);
    await keepOrderEvents(copy.database, Math.min(eventCount, 5_000));
    const worker = await BenchChild.start(new URL('../processes/outbox-tasks.ts', import.meta.url));
    return { copy, worker, eventCount, ...(tenants === undefined ? {} : { tenants }) };
  };
  const [many, manyTenants] = [scaled(100_000), scaled(10_000)];
  const [manyName, tenantsName] = [
    `${many.toLocaleString('en')} workflows`,
    `${manyTenants.toLocaleString('en')} tenants`,
  ];
  const courses = {
    '100 workflows': await lay(({ database }) => publishManyWorkflows(database, 100)),
    [manyName]: await lay(({ database }) => publishManyWorkflows(database, many)),
    '10 tenants': await lay(({ database }) => publishForTenants(database, 10), 10),
    [tenantsName]: await lay(({ database }) => publishForTenants(database, manyTenants), manyTenants),
  };
  const variants = Object.fromEntries(
    Object.entries(courses).map(([name, course]) => [name, () => measureDrain(server, course)]),
  );
  for (const warmUp of Object.values(variants)) await warmUp();
  const figure = 'events/s';
  return {
    settings: { events: eventCount, workflows: `100 and ${many}`, tenants: `10 and ${manyTenants}, 10 workflows each` },
    comparisons: [
      { claim: 'drain', variant: manyName, peer: '100 workflows', figure, target: { atLeast: 0.9 } },
      { claim: 'drain', variant: tenantsName, peer: '10 tenants', figure, target: { atLeast: 0.8 } },
      ...[manyName, tenantsName].map((variant) => ({
        claim: `start of a worker, ${variant}`,
        variant,
        peer: null,
        figure: 'start ms',
        target: { atMost: 2_000 },
      })),
    ],
    measureRound: () => measureInTurn(variants),
    close: async () => {
      for (const { copy, worker } of Object.values(courses)) {
        await worker.stop();
        await copy.drop();
      }
    },
  };
}

async function measureDrain(server: BenchServer, { copy, worker, eventCount, tenants }: Course): Promise<Figures> {
  const { database, url } = copy;
  const before = await countWritten(database);
  const fill = (count: number) => fillNewEvents(database, { count, ...(tenants === undefined ? {} : { tenants }) });
  // The first event of each tenant brings its workflows.
  const first = tenants ?? 1;
  await fill(first);
  const { figures } = await worker.ask<OutboxTask>({ step: 'open', databaseUrl: url });
  const startedAt = performance.now();
  await worker.run<OutboxTask>({ step: 'drain' });
  const firstMs = performance.now() - startedAt;
  await fill(eventCount);
  const { usage, result: nodeMs } = await server.measureWith(() => worker.run<OutboxTask>({ step: 'drain' }));
  await worker.run<OutboxTask>({ step: 'close' });
  const after = await countWritten(database);
  const broken = await brokenInvariants(database);
  for (const table of ['executions', 'notifications'] as const) {
    const written = after[table] - before[table];
    if (written !== eventCount + first) broken.push(`${eventCount + first} events came to ${written} ${table}`);
  }
  if (broken.length > 0) throw new WrongAnswer(broken);
  return {
    'events/s': (eventCount / usage.ms) * 1000,
    ...usagePer('event', eventCount, { ...usage, nodeMs }),
    ...figures,
    'first events ms': firstMs,
  };
}
