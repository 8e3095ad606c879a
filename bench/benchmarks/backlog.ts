import pg from 'pg';
import { keepOrderEvents } from '../../src/cli/bench/order-workload.ts';
import { type ScratchDatabase, usagePer } from '../../src/cli/bench/scratch-server.ts';
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

const smallAtScale = 20_000;
const largeAtScale = 1_000_000;
const small = 'a small backlog';
const large = 'a large backlog';
const pinned = 'a large backlog, old snapshot';

/** What a large backlog costs each of its events, also while nothing of it can be vacuumed. */
export const backlogBenchmark: Benchmark = {
  name: 'backlog',
  about:
    'The drain to an inbox of 20,000 and of 1,000,000 events that wait, and of 1,000,000 while a forgotten transaction holds a snapshot from before the first of them was drained. A drain process and a copy of the database of its own each time.',
  isLong: true,
  prepare,
};

async function prepare(server: BenchServer, scaled: Scale): Promise<PreparedBenchmark> {
  const [smallCount, largeCount] = [scaled(smallAtScale), scaled(largeAtScale)];
  const template = await server.createDatabase();
  await publishOrderWorkflows(template.database, 'notification');
  await keepOrderEvents(template.database, 5_000);
  await template.close();
  const measure = (eventCount: number, isPinned: boolean) => () =>
    measureDrain({ server, template, eventCount, isPinned });
  await measure(smallCount, false)();
  return {
    settings: { 'a small backlog, events': smallCount, 'a large backlog, events': largeCount, lanes: 2 },
    comparisons: [large, pinned].flatMap((variant) => [
      { claim: `drain of ${variant}`, variant, peer: small, figure: 'events/s', target: { atLeast: 0.5 } },
      { claim: `memory with ${variant}`, variant, peer: small, figure: 'peak RSS MiB', target: { atMost: 1.5 } },
    ]),
    measureRound: () =>
      measureInTurn({
        [small]: measure(smallCount, false),
        [large]: measure(largeCount, false),
        [pinned]: measure(largeCount, true),
      }),
    close: () => template.drop(),
  };
}

type Course = {
  readonly server: BenchServer;
  readonly template: ScratchDatabase;
  readonly eventCount: number;
  /** A transaction that has read the outbox stays open meanwhile. */
  readonly isPinned: boolean;
};

async function measureDrain({ server, template, eventCount, isPinned }: Course): Promise<Figures> {
  const copy = await server.createDatabase(template.name);
  const drain = await BenchChild.start(new URL('../processes/outbox-tasks.ts', import.meta.url));
  const reader = new pg.Client({ connectionString: copy.url });
  await reader.connect();
  try {
    await fillNewEvents(copy.database, { count: eventCount });
    await drain.run<OutboxTask>({ step: 'open', databaseUrl: copy.url });
    if (isPinned) {
      await reader.query('begin isolation level repeatable read');
      await reader.query('select count(*) from (select from tocsin.events limit 1) as one');
    }
    const { usage, result } = await server.measureWith(() => drain.ask<OutboxTask>({ step: 'drain' }));
    await reader.query('rollback');
    await drain.run<OutboxTask>({ step: 'close' });
    const { notifications } = await countWritten(copy.database);
    if (notifications !== eventCount)
      throw new WrongAnswer([`${eventCount} events came to ${notifications} notifications`]);
    return {
      'events/s': (eventCount / usage.ms) * 1000,
      'peak RSS MiB': result.figures['peak RSS MiB'] ?? Number.NaN,
      ...usagePer('event', eventCount, { ...usage, nodeMs: result.nodeMs }),
    };
  } finally {
    await drain.stop();
    await reader.end();
    await copy.drop();
  }
}
