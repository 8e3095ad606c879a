/** Works off what one of the peers of the drain has to do; the clock runs in here, so that what it does once per start is left out. */
import { fillGraphileWorker, runGraphileWorker } from '../peers/graphile-worker.ts';
import { fillPgBoss, runPgBoss } from '../peers/pg-boss.ts';
import { runSeedEngine } from '../peers/seed-engine.ts';
import { doTasks } from './child-process.ts';

export type PeerTask = {
  readonly peer: 'graphile-worker' | 'graphile-worker, empty' | 'pg-boss' | 'pg-boss, all rows' | 'seed';
  /** `fill`: put the jobs in. `run`: work them off. */
  readonly step: 'fill' | 'run';
  readonly databaseUrl: string;
  readonly count: number;
};

await doTasks<PeerTask>(async (task) => {
  if (task.step === 'run') return { ms: await run(task) };
  if (task.peer === 'pg-boss' || task.peer === 'pg-boss, all rows') await fillPgBoss(task.databaseUrl, task.count);
  else if (task.peer !== 'seed') await fillGraphileWorker(task.databaseUrl, task.count);
  return;
});

function run({ peer, databaseUrl, count }: PeerTask): Promise<number> {
  switch (peer) {
    case 'graphile-worker':
      return runGraphileWorker(databaseUrl, { count, task: 'order' });
    case 'graphile-worker, empty':
      return runGraphileWorker(databaseUrl, { count, task: 'empty' });
    case 'pg-boss':
      return runPgBoss(databaseUrl, { count, rows: 'plain' });
    case 'pg-boss, all rows':
      return runPgBoss(databaseUrl, { count, rows: 'kept' });
    case 'seed':
      return runSeedEngine(databaseUrl, count);
  }
}
