/** Works off what the peers of the drain have to do, with what they do once per start told apart. */
import { openGraphileWorker } from '../peers/graphile-worker.ts';
import type { EventRange, JobQueue } from '../peers/job-queue.ts';
import { openPgBoss } from '../peers/pg-boss.ts';
import { openSeedEngine } from '../peers/seed-engine.ts';
import { doTasks } from './child-process.ts';

/** `open`: connect and load what is needed. `fill`: put jobs in. `run`: work them off. `close`: disconnect. */
export type PeerTask =
  | { readonly step: 'open'; readonly peer: PeerName; readonly databaseUrl: string }
  | ({ readonly step: 'fill' | 'run' } & EventRange)
  | { readonly step: 'close' };

const peers = {
  'graphile-worker': (url: string) => openGraphileWorker(url, 'order'),
  'graphile-worker, empty': (url: string) => openGraphileWorker(url, 'empty'),
  'pg-boss': (url: string) => openPgBoss(url, 'plain'),
  'pg-boss, all rows': (url: string) => openPgBoss(url, 'kept'),
  seed: openSeedEngine,
} satisfies Record<string, (databaseUrl: string) => Promise<JobQueue>>;
export type PeerName = keyof typeof peers;

let opened: JobQueue | undefined;

await doTasks<PeerTask>(async (task) => {
  switch (task.step) {
    case 'open':
      opened = await peers[task.peer](task.databaseUrl);
      return;
    case 'fill':
      await opened?.fill(task);
      return;
    case 'run':
      return { ms: (await opened?.run(task)) ?? 0 };
    case 'close':
      await opened?.close();
      return;
  }
});
