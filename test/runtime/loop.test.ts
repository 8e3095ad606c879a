import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { Loop } from '../../src/runtime/loop.ts';

describe('Loop', () => {
  test('runs again at once while there is work, and rests when there is none until it is woken', async () => {
    const counts = [3, 2, 0, 1, 0];
    const loop = new Loop({ name: 'test', intervalMs: 60_000, runOnce: async () => counts.shift() ?? 0 });
    const ran: number[] = [];
    loop.on('ran', (count) => ran.push(count));
    loop.start();
    await once(loop, 'resting');
    expect(ran).toEqual([3, 2, 0]);
    loop.wake();
    await once(loop, 'resting');
    expect(ran).toEqual([3, 2, 0, 1, 0]);
    await loop.stop();
  });

  test('does not lose a wake-up that comes while it runs', async () => {
    let runs = 0;
    const loop = new Loop({
      name: 'test',
      intervalMs: 60_000,
      runOnce: async () => {
        runs += 1;
        if (runs === 1) loop.wake();
        return 0;
      },
    });
    loop.start();
    while (runs < 2) await once(loop, 'ran');
    await loop.stop();
    expect(runs).toBeGreaterThanOrEqual(2);
  });

  test('reports an error and goes on', async () => {
    let runs = 0;
    const loop = new Loop({
      name: 'test',
      intervalMs: 60_000,
      maxErrorDelayMs: 1,
      runOnce: async () => {
        runs += 1;
        if (runs === 1) throw new Error('the first time');
        return 0;
      },
    });
    const failed = once(loop, 'failed');
    loop.start();
    const [error] = await failed;
    expect((error as Error).message).toBe('the first time');
    await once(loop, 'resting');
    await loop.stop();
  });

  test('stop waits for the run that is under way', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let isDone = false;
    const started = Promise.withResolvers<void>();
    const loop = new Loop({
      name: 'test',
      intervalMs: 1,
      runOnce: async () => {
        started.resolve();
        await promise;
        isDone = true;
        return 0;
      },
    });
    loop.start();
    await started.promise;
    const stopped = loop.stop();
    resolve();
    await stopped;
    expect(isDone).toBe(true);
  });

  test('refuses an interval that is none', () => {
    expect(() => new Loop({ name: 'test', intervalMs: 0, runOnce: async () => 0 })).toThrow(
      /intervalMs must be above 0/,
    );
  });
});
