import { afterEach, describe, expect, test } from 'vitest';
import type { EventProcessor } from '../../src/engine/event-processor.ts';
import { LowWaterMark } from '../../src/engine/low-water-mark.ts';
import { Caution } from '../../src/runtime/caution.ts';
import { DrainLane } from '../../src/runtime/drain-lane.ts';
import { FairClaims } from '../../src/runtime/fair-claims.ts';
import { StartClaims } from '../../src/runtime/start-claims.ts';
import { connect } from '../../src/store/connection.ts';
import { finishEvents } from '../../src/store/finish-events.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

const t = useTestTocsin();
const lanes: DrainLane[] = [];

afterEach(async () => {
  for (const lane of lanes.splice(0)) await lane.close();
  await t.sql('delete from tocsin.events');
  await t.sql('delete from tocsin.event_history');
});

async function openLane(options: {
  helps?: boolean;
  prepare?: (events: number) => Promise<unknown>;
  onBacklog?: () => void;
}): Promise<DrainLane> {
  const { helps = false, prepare = async () => undefined, onBacklog = () => undefined } = options;
  const processor: EventProcessor = {
    prepare: async (_connection, events) => {
      await prepare(events.length);
      const positions = events.map(({ position }) => position);
      return { write: (runner) => [finishEvents(runner, positions)], committed: () => undefined };
    },
  };
  const connection = await connect(t.database, {
    applicationName: 'test',
    answerWithinMs: 10_000,
    onError: () => undefined,
  });
  const lane = new DrainLane(connection, {
    processor,
    caution: new Caution(),
    startClaims: new StartClaims(),
    fairness: new FairClaims({ batchSize: 500 }),
    lowWater: new LowWaterMark({ settleMs: 1_000 }),
    lingerMs: 0,
    helps,
    onBacklog,
  });
  lanes.push(lane);
  return lane;
}

const events = (count: number) =>
  `insert into tocsin.events (tenant_id, source, entity_type, operation)
   select 't', 'domain', 'order', 'insert' from generate_series(1, ${count})`;

async function store(count: number): Promise<void> {
  await t.sql(events(count));
}

describe('DrainLane', () => {
  test.each([
    { helps: false, first: 1, drained: 5, does: 'goes on as long as events come' },
    { helps: true, first: 1, drained: 1, does: 'that helps leaves them to the other when only a few come' },
    { helps: true, first: 30, drained: 31, does: 'that helps goes on while many wait' },
  ])('a lane $does', async ({ helps, first, drained }) => {
    let later = 4;
    // One more each time, while the batch before is matched.
    const prepare = async () => {
      if (later > 0) await store(1);
      later -= 1;
    };
    await store(first);
    const lane = await openLane({ helps, prepare });
    expect(await lane.drain(new AbortController().signal)).toBe(drained);
  });

  test('a lane that keeps up claims what was committed late together with what comes next', async () => {
    const slow = await t.database.pool.connect();
    const batches: number[] = [];
    const whileMatching = [
      async () => {
        await slow.query('begin');
        await slow.query(events(1));
        await store(1);
      },
      async () => {
        await slow.query('commit');
        await store(1);
      },
    ];
    try {
      await store(1);
      const lane = await openLane({
        prepare: async (claimed) => {
          batches.push(claimed);
          await whileMatching.shift()?.();
        },
      });
      await lane.drain(new AbortController().signal);
    } finally {
      slow.release();
    }
    expect(batches).toEqual([1, 1, 2]);
  });

  test('a lane calls for help as long as one batch takes', async () => {
    const called = Promise.withResolvers<void>();
    const calledAgain = Promise.withResolvers<void>();
    let calls = 0;
    await store(1);
    const lane = await openLane({
      prepare: () => Promise.all([called.promise, calledAgain.promise]),
      onBacklog: () => {
        calls += 1;
        (calls === 1 ? called : calledAgain).resolve();
      },
    });
    expect(await lane.drain(new AbortController().signal)).toBe(1);
  });
});
