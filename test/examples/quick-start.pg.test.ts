import { afterAll, describe, expect, test } from 'vitest';
import { startTocsin } from '../../examples/quick-start.ts';
import { unwrap } from '../../src/model/result.ts';
import type { Tocsin } from '../../src/tocsin.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();
let tocsin: Tocsin | undefined;
afterAll(async () => tocsin?.close());

describe('startTocsin', () => {
  test('tells the role about an order that the table of the application got, and about no other', async () => {
    await db.database.pool.query(
      'create table orders (id int primary key, tenant_id text not null, total numeric(12, 2) not null)',
    );
    const started = await startTocsin(db.url);
    tocsin = started;
    const executed = new Promise((resolve) => started.engine.once('executed', resolve));
    await db.database.pool.query(`insert into orders values (1, 'acme', 500), (2, 'acme', 640.5), (3, 'globex', 9000)`);
    await executed;
    const { items } = unwrap(await started.inbox.list('acme', 'mia'));
    expect(items.map(({ title, message }) => [title, message])).toEqual([['Large order', 'Order 2 is worth €640.50']]);
  });
});
