import { fillOutbox, keepOrderEvents } from '../../src/cli/bench/order-workload.ts';
import { type ScratchDatabase, usagePer } from '../../src/cli/bench/scratch-server.ts';
import type { WorkflowInput } from '../../src/model/workflow.ts';
import type { Database } from '../../src/store/database.ts';
import { brokenInvariants } from '../../test/support/invariants.ts';
import { type Benchmark, type Figures, measureInTurn, type PreparedBenchmark, WrongAnswer } from '../benchmark.ts';
import type { BenchServer } from '../measure/server.ts';
import { httpConnections, smtpConnections } from '../peers/raw-senders.ts';
import { BenchChild } from '../processes/child-process.ts';
import type { ArrivalTask } from '../processes/http-receiver.ts';
import type { SenderTask } from '../processes/sender-tasks.ts';
import type { WorkerTask } from '../processes/worker-tasks.ts';
import { drainEvents } from '../workloads/drain-events.ts';
import { publishActionWorkflow } from '../workloads/order-events.ts';

/** How many webhooks a second leave one worker. */
export const webhooksBenchmark: Benchmark = {
  name: 'webhooks',
  about:
    'Webhooks that wait, made by one worker to a receiver that answers at once, over connections that stay open, each attempt claimed, leased, recorded and its execution finished; against a loop that posts with a pool of undici. Both have as many requests to the receiver under way as the option endpointConcurrency lets through. Sender and receiver are processes of their own. The worker has been running and made other deliveries before; the clock runs from the commit that makes these due until the last outcome is recorded.',
  prepare: (server, scaled) => prepare({ server, channel: webhooks, count: scaled(6_000) }),
};

/** How many mails a second leave one worker. */
export const mailsBenchmark: Benchmark = {
  name: 'mails',
  about:
    'Mails that wait, made by one worker to a server that takes them at once, each attempt claimed, leased, recorded and its execution finished; against a loop that sends with a pool of nodemailer over as many connections. Measured as webhooks are.',
  prepare: (server, scaled) => prepare({ server, channel: mails, count: scaled(2_500) }),
};

/** What the two have apart. */
type Channel = {
  readonly unit: string;
  readonly receiver: URL;
  readonly peer: string;
  readonly atLeast: number;
  readonly url: (port: number) => string;
  readonly action: (url: string) => WorkflowInput['actions'][number];
  readonly settings: Readonly<Record<string, string | number>>;
};

/** Attempts at once: the worker's default. */
const concurrency = 50;
/** Deliveries that a worker makes before those that are measured: its code is compiled, its connections stand. */
const warmUps = 1_000;

const webhooks: Channel = {
  unit: 'webhook',
  receiver: new URL('../processes/http-receiver.ts', import.meta.url),
  peer: 'undici pool',
  atLeast: 0.5,
  url: (port) => `http://127.0.0.1:${port}`,
  action: (url) => ({
    type: 'webhook',
    url: `${url}/hook`,
    payload: {
      type: 'order.insert',
      order: '{{ payload.id }}',
      total: '{{ payload.total }}',
      customer: '{{ payload.customer.name }}',
      note: '{{ payload.note }}',
    },
  }),
  settings: { 'requests at once, of each': httpConnections, 'attempts of the worker at once': concurrency },
};

const mails: Channel = {
  unit: 'mail',
  receiver: new URL('../processes/smtp-sink.ts', import.meta.url),
  peer: 'nodemailer pool',
  atLeast: 0.6,
  url: (port) => `smtp://127.0.0.1:${port}`,
  action: () => ({
    type: 'email',
    subject: 'Order {{ payload.id }}',
    text: '{{ payload.customer.name }} ordered for {{ payload.total }} {{ payload.currency }}',
  }),
  settings: { 'connections of each': smtpConnections, 'attempts of the worker at once': concurrency },
};

type Parties = {
  readonly server: BenchServer;
  readonly channel: Channel;
  readonly count: number;
  readonly template: ScratchDatabase;
  readonly receiver: BenchChild;
  readonly worker: BenchChild;
  readonly sender: BenchChild;
};

async function prepare(options: Pick<Parties, 'server' | 'channel' | 'count'>): Promise<PreparedBenchmark> {
  const { server, channel, count } = options;
  const receiver = await BenchChild.start(channel.receiver);
  const parties: Parties = {
    ...options,
    receiver,
    template: await layTemplate(server, { action: channel.action(channel.url(receiver.port)), count }),
    worker: await BenchChild.start(new URL('../processes/worker-tasks.ts', import.meta.url)),
    sender: await BenchChild.start(new URL('../processes/sender-tasks.ts', import.meta.url)),
  };
  const variants = { Tocsin: () => measureWorker(parties), [channel.peer]: () => measureSender(parties) };
  for (const warmUp of Object.values(variants)) await warmUp();
  const pair = { variant: 'Tocsin', peer: channel.peer };
  return {
    settings: { [`${channel.unit}s`]: count, 'before them': warmUps, ...channel.settings },
    comparisons: [
      { claim: 'throughput', ...pair, figure: `${channel.unit}s/s`, target: { atLeast: channel.atLeast } },
      { claim: 'Node CPU', ...pair, figure: `Node us/${channel.unit}` },
    ],
    measureRound: () => measureInTurn(variants),
    close: async () => {
      await Promise.all([receiver.stop(), parties.worker.stop(), parties.sender.stop()]);
      await parties.template.drop();
    },
  };
}

/** A database with so many deliveries planned, and those that warm up: kept aside, to be put in their place in one statement. */
async function layTemplate(
  server: BenchServer,
  { action, count }: { action: WorkflowInput['actions'][number]; count: number },
): Promise<ScratchDatabase> {
  const template = await server.createDatabase();
  await publishActionWorkflow(template.database, action);
  const { pool } = template.database;
  await keepOrderEvents(template.database, warmUps + count);
  await fillOutbox(template.database);
  await drainEvents(template.database, warmUps + count);
  await pool.query(
    `create table bench.first_deliveries as select * from tocsin.deliveries order by id limit ${warmUps}`,
  );
  await pool.query(
    `create table bench.deliveries as
     select * from tocsin.deliveries where id not in (select id from bench.first_deliveries)`,
  );
  await pool.query('truncate tocsin.deliveries');
  await pool.query('analyze');
  await template.close();
  return template;
}

async function measureWorker({ server, channel, count, template, receiver, worker }: Parties): Promise<Figures> {
  const copy = await server.createDatabase(template.name);
  const made = async (expected: number) => {
    const arrived = receiver.ask<ArrivalTask>({ expect: expected });
    await worker.run<WorkerTask>({ step: 'wake' });
    checkArrivals((await arrived).figures, expected);
    await untilNothingWaits(copy.database);
  };
  try {
    await worker.run<WorkerTask>({
      step: 'start',
      databaseUrl: copy.url,
      stages: ['deliver'],
      concurrency,
      ...(channel.unit === 'mail' ? { smtpUrl: channel.url(receiver.port) } : {}),
    });
    await (await putInPlace(copy.database, 'bench.first_deliveries')).commit();
    await made(warmUps);
    const before = await worker.ask<WorkerTask>({ step: 'wake' });
    const waiting = await putInPlace(copy.database, 'bench.deliveries');
    const { usage } = await server.measureWith(async () => {
      await waiting.commit();
      await made(count);
    });
    const after = await worker.ask<WorkerTask>({ step: 'stop' });
    await checkDeliveries(copy.database, warmUps + count);
    const nodeMs = (after.figures['Node ms'] ?? 0) - (before.figures['Node ms'] ?? 0);
    return figuresOf(channel, count, { ...usage, nodeMs });
  } finally {
    await copy.drop();
  }
}

/** Puts deliveries that were kept aside in their place, for others to see when it is committed. */
async function putInPlace({ pool }: Database, from: string): Promise<{ commit: () => Promise<void> }> {
  const client = await pool.connect();
  await client.query('begin');
  await client.query(`insert into tocsin.deliveries select * from ${from} order by id`);
  return {
    commit: async () => {
      await client.query('commit');
      client.release();
    },
  };
}

async function measureSender({ server, channel, count, receiver, sender }: Parties): Promise<Figures> {
  const arrived = receiver.ask<ArrivalTask>({ expect: count });
  const { usage, result: nodeMs } = await server.measureWith(async () => {
    const ms = await sender.run<SenderTask>({ to: channel.url(receiver.port), count });
    await arrived;
    return ms;
  });
  checkArrivals((await arrived).figures, count);
  return figuresOf(channel, count, { ...usage, nodeMs });
}

function figuresOf(channel: Channel, count: number, usage: Parameters<typeof usagePer>[2]): Figures {
  return { [`${channel.unit}s/s`]: (count / usage.ms) * 1000, ...usagePer(channel.unit, count, usage) };
}

/** Each arrived, and none twice: nobody crashed. */
function checkArrivals(figures: Figures, count: number): void {
  const { arrivals, 'different ids': ids } = figures;
  if (arrivals !== count || ids !== count)
    throw new WrongAnswer([`${count} came as ${arrivals}, of which ${ids} differ`]);
}

async function untilNothingWaits({ pool }: Database): Promise<void> {
  while ((await pool.query(`select 1 from tocsin.deliveries where status = 'pending' limit 1`)).rows.length > 0);
}

async function checkDeliveries(database: Database, count: number): Promise<void> {
  const { rows } = await database.pool.query<{ delivered: number; succeeded: number }>(
    `select (select count(*)::int from tocsin.deliveries where status = 'delivered') as delivered,
       (select count(*)::int from tocsin.executions where status = 'success') as succeeded`,
  );
  const { delivered, succeeded } = rows[0] ?? {};
  const broken = await brokenInvariants(database, { isDrained: true });
  if (delivered !== count || succeeded !== count)
    broken.push(`${count} deliveries: ${delivered} delivered, ${succeeded} executions succeeded`);
  if (broken.length > 0) throw new WrongAnswer(broken);
}
