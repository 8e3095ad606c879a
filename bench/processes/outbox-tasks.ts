/** Drains outboxes that others may drain at the same time, with what a worker does once per start told apart. */
import { Drain } from '../../src/runtime/drain.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { createEngine } from '../workloads/drain-events.ts';
import { doTasks } from './child-process.ts';

/**
 * `open`: connect all lanes and load the definitions. `drain`: until nothing is left that nobody holds; answers how long that took and
 * the most memory that the process has had. `close`: disconnect.
 */
export type OutboxTask =
  | { readonly step: 'open'; readonly databaseUrl: string }
  | { readonly step: 'drain' }
  | { readonly step: 'close' };

const laneCount = 2;
type Lane = Awaited<ReturnType<Drain['connectLane']>>;
let opened: { readonly database: Database; readonly lanes: readonly Lane[] } | undefined;

await doTasks<OutboxTask>(async (task) => {
  switch (task.step) {
    case 'open': {
      const startedAt = performance.now();
      const database = openDatabase({ databaseUrl: task.databaseUrl });
      const engine = createEngine(database);
      await engine.warmUp();
      const drain = new Drain({ database, processor: engine });
      const lanes = Array.from({ length: laneCount }, (_, index) => drain.connectLane({ helps: index > 0 }));
      opened = { database, lanes: await Promise.all(lanes) };
      return { 'start ms': performance.now() - startedAt };
    }
    case 'drain': {
      const startedAt = performance.now();
      await Promise.all(opened?.lanes.map((lane) => lane.drain()) ?? []);
      const ms = performance.now() - startedAt;
      return { ms, 'peak RSS MiB': process.resourceUsage().maxRSS / 1024 };
    }
    case 'close':
      await Promise.all(opened?.lanes.map((lane) => lane.close()) ?? []);
      await opened?.database.close();
      return;
  }
});
