import { createHandlers } from '../../src/engine/built-in-handlers.ts';
import type { EventProcessor } from '../../src/engine/event-processor.ts';
import { WorkflowEngine } from '../../src/engine/workflow-engine.ts';
import { Drain } from '../../src/runtime/drain.ts';
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
      openSecret: async () => null,
      storedTemplate: async () => null,
    },
    countMatches: async () => 0,
    leaseMs: 30_000,
    lookupTimeoutMs: 5_000,
  });
}

const refuse = () => Promise.reject(new Error('nothing leaves a benchmark'));

/** Drains the outbox as a worker does, until `count` events were matched and committed. */
export async function drainEvents(database: Database, count: number): Promise<void> {
  const engine = createEngine(database);
  await engine.warmUp();
  const { processor, allCommitted } = counting(engine, count);
  const drain = new Drain({ database, processor });
  const failed = Promise.withResolvers<never>();
  drain.on('failed', failed.reject);
  drain.start();
  await Promise.race([allCommitted, failed.promise]);
  await drain.stop();
}

/** The processor, with a promise of the moment when so many events were committed. */
function counting(
  processor: EventProcessor,
  count: number,
): { processor: EventProcessor; allCommitted: Promise<void> } {
  const all = Promise.withResolvers<void>();
  let left = count;
  return {
    allCommitted: all.promise,
    processor: {
      prepare: async (connection, events, version) => {
        const { write, committed } = await processor.prepare(connection, events, version);
        return {
          write,
          committed: () => {
            committed();
            left -= events.length;
            if (left <= 0) all.resolve();
          },
        };
      },
    },
  };
}
