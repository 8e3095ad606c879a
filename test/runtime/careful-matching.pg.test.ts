import { beforeEach, describe, expect, test } from 'vitest';
import type { EventProcessor, WaitingTenant } from '../../src/engine/event-processor.ts';
import { Drain } from '../../src/runtime/drain.ts';
import { finishEvents } from '../../src/store/finish-events.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();
const sql = (text: string, values?: unknown[]) => db.database.pool.query(text, values);

beforeEach(async () => {
  await sql('delete from tocsin.events');
  await sql('delete from tocsin.event_history');
});

/** Finishes events; remembers each batch as `<entity> <attempts that are committed>`. Tenants that wait stay in the outbox. */
function observer(waiting: readonly WaitingTenant[] = []): { processor: EventProcessor; batches: string[][] } {
  const batches: string[][] = [];
  const processor: EventProcessor = {
    prepare: async (_connection, events) => {
      const { rows } = await sql('select position, attempts from tocsin.events');
      const committed = new Map(rows.map(({ position, attempts }) => [position, attempts]));
      batches.push(events.map(({ entityId, position }) => `${entityId} ${committed.get(position)}`));
      const left = new Set(waiting.map(({ tenantId }) => tenantId));
      const finished = events.filter(({ tenantId }) => !left.has(tenantId)).map(({ position }) => position);
      const waits = waiting.filter(({ tenantId }) => events.some((event) => event.tenantId === tenantId));
      return { write: (runner) => [finishEvents(runner, finished)], committed: () => undefined, waiting: waits };
    },
  };
  return { processor, batches };
}

const store = (entity: string, more: { tenant?: string; attempts?: number } = {}) =>
  sql(
    "insert into tocsin.events (tenant_id, source, entity_type, entity_id, operation, attempts) values ($1, 'domain', 'order', $2, 'insert', $3)",
    [more.tenant ?? 't', entity, more.attempts ?? 0],
  );

const waitingAttempts = async () => (await sql('select entity_id, attempts from tocsin.events order by position')).rows;

describe('Drain, carefully', () => {
  test('counts and commits the attempts of a batch before it is matched; nothing is counted otherwise', async () => {
    const { processor, batches } = observer();
    const drain = new Drain({ database: db.database, processor });
    await store('before');
    await drain.runOnce();
    let isDone = false;
    drain.beCareful(() => {
      isDone = true;
    });
    await store('a');
    await store('b');
    await drain.runOnce();
    expect(isDone).toBe(true);
    await store('after');
    await drain.runOnce();
    expect(batches).toEqual([['before 0'], ['a 1', 'b 1'], ['after 0']]);
  });

  test('an event whose attempt came to nothing is matched alone, after the others, also when nobody goes carefully', async () => {
    const { processor, batches } = observer();
    const drain = new Drain({ database: db.database, processor });
    await store('suspect', { attempts: 1 });
    await store('other suspect', { attempts: 3 });
    for (const entity of ['a', 'b']) await store(entity);
    await drain.runOnce();
    expect(batches).toEqual([['a 0', 'b 0'], ['suspect 2'], ['other suspect 4']]);
  });

  test('an event waits twice as long after each attempt, whether that throws or ends the process', async () => {
    const waitSeconds = async () =>
      Number(
        (await sql('select extract(epoch from not_before - now()) as seconds from tocsin.events')).rows[0].seconds,
      );
    const waits: number[] = [];
    const processor: EventProcessor = {
      prepare: async () => {
        waits.push(await waitSeconds());
        throw new Error('cannot read this one');
      },
    };
    await store('poison', { attempts: 3 });
    await new Drain({ database: db.database, processor }).runOnce();
    waits.push(await waitSeconds());
    // If the process ended in the fourth attempt: 4 s. As it threw: 8 s.
    expect(waits.map((seconds) => seconds > 4)).toEqual([false, true]);
    expect(waits[0]).toBeGreaterThan(2);
  });

  test('an event that was tried five times is given up without another try', async () => {
    const { processor, batches } = observer();
    await store('poison', { attempts: 5 });
    await new Drain({ database: db.database, processor }).runOnce();
    expect(batches).toEqual([]);
    const { rows } = await sql('select entity_id, failure, attempts from tocsin.event_history');
    expect(rows).toEqual([{ entity_id: 'poison', failure: 'worker_crashed', attempts: 5 }]);
  });

  test('what has to wait for a quota loses no attempt, and keeps no other from being matched', async () => {
    const { processor } = observer([{ tenantId: 'full', forMs: 600_000, events: 1 }]);
    const drain = new Drain({ database: db.database, processor });
    drain.beCareful(() => undefined);
    await store('first', { tenant: 'full' });
    await store('other');
    await store('second', { tenant: 'full' });
    await drain.runOnce();
    expect(await waitingAttempts()).toEqual([
      { entity_id: 'first', attempts: 0 },
      { entity_id: 'second', attempts: 0 },
    ]);
  });
});
