/** Drains outboxes that others may drain at the same time, with what a worker does once per start told apart. */
import { Drain } from '../../src/runtime/drain.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { createEngine } from '../workloads/drain-events.ts';
import { doTasks } from './child-process.ts';

/**
 * `open`: connect and load the definitions. `drain`: until nothing is left that nobody holds; answers the most memory that the process
 * has had. `close`: disconnect.
 */
export type OutboxTask =
  | { readonly step: 'open'; readonly databaseUrl: string }
  | { readonly step: 'drain' }
  | { readonly step: 'close' };

const lanes = 2;
let opened: { readonly database: Database; readonly drain: Drain } | undefined;

await doTasks<OutboxTask>(async (task) => {
  switch (task.step) {
    case 'open': {
      const startedAt = performance.now();
      const database = openDatabase({ databaseUrl: task.databaseUrl });
      const engine = createEngine(database);
      await engine.warmUp();
      opened = { database, drain: new Drain({ database, processor: engine }) };
      return { 'start ms': performance.now() - startedAt };
    }
    case 'drain':
      await Promise.all(Array.from({ length: lanes }, () => opened?.drain.runOnce()));
      return { 'peak RSS MiB': process.resourceUsage().maxRSS / 1024 };
    case 'close':
      await opened?.database.close();
      return;
  }
});
