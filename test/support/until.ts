import { setTimeout as wait } from 'node:timers/promises';

/** Waits for something that another process does and no event here tells: asks every 20 ms, fails after `withinMs`. */
export async function until(what: string, isSo: () => Promise<boolean>, withinMs = 10_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await isSo())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await wait(20);
  }
}
