import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { installCapture } from '../../capture/install-capture.ts';
import { WakeUpListener } from '../../capture/wake-up-listener.ts';
import { unwrap } from '../../model/result.ts';
import { Drain } from '../../runtime/drain.ts';
import { type Connection, connect } from '../../store/connection.ts';
import type { Tocsin } from '../../tocsin.ts';
import {
  type Benchmark,
  type Figures,
  type PreparedBenchmark,
  type Round,
  type Scale,
  WrongAnswer,
} from './benchmark.ts';
import { createListenedOrderTable, listenedChannel } from './listened-order-table.ts';
import { createOrderTable, insertOrder } from './order-table.ts';
import type { ScratchDatabase, ScratchServer } from './scratch-server.ts';
import { layWorkflows, openTocsin } from './scratch-tocsin.ts';
import { quantile } from './statistics.ts';

/** How long after an order is sent somebody knows of it, while nothing else happens. */
export const latencyBenchmark: Benchmark<ScratchServer> = {
  name: 'latency',
  about:
    'Idle system, one order at a time, both variants in turn: from sending the INSERT to the match stage having the event, and to its in-app notification being committed; against a raw LISTEN of a committed row (row trigger, the id in the NOTIFY). Writer, drain and listener are one process.',
  prepare,
};

/** Between two orders, so that none meets what the one before left to do. */
const pauseMs = { least: 2, most: 8 };
const soonMs = 10_000;

type Parties = {
  readonly copy: ScratchDatabase;
  readonly writer: Connection;
  readonly listener: Connection;
  readonly drain: WatchedDrain;
};

async function prepare(server: ScratchServer, scaled: Scale): Promise<PreparedBenchmark> {
  const samples = scaled(100);
  const copy = await server.createDatabase();
  await layWorkflows(copy.url);
  await createOrderTable(copy.database, 'orders');
  unwrap(
    await installCapture(copy.database, { table: 'public.orders', entityType: 'order', tenantColumn: 'tenant_id' }),
  );
  await createListenedOrderTable(copy.database, 'listened_orders');
  const tocsin = await openTocsin(copy.url);
  const [writer, listener] = await Promise.all([connectTo(copy), connectTo(copy)]);
  await listener.query(`listen ${listenedChannel}`);
  const drain = await startDrain(tocsin);
  const parties: Parties = { copy, writer, listener, drain };
  await measureRound(parties, Math.min(samples, 50));
  const handled = { claim: 'commit to match handler', variant: variants.handled, peer: variants.heard };
  const visible = { claim: 'commit to notification', variant: variants.committed, peer: variants.heard };
  return {
    settings: { 'orders per round': samples, 'pause ms': `${pauseMs.least}-${pauseMs.most}` },
    comparisons: [
      { ...handled, figure: 'p50 ms', target: { atMost: 1.5 } },
      { ...handled, figure: 'p99 ms', target: { atMost: 1.3 } },
      { ...visible, figure: 'p50 ms', target: { atMost: 4 } },
      { ...visible, figure: 'p99 ms', target: { atMost: 3 } },
    ],
    measureRound: () => measureRound(parties, samples),
    close: async () => {
      await drain.stop();
      await Promise.all([writer.end(), listener.end()]);
      await tocsin.close();
      await copy.drop();
    },
  };
}

function connectTo({ database }: ScratchDatabase): Promise<Connection> {
  return connect(database, { applicationName: 'tocsin bench', answerWithinMs: soonMs, onError: () => undefined });
}

/** A drain that tells when it was handed events, when what they came to was committed, and when it sleeps. */
type WatchedDrain = {
  /** Resolves when the next event went through and the drain sleeps again: the moments, as `performance.now()`. */
  readonly next: () => Promise<{ handledAt: number; committedAt: number }>;
  readonly stop: () => Promise<void>;
};

async function startDrain(tocsin: Tocsin): Promise<WatchedDrain> {
  const { database, engine } = tocsin;
  await engine.warmUp();
  let handledAt = 0;
  let committedAt = 0;
  const drain = new Drain({
    database,
    processor: {
      prepare: async (...batch) => {
        handledAt = performance.now();
        const { write, committed } = await engine.prepare(...batch);
        return {
          write,
          committed: () => {
            committedAt = performance.now();
            committed();
          },
        };
      },
    },
  });
  const listener = new WakeUpListener({
    connectionConfig: database.connectionConfig,
    onWake: () => drain.wake(),
    onLost: () => undefined,
  });
  await listener.start();
  const asleep = once(drain, 'asleep');
  drain.start();
  await asleep;
  return {
    next: async () => {
      const before = committedAt;
      while (committedAt === before) await once(drain, 'asleep', { signal: AbortSignal.timeout(soonMs) });
      return { handledAt, committedAt };
    },
    stop: async () => {
      await drain.stop();
      await listener.stop();
    },
  };
}

const variants = {
  acknowledged: 'commit acknowledged',
  heard: 'raw LISTEN',
  handled: 'Tocsin: match stage has the event',
  committed: 'Tocsin: notification committed',
};

async function measureRound(parties: Parties, samples: number): Promise<Round> {
  const ms = {
    acknowledged: [] as number[],
    heard: [] as number[],
    handled: [] as number[],
    committed: [] as number[],
  };
  for (let sample = 0; sample < samples; sample++) {
    const listened = await sendListened(parties);
    ms.acknowledged.push(listened.acknowledged);
    ms.heard.push(listened.heard);
    const captured = await sendCaptured(parties);
    ms.handled.push(captured.handled);
    ms.committed.push(captured.committed);
  }
  await checkNotifications(parties.copy);
  return Object.fromEntries(
    Object.entries(variants).map(([key, variant]) => [variant, percentiles(ms[key as keyof typeof ms])]),
  );
}

async function sendListened({ writer, listener }: Parties): Promise<{ acknowledged: number; heard: number }> {
  const heard = once(listener, 'notification', { signal: AbortSignal.timeout(soonMs) }).then(() => performance.now());
  const sentAt = performance.now();
  await writer.query({ ...insertOrder('listened_orders'), values: [1] });
  const acknowledged = performance.now() - sentAt;
  const heardAt = await heard;
  await pause();
  return { acknowledged, heard: heardAt - sentAt };
}

async function sendCaptured({ writer, drain }: Parties): Promise<{ handled: number; committed: number }> {
  const told = drain.next();
  const sentAt = performance.now();
  await writer.query({ ...insertOrder('orders'), values: [1] });
  const { handledAt, committedAt } = await told;
  await pause();
  return { handled: handledAt - sentAt, committed: committedAt - sentAt };
}

function pause(): Promise<void> {
  return wait(pauseMs.least + Math.random() * (pauseMs.most - pauseMs.least));
}

function percentiles(ms: readonly number[]): Figures {
  return { 'p50 ms': quantile(ms, 0.5), 'p99 ms': quantile(ms, 0.99) };
}

/** Every captured order has one notification. */
async function checkNotifications({ database }: ScratchDatabase): Promise<void> {
  const { rows } = await database.pool.query<{ orders: number; told: number }>(
    `select (select count(*)::int from public.orders) as orders, (select count(*)::int from tocsin.notifications) as told`,
  );
  const { orders = 0, told = -1 } = rows[0] ?? {};
  if (orders !== told) throw new WrongAnswer([`${orders} orders came to ${told} notifications`]);
}
