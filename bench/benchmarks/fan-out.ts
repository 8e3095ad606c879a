import { keepOrderEvents, tenantId } from '../../src/cli/bench/order-workload.ts';
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
import { BenchChild } from '../processes/child-process.ts';
import type { FanOutTask } from '../processes/fan-out-tasks.ts';
import { fillNewEvents, publishActionWorkflow } from '../workloads/order-events.ts';

/** One event that many are told of. */
export const fanOutBenchmark: Benchmark = {
  name: 'fan-out',
  about:
    'One event, told to up to 10,000 and to 100,000 users of a role in their inboxes: matched, recipients resolved page by page, a delivery and an inbox row each; against bare bulk inserts of the same rows in pages of 2,000, and against one transaction per recipient (fewer: rates are compared). Memory is the most that the process held.',
  prepare,
};

type Course = {
  readonly server: BenchServer;
  /** A database where the event waits. */
  readonly template: ScratchDatabase;
  readonly recipients: number;
  /** One process for each number of recipients: their memory is compared. */
  readonly worker: BenchChild;
  readonly peer: BenchChild;
};

async function prepare(server: BenchServer, scaled: Scale): Promise<PreparedBenchmark> {
  const peer = await BenchChild.start(new URL('../processes/fan-out-tasks.ts', import.meta.url));
  const few = await layCourse(server, { recipients: scaled(10_000), peer });
  const many = await layCourse(server, { recipients: scaled(100_000), peer });
  const oneByOne = scaled(1_000);
  const [fewName, manyName] = [few, many].map(({ recipients }) => recipients.toLocaleString('en')) as [string, string];
  const fewMany = { few: `Tocsin, ${fewName}`, many: `Tocsin, ${manyName}` };
  // The rows that the peers write are learned from the large one, which the first measurement makes.
  await measureFanOut(many, { learns: true });
  await measureFanOut(few);
  const figure = 'recipients/s';
  return {
    settings: {
      recipients: `${few.recipients} and ${many.recipients}`,
      'one by one': oneByOne,
      'rows per recipient': 2,
    },
    comparisons: [
      {
        claim: `against bulk inserts, ${fewName}`,
        variant: fewMany.few,
        peer: `bulk, ${fewName}`,
        figure,
        target: { atLeast: 0.5 },
      },
      {
        claim: `against bulk inserts, ${manyName}`,
        variant: fewMany.many,
        peer: `bulk, ${manyName}`,
        figure,
        target: { atLeast: 0.5 },
      },
      { claim: 'against one by one', variant: fewMany.few, peer: 'one by one', figure, target: { atLeast: 30 } },
      { claim: 'memory', variant: fewMany.many, peer: fewMany.few, figure: 'peak MiB', target: { atMost: 1.25 } },
    ],
    measureRound: () =>
      measureInTurn({
        [fewMany.few]: () => measureFanOut(few),
        [fewMany.many]: () => measureFanOut(many),
        [`bulk, ${fewName}`]: () => measurePeer(few, { step: 'bulk', count: few.recipients }),
        [`bulk, ${manyName}`]: () => measurePeer(many, { step: 'bulk', count: many.recipients }),
        'one by one': () => measurePeer(few, { step: 'one by one', count: oneByOne }),
      }),
    close: async () => {
      await Promise.all([peer.stop(), few.worker.stop(), many.worker.stop()]);
      await Promise.all([few.template.drop(), many.template.drop()]);
    },
  };
}

async function layCourse(
  server: BenchServer,
  { recipients, peer }: { recipients: number; peer: BenchChild },
): Promise<Course> {
  const template = await server.createDatabase();
  const { database } = template;
  await publishActionWorkflow(database, {
    type: 'notification',
    title: 'Order {{ payload.id }}',
    message: '{{ payload.customer.name }} ordered for {{ payload.total }} {{ payload.currency }}',
  });
  // One user is there already.
  await database.pool.query(
    `insert into tocsin.directory_users (tenant_id, id, name, email)
     select $2, 'user-' || number, 'User ' || number, 'user-' || number || '@acme.example'
     from generate_series(2, $1::int) number`,
    [recipients, tenantId],
  );
  await database.pool.query(
    `insert into tocsin.directory_memberships (tenant_id, kind, name, user_id)
     select $2, 'role', 'sales', 'user-' || number from generate_series(2, $1::int) number`,
    [recipients, tenantId],
  );
  await keepOrderEvents(database, 1);
  await fillNewEvents(database, { count: 1 });
  await database.pool.query('vacuum analyze');
  await template.close();
  const worker = await BenchChild.start(new URL('../processes/fan-out-tasks.ts', import.meta.url));
  return { server, template, recipients, worker, peer };
}

async function measureFanOut(course: Course, { learns = false } = {}): Promise<Figures> {
  const { server, template, recipients, worker, peer } = course;
  const copy = await server.createDatabase(template.name);
  const task = { databaseUrl: copy.url, count: recipients };
  try {
    const { usage, result } = await server.measureWith(() => worker.ask<FanOutTask>({ ...task, step: 'run' }));
    if (learns) await peer.run<FanOutTask>({ ...task, step: 'learn' });
    const broken = await brokenInvariants(copy.database, { isDrained: true });
    if (broken.length > 0) throw new WrongAnswer(broken);
    await checkTold(copy.database, recipients);
    return { ...figuresOf(recipients, { ...usage, nodeMs: result.nodeMs }), ...result.figures };
  } finally {
    await copy.drop();
  }
}

async function measurePeer(
  { server, template, peer }: Course,
  task: Pick<FanOutTask, 'step' | 'count'>,
): Promise<Figures> {
  const copy = await server.createDatabase(template.name);
  try {
    const { usage, result: nodeMs } = await server.measureWith(() =>
      peer.run<FanOutTask>({ ...task, databaseUrl: copy.url }),
    );
    await checkTold(copy.database, task.count);
    return figuresOf(task.count, { ...usage, nodeMs });
  } finally {
    await copy.drop();
  }
}

function figuresOf(count: number, usage: Parameters<typeof usagePer>[2]): Figures {
  return { 'recipients/s': (count / usage.ms) * 1000, ...usagePer('recipient', count, usage) };
}

async function checkTold({ pool }: Database, count: number): Promise<void> {
  const { rows } = await pool.query<{ told: number; different: number }>(
    `select count(*)::int as told, count(distinct n.user_id)::int as different
     from tocsin.notifications n join tocsin.deliveries d on d.id = n.id and d.recipient_id = n.user_id`,
  );
  const { told, different } = rows[0] ?? {};
  if (told !== count || different !== count)
    throw new WrongAnswer([`${told} of ${count} were told, ${different} of them different`]);
}
