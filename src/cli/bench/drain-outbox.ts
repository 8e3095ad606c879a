import { Drain } from '../../runtime/drain.ts';
import type { Database } from '../../store/database.ts';
import type { Tocsin } from '../../tocsin.ts';
import { countRoundTrips } from './round-trips.ts';

/** What a drain sent for its events. */
export type DrainTraffic = { readonly batches: number; readonly roundTrips: number };

/** What matches events: the engine. */
type Processor = Pick<Tocsin['engine'], 'prepare'>;

/** Drains the outbox as a worker does, until `count` events were matched and committed. */
export async function drainOutbox(
  database: Database,
  { engine, count }: { engine: Processor; count: number },
): Promise<DrainTraffic> {
  const counted = countRoundTrips(database);
  const { processor, allCommitted } = counting(engine, count, counted.roundTrips);
  const drain = new Drain({ database: counted.database, processor });
  const failed = Promise.withResolvers<never>();
  drain.on('failed', failed.reject);
  drain.start();
  const traffic = await Promise.race([allCommitted, failed.promise]);
  await drain.stop();
  return traffic;
}

/** The processor, with a promise of the moment when so many events were committed. Traffic is counted from the first batch on. */
function counting(
  processor: Processor,
  count: number,
  roundTrips: () => number,
): { processor: Processor; allCommitted: Promise<DrainTraffic> } {
  const all = Promise.withResolvers<DrainTraffic>();
  let left = count;
  let batches = 0;
  let roundTripsBefore: number | undefined;
  return {
    allCommitted: all.promise,
    processor: {
      prepare: async (connection, events, version) => {
        roundTripsBefore ??= roundTrips();
        const { write, committed } = await processor.prepare(connection, events, version);
        return {
          write,
          committed: () => {
            committed();
            left -= events.length;
            batches += 1;
            if (left <= 0) all.resolve({ batches, roundTrips: roundTrips() - (roundTripsBefore ?? 0) });
          },
        };
      },
    },
  };
}
