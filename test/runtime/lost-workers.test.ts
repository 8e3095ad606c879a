import { describe, expect, test } from 'vitest';
import { lostAfterMs, lostWorkers } from '../../src/runtime/lost-workers.ts';
import type { ListedWorker } from '../../src/store/health.ts';

const here = { host: 'here', pid: 100, isAlive: (pid: number) => pid < 200 };
const listed = (change: Partial<ListedWorker>): ListedWorker => ({
  id: 'w',
  host: 'here',
  pid: 101,
  stages: ['match'],
  unseenMs: 1_000,
  isOlderThanProcess: true,
  ...change,
});
const isLost = (change: Partial<ListedWorker>) => lostWorkers([listed(change)], here).length === 1;

describe('lostWorkers', () => {
  test('a worker of this machine whose process is gone is lost at once', () => {
    expect(isLost({ pid: 201 })).toBe(true);
    expect(isLost({ pid: 101 })).toBe(false);
  });

  test('one of another machine is lost when it was not seen for a while', () => {
    expect(isLost({ host: 'there', pid: 201 })).toBe(false);
    expect(isLost({ host: 'there', pid: 201, unseenMs: lostAfterMs + 1 })).toBe(true);
  });

  test('one that has the number of this process is lost if it is from before it was started', () => {
    expect(isLost({ pid: 100, isOlderThanProcess: true })).toBe(true);
    expect(isLost({ pid: 100, isOlderThanProcess: false })).toBe(false);
  });

  test('one that comes back on the list lives, in a container that shares the name of this machine', () => {
    const there = listed({ pid: 201 });
    const takenOff = new Set([there.id]);
    expect(lostWorkers([there], { ...here, takenOff })).toEqual([]);
    expect(lostWorkers([{ ...there, unseenMs: lostAfterMs + 1 }], { ...here, takenOff })).toHaveLength(1);
  });
});
