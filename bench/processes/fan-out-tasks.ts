/** Tells many recipients of one event, or writes the rows that this comes to without deciding anything. */
import { Drain } from '../../src/runtime/drain.ts';
import { openDatabase } from '../../src/store/database.ts';
import { type FanOutRows, insertInBulk, insertOneByOne, readFanOut } from '../peers/fan-out-rows.ts';
import { createEngine } from '../workloads/drain-events.ts';
import { doTasks } from './child-process.ts';

/** `run`: match the event and execute. `learn`: read there what was written. `bulk`, `one by one`: write as many of it. */
export type FanOutTask = {
  readonly step: 'run' | 'learn' | 'bulk' | 'one by one';
  readonly databaseUrl: string;
  readonly count: number;
};

let learned: FanOutRows = [];

await doTasks<FanOutTask>(async ({ step, databaseUrl, count }) => {
  switch (step) {
    case 'run':
      return { 'peak MiB': await withPeakMemory(() => fanOut(databaseUrl)) };
    case 'learn': {
      const database = openDatabase({ databaseUrl });
      learned = await readFanOut(database.pool);
      await database.close();
      return;
    }
    case 'bulk':
      await insertInBulk(databaseUrl, learned.slice(0, count));
      return;
    case 'one by one':
      await insertOneByOne(databaseUrl, learned.slice(0, count));
      return;
  }
});

async function fanOut(databaseUrl: string): Promise<void> {
  const database = openDatabase({ databaseUrl });
  const engine = createEngine(database);
  await engine.warmUp();
  await new Drain({ database, processor: engine }).runOnce();
  while ((await engine.executeDue(20, new AbortController().signal)) > 0);
  await database.close();
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
