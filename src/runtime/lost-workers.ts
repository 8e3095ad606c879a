import type { ListedWorker } from '../store/health.ts';

/** Three heartbeats: a worker that was not seen for so long is gone, or does nothing. */
export const lostAfterMs = 30_000;

/** The process that asks. */
export type ThisProcess = {
  readonly host: string;
  readonly pid: number;
  readonly isAlive: (pid: number) => boolean;
  /** Workers that were taken off the list as lost before: one of them that is on it again lives. */
  readonly takenOff?: ReadonlySet<string>;
};

/**
 * Which of these workers ended without a word: one that stops takes itself off the list. On another machine that shows when it
 * is not seen for a while, on this one at once. In a container that was started again the process has the number it had before.
 * Containers can share the name of a machine and not its processes: what comes back on the list after that is believed.
 */
export function lostWorkers(
  listed: readonly ListedWorker[],
  { host, pid, isAlive, takenOff }: ThisProcess,
): ListedWorker[] {
  return listed.filter((worker) => {
    if (worker.unseenMs > lostAfterMs) return true;
    if (worker.host !== host || takenOff?.has(worker.id)) return false;
    return worker.pid === pid ? worker.isOlderThanProcess : !isAlive(worker.pid);
  });
}

/** Whether a process of this machine is there. */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // It is there, and is somebody else's.
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
