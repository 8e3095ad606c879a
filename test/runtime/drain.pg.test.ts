import { once } from 'node:events';
import pg from 'pg';
import { afterEach, describe, expect, test } from 'vitest';
import { WakeUpListener } from '../../src/capture/wake-up-listener.ts';
import type { EventProcessor, PreparedBatch } from '../../src/engine/event-processor.ts';
import { Drain, type DrainOptions } from '../../src/runtime/drain.ts';
import { finishEvents } from '../../src/store/finish-events.ts';
import { truncateDrainedSegments } from '../../src/store/partitions.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';
import { until } from '../support/until.ts';

const t = useTestTocsin();
const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
  await t.sql('delete from tocsin.events');
  await t.sql('delete from tocsin.event_history');
});

/** Matches nothing: finishes events, remembers them, and fails on those of entity `poison`. */
function recorder(): { processor: EventProcessor; seen: string[] } {
  const seen: string[] = [];
  const processor: EventProcessor = {
    prepare: async (_connection, events): Promise<PreparedBatch> => {
      if (events.some(({ entityId }) => entityId === 'poison')) throw new Error('cannot read this one');
      const positions = events.map(({ position }) => position);
      return {
        write: (runner) => [finishEvents(runner, positions)],
        committed: () => seen.push(...events.map(({ entityId }) => entityId)),
      };
    },
  };
  return { processor, seen };
}

function startDrain(processor: EventProcessor, options: Partial<DrainOptions> = {}): Drain {
  // A poll that never comes: what arrives, arrives by NOTIFY.
  const drain = new Drain({ database: t.database, processor, pollMs: 600_000, ...options });
  drain.start();
  stops.push(() => drain.stop());
  return drain;
}

async function listen(drain: Drain): Promise<void> {
  const { promise: listening, resolve } = Promise.withResolvers<void>();
  const listener = new WakeUpListener({
    connectionConfig: t.database.connectionConfig,
    onWake: () => {
      resolve();
      drain.wake();
    },
    onLost: () => undefined,
  });
  await listener.start();
  stops.push(() => listener.stop());
  await listening;
}

async function client(): Promise<pg.Client> {
  const connected = new pg.Client({ connectionString: t.url });
  connected.on('error', () => undefined);
  await connected.connect();
  stops.push(() => connected.end());
  return connected;
}

const event = (id: string) =>
  `insert into tocsin.events (tenant_id, source, entity_type, entity_id, operation) values ('t', 'domain', 'order', '${id}', 'insert')`;

describe('Drain', () => {
  test('a captured change wakes a sleeping drain at its commit, without any poll', async () => {
    const { processor, seen } = recorder();
    const drain = startDrain(processor);
    await listen(drain);
    await once(drain, 'asleep');
    for (let round = 1; round <= 3; round++) {
      const asleep = once(drain, 'asleep');
      await t.sql("insert into orders (tenant_id) values ('t')");
      await until(`event ${round} is matched`, async () => seen.length === round, 5_000);
      await asleep;
    }
  });

  test('writers notify only while a drain sleeps', async () => {
    const notifications: string[] = [];
    const observer = await client();
    observer.on('notification', ({ channel }) => notifications.push(channel));
    await observer.query('listen tocsin');
    await t.sql("insert into orders (tenant_id) values ('t')");
    await observer.query('select 1');
    expect(notifications).toHaveLength(0);

    const { processor, seen } = recorder();
    const drain = startDrain(processor);
    await listen(drain);
    await once(drain, 'asleep');
    await t.sql("insert into orders (tenant_id) values ('t')");
    await until('both are matched', async () => seen.length === 2, 5_000);
    await observer.query('select 1');
    expect(notifications).toEqual(['tocsin']);
  });

  test('an event that commits after later ones were matched is matched too', async () => {
    const { processor, seen } = recorder();
    const drain = startDrain(processor, { pollMs: 50 });
    const slow = await client();
    await slow.query('begin');
    await slow.query(event('early but slow'));
    await t.sql(event('late but quick'));
    await until('the later one is matched', async () => seen.includes('late but quick'));
    await slow.query('commit');
    await until('the earlier one is matched', async () => seen.includes('early but slow'));
    await drain.stop();
    expect(seen.toSorted()).toEqual(['early but slow', 'late but quick']);
  });

  test('a writer that keeps its transaction open delays nobody else', async () => {
    const { processor, seen } = recorder();
    const drain = startDrain(processor);
    await listen(drain);
    const slow = await client();
    await slow.query('begin');
    await slow.query("insert into orders (tenant_id) values ('t')");
    await t.sql("insert into orders (tenant_id) values ('t')");
    await until('the other is matched', async () => seen.length === 1, 2_000);
    await slow.query('rollback');
  });

  test('an event that cannot be matched harms no neighbour, and after five attempts is a dead letter with its reason', async () => {
    const { processor, seen } = recorder();
    const drain = new Drain({ database: t.database, processor });
    for (const id of ['1', 'poison', '2']) await t.sql(event(id));
    for (let attempt = 1; attempt <= 5; attempt++) {
      await drain.runOnce();
      await t.sql('update tocsin.events set not_before = now()');
    }
    expect(seen).toEqual(['1', '2']);
    const { rows } = await t.sql(
      'select entity_id, failure, attempts from tocsin.event_history where failure is not null',
    );
    expect(rows).toEqual([{ entity_id: 'poison', failure: 'event_unreadable: cannot read this one', attempts: 5 }]);
    expect((await t.sql('select 1 from tocsin.events')).rows).toEqual([]);
  });

  test('trouble of the database costs no event an attempt', async () => {
    const { processor, seen } = recorder();
    let isFull = true;
    const drain = startDrain(
      {
        prepare: async (connection, events, version) => {
          if (isFull) throw Object.assign(new Error('no space left on device'), { code: '53100' });
          return processor.prepare(connection, events, version);
        },
      },
      { pollMs: 20 },
    );
    const failed = once(drain, 'failed');
    await t.sql(event('patient'));
    expect(String((await failed)[0])).toContain('no space left');
    expect((await t.sql('select attempts, not_before from tocsin.events')).rows).toEqual([
      { attempts: 0, not_before: null },
    ]);
    isFull = false;
    await until('it is matched when there is space again', async () => seen.includes('patient'));
  });

  test('an event that somebody else holds is waited for, not asked for without end', async () => {
    const { processor, seen } = recorder();
    await t.sql(event('held'));
    const holder = await client();
    await holder.query('begin');
    await holder.query('select 1 from tocsin.events for update');
    const drain = startDrain(processor, { pollMs: 50 });
    await once(drain, 'asleep');
    await holder.query('rollback');
    await until('it is matched when it is free', async () => seen.includes('held'));
  });

  test('a drain whose connections are cut goes on with new ones', async () => {
    const { processor, seen } = recorder();
    const drain = startDrain(processor, { pollMs: 50 });
    const failed: Error[] = [];
    drain.on('failed', (error) => failed.push(error));
    await t.sql(event('before'));
    await until('the first is matched', async () => seen.length === 1);
    await t.sql(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'tocsin drain' and datname = current_database()",
    );
    await t.sql(event('after'));
    await until('the second is matched', async () => seen.length === 2);
    expect(failed.length).toBeGreaterThan(0);
  });

  test('a batch that takes long holds up no other event', async () => {
    const { processor, seen } = recorder();
    const { promise: isOver, resolve: end } = Promise.withResolvers<void>();
    const holdingUp: EventProcessor = {
      prepare: async (connection, events, version) => {
        if (events.some(({ entityId }) => entityId === 'long')) await isOver;
        return processor.prepare(connection, events, version);
      },
    };
    const drain = startDrain(holdingUp);
    await listen(drain);
    await once(drain, 'asleep');
    await t.sql(event('long'));
    drain.wake();
    await until('it is claimed', async () => {
      const { rows } = await t.sql('select 1 from tocsin.events for update skip locked');
      return rows.length === 0;
    });
    for (const id of ['short', 'shorter']) {
      await t.sql(event(id));
      await until('the other is matched', async () => seen.includes(id), 5_000);
    }
    end();
    await until('it is matched too', async () => seen.length === 3);
  });

  test('matches each event once with several lanes and small batches', async () => {
    const { processor, seen } = recorder();
    await t.sql(
      "insert into tocsin.events (tenant_id, source, entity_type, entity_id, operation) select 't', 'domain', 'order', n::text, 'insert' from generate_series(1, 3000) n",
    );
    startDrain(processor, { lanes: 4, batchSize: 50, pollMs: 50 });
    await until('all are matched', async () => seen.length >= 3_000);
    expect(new Set(seen).size).toBe(3_000);
    expect(seen).toHaveLength(3_000);
  });

  test('refuses options that are none', () => {
    const { processor } = recorder();
    expect(() => new Drain({ database: t.database, processor, lanes: 0 })).toThrow(/lanes must be at least 1/);
  });
});

describe('truncateDrainedSegments', () => {
  const fill = (segment: number) =>
    t.sql(
      `insert into tocsin.events (segment, tenant_id, source, entity_type, operation, payload)
       select $1, 't', 'db', 'order', 'insert', json_build_object('note', repeat(n::text, 300)) from generate_series(1, 12000) n`,
      [segment],
    );
  const notCurrent = async () =>
    ((((await t.sql('select tocsin.current_segment() as now')).rows[0]?.now as number) ?? 0) + 1) % 3;

  test('gives back the space of a segment that is drained, and leaves one with a row in it', async () => {
    const segment = await notCurrent();
    await fill(segment);
    expect(await truncateDrainedSegments(t.database)).toEqual([]);
    await t.sql('delete from tocsin.events');
    expect(await truncateDrainedSegments(t.database)).toEqual([segment]);
    const size = await t.sql(`select pg_relation_size('tocsin.events_${segment}') as bytes`);
    expect(size.rows).toEqual([{ bytes: '0' }]);
  });

  test('never truncates what a transaction that is still open has written', async () => {
    const segment = await notCurrent();
    await fill(segment);
    await t.sql('delete from tocsin.events');
    const writer = await client();
    await writer.query('begin');
    await writer.query(
      "insert into tocsin.events (segment, tenant_id, source, entity_type, operation) values ($1, 't', 'db', 'order', 'insert')",
      [segment],
    );
    expect(await truncateDrainedSegments(t.database)).toEqual([]);
    await writer.query('commit');
    expect((await t.sql('select count(*)::int as n from tocsin.events')).rows).toEqual([{ n: 1 }]);
  });
});
