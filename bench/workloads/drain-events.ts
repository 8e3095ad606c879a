import { type DrainTraffic, drainOutbox } from '../../src/cli/bench/drain-outbox.ts';
import { createHandlers } from '../../src/engine/built-in-handlers.ts';
import { WorkflowEngine } from '../../src/engine/workflow-engine.ts';
import type { Database } from '../../src/store/database.ts';
import { createDefaultDirectory } from '../../src/store/directory.ts';

/** The engine as a worker has it; nothing leaves it. */
export function createEngine(database: Database): WorkflowEngine {
  return new WorkflowEngine({
    database,
    handlers: createHandlers(),
    directory: createDefaultDirectory(database),
    delivery: {
      transports: { sendMail: refuse, sendHttp: refuse },
      openSecret: refuse,
      storedTemplate: async () => null,
    },
    countMatches: async () => 0,
    leaseMs: 30_000,
    lookupTimeoutMs: 5_000,
  });
}

const refuse = () => Promise.reject(new Error('nothing leaves a benchmark'));

/** Drains the outbox as a worker does, until `count` events were matched and committed. */
export async function drainEvents(database: Database, count: number): Promise<DrainTraffic> {
  const engine = createEngine(database);
  await engine.warmUp();
  return drainOutbox(database, { engine, count });
}
