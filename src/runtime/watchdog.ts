import { Worker } from 'node:worker_threads';

const beatMs = 500;

/**
 * What the thread runs. It sleeps until the next beat; when none comes in time it looks once more, because a process that was
 * stopped as a whole goes on with both threads at once.
 */
const thread = `
const { workerData } = require('node:worker_threads');
const { writeSync } = require('node:fs');
const { beats, hangMs, graceMs } = workerData;
for (;;) {
  const seen = Atomics.load(beats, 0);
  if (Atomics.wait(beats, 0, seen, hangMs) !== 'timed-out') continue;
  if (Atomics.wait(beats, 0, seen, graceMs) !== 'timed-out') continue;
  const msg = 'the process stood still for ' + hangMs + ' ms and is ended: what it had in hand is tried again';
  writeSync(2, JSON.stringify({ level: 60, time: Date.now(), pid: process.pid, msg }) + '\\n');
  process.kill(process.pid, 'SIGKILL');
}
`;

/**
 * Ends the process when its event loop stands still for `hangMs`: code that never returns cannot be interrupted from within, and
 * what the process holds is free only when it is gone. For processes that somebody starts again.
 */
export function startWatchdog(hangMs: number): void {
  const beats = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const watcher = new Worker(thread, { eval: true, workerData: { beats, hangMs, graceMs: 2 * beatMs } });
  watcher.unref();
  const timer = setInterval(() => {
    Atomics.add(beats, 0, 1);
    Atomics.notify(beats, 0);
  }, beatMs);
  timer.unref();
}
