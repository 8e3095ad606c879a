import { beforeAll, describe, expect, test } from 'vitest';
import {
  claimEvents,
  claimEventsBeyondOthers,
  claimEventsWithout,
  readLargeEvent,
} from '../../src/store/claim-events.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();

/** Stores an event with these images and claims it. */
async function claimOne(images: { payload: string | null; previous: string | null }) {
  await db.database.pool.query(
    `insert into tocsin.events (tenant_id, source, entity_type, operation, payload, previous)
     values ('acme', 'db', 'order', 'update', $1, $2)`,
    [images.payload, images.previous],
  );
  return db.database.transaction(async (_tx, client) => {
    const [event, ...others] = await claimEvents(client, { after: '0', limit: 10 });
    if (!event || others.length > 0) throw new Error('one event was to be claimed');
    const whole = await readLargeEvent(client, event.position);
    await client.query('delete from tocsin.events');
    return { event, whole };
  });
}

function image(bytes: number, letter: () => string): string {
  return JSON.stringify({ note: Array.from({ length: bytes - 11 }, letter).join('') });
}

/** Text that compression makes nothing of, and text that it makes next to nothing of. */
const random = () => String.fromCharCode(97 + Math.floor(Math.random() * 26));
const repeated = () => 'x';

describe('claimEvents', () => {
  test.each([
    ['small', image(500, random)],
    ['of a page', image(8_000, random)],
    ['compressed', image(60_000, repeated)],
    ['just small enough', image(65_536, random)],
  ])('brings images with the event when they are %s', async (_size, payload) => {
    const { event } = await claimOne({ payload, previous: payload });
    expect(event).toMatchObject({ payload, previous: payload, isLarge: false });
  });

  test.each([
    ['as it is', image(65_537, random)],
    ['before it was compressed', image(1_000_000, repeated)],
  ])('leaves a large image to be read alone, whether it is large %s', async (_how, large) => {
    const small = image(500, random);
    const { event, whole } = await claimOne({ payload: small, previous: large });
    expect(event).toMatchObject({ payload: small, previous: null, isLarge: true });
    expect(whole).toEqual({ payload: small, previous: large });
  });

  test('an event without images is not large', async () => {
    const { event } = await claimOne({ payload: null, previous: null });
    expect(event).toMatchObject({ payload: null, previous: null, isLarge: false });
  });
});

describe('claimEventsBeyondOthers', () => {
  /** Positions that `claim` finds among ten events; what it locks is free again afterwards. */
  async function found(claim: typeof claimEvents, limit: number): Promise<number[]> {
    return db.database.transaction(async (_tx, client) => {
      const events = await claim(client, { after: '0', limit });
      await client.query('rollback');
      return events.map(({ position }) => Number(position) - first);
    });
  }
  let first = 0;

  beforeAll(async () => {
    await db.database.pool.query(
      `insert into tocsin.events (tenant_id, source, entity_type, operation)
       select 'acme', 'db', 'order', 'insert'
       from generate_series(0, 9)`,
    );
    first = Number((await db.database.pool.query('select min(position) as first from tocsin.events')).rows[0].first);
  });

  test('begins behind the last full one of any connection, and passes by what a claim from the start finds', async () => {
    expect(await found(claimEventsBeyondOthers, 4)).toEqual([0, 1, 2, 3]);
    expect(await found(claimEventsBeyondOthers, 4)).toEqual([4, 5, 6, 7]);
    expect(await found(claimEventsBeyondOthers, 4)).toEqual([8, 9]);
    expect(await found(claimEventsBeyondOthers, 2)).toEqual([8, 9]);
    expect(await found(claimEventsBeyondOthers, 2)).toEqual([]);
    expect(await found(claimEvents, 4)).toEqual([0, 1, 2, 3]);
  });
});

describe('a claim in a flight behind another', () => {
  const without: typeof claimEvents = (runner, options) =>
    claimEventsWithout(runner, { ...options, upTo: null, tenants: [] });

  test.each([
    ['claimEvents', claimEvents],
    ['claimEventsBeyondOthers', claimEventsBeyondOthers],
    ['claimEventsWithout', without],
  ])('%s claims nothing when that one has found something, if so wished', async (_name, claim) => {
    await db.database.pool.query('delete from tocsin.events');
    await db.database.pool.query(
      `insert into tocsin.events (tenant_id, source, entity_type, operation)
       select 'acme', 'db', 'order', 'insert'
       from generate_series(1, 3)`,
    );
    const claimed = (first: number, unlessHolding: boolean) =>
      db.database.transaction(async (_tx, client) => {
        const before = await claimEvents(client, { after: '0', limit: first });
        const events = await claim(client, { after: before.at(-1)?.position ?? '0', limit: 2, unlessHolding });
        await client.query('rollback');
        return events.length;
      });
    expect(await claimed(1, true)).toBe(0);
    expect(await claimed(0, true)).toBe(2);
    await db.database.pool.query("select setval('tocsin.claimed_position', 1)");
    expect(await claimed(1, false)).toBe(2);
  });
});
