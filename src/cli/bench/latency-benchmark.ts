import { once } from 'node:events';
import { installCapture } from '../../capture/install-capture.ts';
import { WakeUpListener } from '../../capture/wake-up-listener.ts';
import { unwrap } from '../../model/result.ts';
import { Drain } from '../../runtime/drain.ts';
import { type Connection, connect } from '../../store/connection.ts';
import type { Tocsin } from '../../tocsin.ts';
import { type Benchmark, type PreparedBenchmark, type Scale, WrongAnswer } from './benchmark.ts';
import {
  latencyComparisons,
  latencySettings,
  measureLatencies,
  type OrderSenders,
  wrongNotifications,
} from './latency-rounds.ts';
import { createListenedOrderTable, listenedChannel } from './listened-order-table.ts';
import { createOrderTable, insertOrder } from './order-table.ts';
import type { ScratchDatabase, ScratchServer } from './scratch-server.ts';
import { layWorkflows, openTocsin } from './scratch-tocsin.ts';

/** How long after an order is sent somebody knows of it, while nothing else happens. */
export const latencyBenchmark: Benchmark<ScratchServer> = {
  name: 'latency',
  about:
    'Idle system, one order at a time, both variants in turn: from sending the INSERT to the match stage having the event, and to its in-app notification being committed; against a raw LISTEN of a committed row (row trigger, the id in the NOTIFY). Writer, drain and listener are one process.',
  prepare,
};

const soonMs = 10_000;

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
  const senders = sendersOf({ writer, listener, drain });
  await measureLatencies(senders, Math.min(samples, 50));
  return {
    settings: latencySettings(samples),
    comparisons: latencyComparisons,
    measureRound: async () => {
      const round = await measureLatencies(senders, samples);
      const wrong = await wrongNotifications(copy);
      if (wrong.length > 0) throw new WrongAnswer(wrong);
      return round;
    },
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

function sendersOf(parties: { writer: Connection; listener: Connection; drain: WatchedDrain }): OrderSenders {
  const { writer, listener, drain } = parties;
  return {
    listened: async () => {
      const told = once(listener, 'notification', { signal: AbortSignal.timeout(soonMs) }).then(() =>
        performance.now(),
      );
      const sentAt = performance.now();
      await writer.query({ ...insertOrder('listened_orders'), values: [1] });
      const acknowledged = performance.now() - sentAt;
      return { acknowledged, heard: (await told) - sentAt };
    },
    captured: async () => {
      const told = drain.next();
      const sentAt = performance.now();
      await writer.query({ ...insertOrder('orders'), values: [1] });
      const { handledAt, committedAt } = await told;
      return { handled: handledAt - sentAt, committed: committedAt - sentAt };
    },
  };
}
