import type { ScratchDatabase } from '../../src/cli/bench/scratch-server.ts';
import { untilDrained } from '../workloads/check-capture.ts';
import { BenchChild } from './child-process.ts';

/** Runs `work` beside a drain that has nothing left to do when it begins, and waits until it has nothing again. */
export async function besideDrain<T>({ url, database }: ScratchDatabase, work: () => Promise<T>): Promise<T> {
  const drain = await BenchChild.start(new URL('../processes/drain-process.ts', import.meta.url), [url]);
  try {
    await untilDrained(database);
    const result = await work();
    await untilDrained(database);
    return result;
  } finally {
    await drain.stop();
  }
}
