/** A worker's match stage in a process of its own: `node drain-process.ts <databaseUrl> [report|keep|quiet] [lanes]`. */
import { WakeUpListener } from '../../src/capture/wake-up-listener.ts';
import type { EventProcessor } from '../../src/engine/event-processor.ts';
import { Drain } from '../../src/runtime/drain.ts';
import { openDatabase } from '../../src/store/database.ts';
import { createEngine } from '../workloads/drain-events.ts';
import { keepMoments, tellParent, untilDismissed } from './child-process.ts';

const [databaseUrl = '', report, lanes = '2'] = process.argv.slice(2);
const database = openDatabase({ databaseUrl });
const engine = createEngine(database);
await engine.warmUp();

const drain = new Drain({
  database,
  processor: report === 'report' ? reporting(engine) : report === 'keep' ? keeping(engine) : engine,
  lanes: Number(lanes),
});
drain.on('failed', (error) => tellParent({ kind: 'failed', error: error.message }));
drain.on('asleep', () => tellParent({ kind: 'asleep' }));
const listener = new WakeUpListener({
  connectionConfig: database.connectionConfig,
  onWake: () => drain.wake(),
  onLost: (error) => tellParent({ kind: 'failed', error: error.message }),
});
await listener.start();
drain.start();
tellParent({ kind: 'ready' });
await untilDismissed();
await drain.stop();
await listener.stop();
await database.close();

/** Tells when events come to be matched, and when what they came to is committed. */
function reporting(processor: EventProcessor): EventProcessor {
  return {
    prepare: async (connection, events, version) => {
      const handledAtNs = String(process.hrtime.bigint());
      const { write, committed } = await processor.prepare(connection, events, version);
      return {
        write,
        committed: () => {
          const committedAtNs = String(process.hrtime.bigint());
          committed();
          tellParent({ kind: 'handled', atNs: handledAtNs });
          tellParent({ kind: 'committed', atNs: committedAtNs });
        },
      };
    },
  };
}

/** Keeps for every event when it came to be matched, and when what it came to was committed. */
function keeping(processor: EventProcessor): EventProcessor {
  const keep = keepMoments();
  return {
    prepare: async (connection, events, version) => {
      const handledAtNs = String(process.hrtime.bigint());
      const { write, committed } = await processor.prepare(connection, events, version);
      return {
        write,
        committed: () => {
          const committedAtNs = String(process.hrtime.bigint());
          committed();
          keep(...events.map(({ entityId }) => [entityId, handledAtNs, committedAtNs] as const));
        },
      };
    },
  };
}
