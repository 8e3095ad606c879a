/** A whole worker, as `tocsin worker` runs it, on one database after another. */

import { nodeCpuMs } from '../../src/cli/bench/machine.ts';
import type { Stage } from '../../src/config.ts';
import { createTocsin, type Tocsin } from '../../src/tocsin.ts';
import { doTasks } from './child-process.ts';

/** `start` answers when the worker runs; `wake` tells it that deliveries wait. Both others answer the CPU time since, ms, as `Node ms`. */
export type WorkerTask =
  | {
      readonly step: 'start';
      readonly databaseUrl: string;
      readonly stages: readonly Stage[];
      /** Delivery attempts at once. */
      readonly concurrency: number;
      readonly smtpUrl?: string;
    }
  | { readonly step: 'wake' | 'stop' };

let running: { readonly tocsin: Tocsin; readonly cpuMsBefore: number } | undefined;

await doTasks<WorkerTask>(async (task) => {
  if (task.step === 'start') {
    const { databaseUrl, stages, concurrency, smtpUrl } = task;
    const tocsin = await createTocsin({
      databaseUrl,
      worker: { stages: [...stages], concurrency },
      webhooks: { allowHosts: ['127.0.0.1'] },
      ...(smtpUrl ? { smtp: { url: smtpUrl, from: 'shop@host.example' } } : {}),
    });
    running = { tocsin, cpuMsBefore: nodeCpuMs() };
    await tocsin.listener.start();
    return;
  }
  const { tocsin, cpuMsBefore = 0 } = running ?? {};
  if (task.step === 'wake') tocsin?.engine.emit('planned');
  else await tocsin?.close();
  return { 'Node ms': nodeCpuMs() - cpuMsBefore };
});
