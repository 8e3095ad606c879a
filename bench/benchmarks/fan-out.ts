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
    'One event, told to up to 10,000 and to 100,000 users of a role in their inboxes: matched, recipients resolved page by page, a delivery and an inbox row each; against bare bulk inserts of the same rows in pages of 2,000, and against one transaction per recipient (fewer: rates are compared). Everybody has connected and told some recipients of another tenant before the clock starts. Memory is the most that the process held meanwhile.',
  prepare,
};

/** Who is told before the clock starts. */
const before = { tenantId: 'tenant-0', count: 500 };

const title = 'Order {{ payload.id }}';
const message = '{{ payload.customer.name }} ordered for {{ payload.total }} {{ payload.currency }}';

type Course = {
  readonly server: BenchServer;
  /** A database where everything is but the events. */
  readonly template: ScratchDatabase;
  readonly recipients: number;
  /** One process for each number of recipients: their memory is compared. */
  readonly worker: BenchChild;
  readonly peer: BenchChild;
};

async function prepare(server: BenchServer, scaled: Scale): Promise<PreparedBenchmark> {
  const peer = await BenchChild.start(new URL('../processes/fan-out-tasks.ts', import.meta.url));
  // At the usual scale as many as it is about: what a fan-out costs beside its pages shows in small ones.
  const few = await layCourse(server, { recipients: scaled(25_000), peer });
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
      'before them, of each': before.count,
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
        [`bulk, ${fewName}`]: () => measurePeer(few, { variant: 'bulk', count: few.recipients }),
        [`bulk, ${manyName}`]: () => measurePeer(many, { variant: 'bulk', count: many.recipients }),
        'one by one': () => measurePeer(few, { variant: 'one by one', count: oneByOne }),
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
  for (const { tenantId: tenant, count } of [{ tenantId, count: recipients }, before]) {
    const action = { type: 'notification', title, message } as const;
    await publishActionWorkflow(database, action, tenant);
    await addSales(database, { tenant, count });
  }
  await keepOrderEvents(database, 1);
  await database.pool.query('vacuum analyze');
  await template.close();
  const worker = await BenchChild.start(new URL('../processes/fan-out-tasks.ts', import.meta.url));
  return { server, template, recipients, worker, peer };
}

/** So many users of the role that is told; one is there already. */
async function addSales({ pool }: Database, { tenant, count }: { tenant: string; count: number }): Promise<void> {
  await pool.query(
    `insert into tocsin.directory_users (tenant_id, id, name, email)
     select $2, 'user-' || number, 'User ' || number, 'user-' || number || '@acme.example'
     from generate_series(2, $1::int) number`,
    [count, tenant],
  );
  await pool.query(
    `insert into tocsin.directory_memberships (tenant_id, kind, name, user_id)
     select $2, 'role', 'sales', 'user-' || number from generate_series(2, $1::int) number`,
    [count, tenant],
  );
}

async function measureFanOut(course: Course, { learns = false } = {}): Promise<Figures> {
  const { recipients: count, worker, peer } = course;
  return measureOn(course, { teller: worker, variant: 'Tocsin', count }, async ({ database, url }) => {
    if (learns) await peer.run<FanOutTask>({ step: 'learn', databaseUrl: url });
    const broken = await brokenInvariants(database, { isDrained: true });
    if (broken.length > 0) throw new WrongAnswer(broken);
  });
}

async function measurePeer(course: Course, task: { variant: 'bulk' | 'one by one'; count: number }): Promise<Figures> {
  return measureOn(course, { ...task, teller: course.peer }, async () => undefined);
}

/** Has so many told in a copy. `check` looks at what stands there then. */
async function measureOn(
  { server, template }: Course,
  { teller, variant, count }: { teller: BenchChild; variant: 'Tocsin' | 'bulk' | 'one by one'; count: number },
  check: (copy: ScratchDatabase) => Promise<void>,
): Promise<Figures> {
  const copy = await server.createDatabase(template.name);
  try {
    await teller.run<FanOutTask>({ step: 'open', databaseUrl: copy.url, variant });
    await fillNewEvents(copy.database, { count: 1, tenants: 1 });
    await teller.run<FanOutTask>({ step: 'tell', ...before });
    await fillNewEvents(copy.database, { count: 1 });
    const { usage, result } = await server.measureWith(() => teller.ask<FanOutTask>({ step: 'tell', tenantId, count }));
    await teller.run<FanOutTask>({ step: 'close' });
    await check(copy);
    await checkTold(copy.database, count);
    const memory = variant === 'Tocsin' ? result.figures : {};
    return { ...figuresOf(count, { ...usage, nodeMs: result.nodeMs }), ...memory };
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
     from tocsin.notifications n join tocsin.deliveries d on d.id = n.id and d.recipient_id = n.user_id
     where n.tenant_id = $1`,
    [tenantId],
  );
  const { told, different } = rows[0] ?? {};
  if (told !== count || different !== count)
    throw new WrongAnswer([`${told} of ${count} were told, ${different} of them different`]);
}
