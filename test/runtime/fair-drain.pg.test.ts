import { once } from 'node:events';
import { afterEach, describe, expect, test } from 'vitest';
import type { EventProcessor } from '../../src/engine/event-processor.ts';
import { Drain, type DrainOptions } from '../../src/runtime/drain.ts';
import { finishEvents } from '../../src/store/finish-events.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';
import { until } from '../support/until.ts';

const t = useTestTocsin();
const drains: Drain[] = [];

afterEach(async () => {
  await Promise.all(drains.splice(0).map((drain) => drain.stop()));
  await t.sql('delete from tocsin.events');
  await t.sql('delete from tocsin.event_history');
});

/** Finishes events and notes whose, in the order they were committed; those of `isWaiting` are left in the outbox. */
function recorder(isWaiting: (tenantId: string) => number = () => 0) {
  const seen: { tenantId: string; entityId: string }[] = [];
  const calls = { prepared: 0 };
  const processor: EventProcessor = {
    prepare: async (_connection, events) => {
      calls.prepared += 1;
      const due = events.filter(({ tenantId }) => isWaiting(tenantId) === 0);
      const waiting = new Map<string, number>();
      for (const { tenantId } of events) {
        if (isWaiting(tenantId) > 0) waiting.set(tenantId, (waiting.get(tenantId) ?? 0) + 1);
      }
      return {
        write: (runner) => [
          finishEvents(
            runner,
            due.map(({ position }) => position),
          ),
        ],
        committed: () => seen.push(...due.map(({ tenantId, entityId }) => ({ tenantId, entityId }))),
        waiting: [...waiting].map(([tenantId, count]) => ({ tenantId, forMs: isWaiting(tenantId), events: count })),
      };
    },
  };
  return { processor, seen, calls };
}

function start(processor: EventProcessor, options: Partial<DrainOptions> = {}): Drain {
  const drain = new Drain({ database: t.database, processor, batchSize: 50, pollMs: 600_000, ...options });
  drains.push(drain);
  drain.start();
  return drain;
}

async function store(tenantId: string, count: number): Promise<void> {
  await t.sql(
    `insert into tocsin.events (tenant_id, source, entity_type, entity_id, operation)
     select $1, 'domain', 'order', n::text, 'insert' from generate_series(1, $2::int) n`,
    [tenantId, count],
  );
}

const placesOf = (seen: readonly { tenantId: string }[], tenantId: string) =>
  seen.flatMap((event, place) => (event.tenantId === tenantId ? [place] : []));

describe.each([1, 2])('Drain with %i lane(s)', (lanes) => {
  test('matches events of others before the backlog of a tenant that came first', async () => {
    const { processor, seen } = recorder();
    await store('big', 5_000);
    await store('small', 10);
    await store('big', 5_000);
    start(processor, { lanes });
    await until('all are matched', async () => seen.length === 10_010, 20_000);
    expect(Math.max(...placesOf(seen, 'small'))).toBeLessThan(1_500);
    expect(new Set(seen.map(({ tenantId, entityId }) => `${tenantId} ${entityId}`)).size).toBe(5_010);
  });

  test('matches what others store while it works on a backlog, long before its end', async () => {
    const { processor, seen } = recorder();
    await store('big', 20_000);
    start(processor, { lanes });
    const behind: number[] = [];
    for (let n = 0; n < 5; n++) {
      await until('it is at work', async () => seen.length > 500 * (n + 1));
      const before = seen.length;
      await store('small', 1);
      await until('the small one is matched', async () => placesOf(seen, 'small').length === n + 1);
      behind.push((placesOf(seen, 'small').at(-1) ?? 0) - before);
    }
    await until('all are matched', async () => seen.length === 20_005, 20_000);
    // In the order of positions each would come after the whole backlog.
    expect(behind.filter((places) => places < 5_000).length).toBeGreaterThanOrEqual(4);
  });

  test('several backlogs at once are all worked off, and nothing is matched twice', async () => {
    const { processor, seen } = recorder();
    for (const tenantId of ['a', 'b', 'a', 'c', 'b']) await store(tenantId, 1_000);
    start(processor, { lanes });
    await until('all are matched', async () => seen.length >= 5_000, 20_000);
    expect(seen).toHaveLength(5_000);
    expect(new Map(['a', 'b', 'c'].map((tenantId) => [tenantId, placesOf(seen, tenantId).length]))).toEqual(
      new Map([
        ['a', 2_000],
        ['b', 2_000],
        ['c', 1_000],
      ]),
    );
  });

  test('an event that becomes visible behind the express claims is matched too', async () => {
    const { processor, seen } = recorder();
    await store('big', 5_000);
    await t.database.transaction(async (_tx, client) => {
      await client.query(
        "insert into tocsin.events (tenant_id, source, entity_type, entity_id, operation) values ('late', 'domain', 'order', '1', 'insert')",
      );
      await store('big', 5_000);
      start(processor, { lanes });
      await until('it is at work', async () => seen.length > 2_000);
    });
    await until('all are matched', async () => seen.length === 10_001, 20_000);
    expect(placesOf(seen, 'late')).toHaveLength(1);
  });
});

describe('Drain and tenants that have to wait', () => {
  test('leaves them alone until their time is up, sleeps meanwhile, and then matches all of them in order', async () => {
    const until1 = performance.now() + 1_000;
    const { processor, seen, calls } = recorder((tenantId) =>
      tenantId === 'over' ? Math.max(0, Math.ceil(until1 - performance.now())) : 0,
    );
    await store('over', 2_000);
    await store('other', 100);
    const drain = start(processor, { lanes: 1 });
    await once(drain, 'asleep');
    expect(placesOf(seen, 'other')).toHaveLength(100);
    expect(placesOf(seen, 'over')).toHaveLength(0);
    const preparedBefore = calls.prepared;
    await store('other', 1);
    drain.wake();
    await until('the other goes on', async () => placesOf(seen, 'other').length === 101, 900);
    expect(calls.prepared - preparedBefore).toBeLessThanOrEqual(2);
    await until('the wait is over', async () => placesOf(seen, 'over').length === 2_000);
    const ids = seen.filter(({ tenantId }) => tenantId === 'over').map(({ entityId }) => Number(entityId));
    expect(ids).toEqual(ids.toSorted((one, other) => one - other));
  });
});
