import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { eventsBeforeTheirTurn, indexEventOrder } from '../../src/store/event-order.ts';
import { entriesRead } from '../support/entries-read.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();

beforeEach(async () => {
  await db.database.pool.query('drop index if exists tocsin.events_entity');
  await db.database.pool.query('delete from tocsin.events');
});

/** Stores events of orders, one for each number, in this order; answers their positions. */
async function store(tenantId: string, orders: readonly number[]): Promise<string[]> {
  const { rows } = await db.database.pool.query<{ position: string }>(
    `insert into tocsin.events (tenant_id, source, entity_type, entity_id, operation)
     select $1, 'domain', 'order', entity_id, 'update' from unnest($2::text[]) as entity_id
     returning position`,
    [tenantId, orders.map(String)],
  );
  return rows.map(({ position }) => position);
}

const asOrder = (tenantId: string, order: number) => (position: string) => ({
  position,
  tenantId,
  entityType: 'order',
  entityId: String(order),
});

describe.each([true, false])('eventsBeforeTheirTurn, with its index %s', (isIndexed) => {
  test('are those with an earlier one of their entity that is not matched with them', async () => {
    if (isIndexed) await indexEventOrder(db.database.pool);
    const [first = '', other = '', second = '', third = ''] = await store('acme', [1, 2, 1, 1]);
    await store('else', [1]);
    const ask = async (asked: string[], together: string[]) =>
      (await eventsBeforeTheirTurn(db.database.pool, asked.map(asOrder('acme', 1)), together)).toSorted();
    expect(await ask([second, third], [second, third])).toEqual([second, third]);
    expect(await ask([first, second, third], [first, other, second, third])).toEqual([]);
    expect(await ask([first, third], [first, third])).toEqual([third]);
  });
});

describe('indexEventOrder', () => {
  test('makes no write fail, however long the ids of entities are', async () => {
    expect(await indexEventOrder(db.database.pool)).toBe(true);
    const id = randomBytes(4_000).toString('base64');
    const insert = `insert into tocsin.events (tenant_id, source, entity_type, entity_id, operation)
      values ('acme', 'db', 'order', $1, 'update') returning position`;
    const { rows: first } = await db.database.pool.query<{ position: string }>(insert, [id]);
    const { rows: second } = await db.database.pool.query<{ position: string }>(insert, [id]);
    const of = (position = '') => ({ position, tenantId: 'acme', entityType: 'order', entityId: id });
    const [one, other] = [of(first[0]?.position), of(second[0]?.position)];
    expect(await eventsBeforeTheirTurn(db.database.pool, [one, other], [other.position])).toEqual([other.position]);
  });

  test('lets an event be asked about with a look into an index, whatever waits before it', async () => {
    expect(await indexEventOrder(db.database.pool)).toBe(true);
    await store(
      'big',
      Array.from({ length: 20_000 }, (_, n) => n),
    );
    const mine = await store(
      'acme',
      Array.from({ length: 100 }, (_, n) => n),
    );
    await db.database.pool.query('analyze tocsin.events');
    const asked = mine.map((position, n) => asOrder('acme', n)(position));
    await db.database.transaction(async (_tx, client) => {
      await client.query('set local enable_seqscan = off');
      await client.query('set local plan_cache_mode = force_generic_plan');
      const read = await entriesRead(client, 'tocsin.events', () => eventsBeforeTheirTurn(client, asked, mine));
      expect(read).toBeLessThan(1_000);
    });
  });

  test('is not made while a writer has the outbox, and keeps none waiting; a second time it stands', async () => {
    await db.database.transaction(async (_tx, client) => {
      await client.query(
        "insert into tocsin.events (tenant_id, source, entity_type, operation) values ('acme', 'domain', 'order', 'update')",
      );
      expect(await indexEventOrder(db.database.pool)).toBe(false);
    });
    expect(await indexEventOrder(db.database.pool)).toBe(true);
    expect(await indexEventOrder(db.database.pool)).toBe(true);
  });
});
