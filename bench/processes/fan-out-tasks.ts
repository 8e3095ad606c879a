/** Tells many recipients of one event, or writes the rows that this comes to without deciding anything. */
import { Drain } from '../../src/runtime/drain.ts';
import { openDatabase } from '../../src/store/database.ts';
import { connectBulk, connectOneByOne, type FanOutRows, readFanOut } from '../peers/fan-out-rows.ts';
import { createEngine } from '../workloads/drain-events.ts';
import { doTasks } from './child-process.ts';

/**
 * `open`: connect, as Tocsin or one of the peers. `tell`: match the event that waits and tell its recipients, or write as many rows of
 * the tenant. `close`: disconnect. `learn`: read there what was written.
 */
export type FanOutTask =
  | { readonly step: 'open'; readonly databaseUrl: string; readonly variant: 'Tocsin' | 'bulk' | 'one by one' }
  | { readonly step: 'tell'; readonly tenantId: string; readonly count: number }
  | { readonly step: 'close' }
  | { readonly step: 'learn'; readonly databaseUrl: string };

type Opened = {
  readonly tell: (task: { tenantId: string; count: number }) => Promise<void>;
  readonly close: () => Promise<void>;
};

let learned: ReadonlyMap<string, FanOutRows> = new Map();
let opened: Opened | undefined;

await doTasks<FanOutTask>(async (task) => {
  switch (task.step) {
    case 'open':
      opened = await open(task);
      return;
    case 'tell':
      return { 'peak MiB': await withPeakMemory(async () => opened?.tell(task)) };
    case 'close':
      await opened?.close();
      return;
    case 'learn': {
      const database = openDatabase({ databaseUrl: task.databaseUrl });
      learned = await readFanOut(database.pool);
      await database.close();
      return;
    }
  }
});

async function open({ databaseUrl, variant }: Extract<FanOutTask, { step: 'open' }>): Promise<Opened> {
  if (variant === 'Tocsin') return openTocsin(databaseUrl);
  const peer = await (variant === 'bulk' ? connectBulk : connectOneByOne)(databaseUrl);
  return {
    tell: ({ tenantId, count }) => peer.write(learned.get(tenantId)?.slice(0, count) ?? []),
    close: peer.close,
  };
}

async function openTocsin(databaseUrl: string): Promise<Opened> {
  const database = openDatabase({ databaseUrl });
  const engine = createEngine(database);
  await engine.warmUp();
  const lane = await new Drain({ database, processor: engine }).connectLane();
  return {
    tell: async () => {
      await lane.drain();
      while ((await engine.executeDue(20, new AbortController().signal)) > 0);
    },
    close: async () => {
      await lane.close();
      await database.close();
    },
  };
}

/** The most memory, MiB, that the process held while `work` ran; looked at every 5 ms. */
async function withPeakMemory(work: () => Promise<void>): Promise<number> {
  let peak = process.memoryUsage.rss();
  const timer = setInterval(() => {
    peak = Math.max(peak, process.memoryUsage.rss());
  }, 5);
  await work();
  clearInterval(timer);
  return peak / 2 ** 20;
}
