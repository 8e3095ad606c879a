import { Worker } from 'node:worker_threads';

const beatMs = 500;

/**
 * What the thread runs. It counts beats that do not come, not time: a process that was stopped as a whole - by a debugger,
 * with its machine - goes on with both threads at once, and has as long as ever to beat again.
 */
const thread = `
const { workerData } = require('node:worker_threads');
const { writeSync } = require('node:fs');
const { beats, beatMs, hangMs } = workerData;
let silentMs = 0;
for (let seen = Atomics.load(beats, 0); silentMs < hangMs; ) {
  Atomics.wait(beats, 0, seen, 2 * beatMs);
  const count = Atomics.load(beats, 0);
  silentMs = count === seen ? silentMs + 2 * beatMs : 0;
  seen = count;
}
const msg = 'the process stood still for ' + silentMs + ' ms and is ended: what it had in hand is tried again';
try {
  writeSync(2, JSON.stringify({ level: 60, time: Date.now(), pid: process.pid, msg }) + '\\n');
} finally {
  process.kill(process.pid, 'SIGKILL');
}
`;

/**
 * Ends the process when its event loop stands still for `hangMs` (rounded up to seconds): code that never returns cannot be
 * interrupted from within, and what the process holds is free only when it is gone. For processes that somebody starts again.
 */
export function startWatchdog(hangMs: number): void {
  const beats = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const watcher = new Worker(thread, { eval: true, execArgv: [], workerData: { beats, beatMs, hangMs } });
  watcher.unref();
  const timer = setInterval(() => {
    Atomics.add(beats, 0, 1);
    Atomics.notify(beats, 0);
  }, beatMs);
  timer.unref();
}
