import { installCapture } from '../../src/capture/install-capture.ts';
import { unwrap } from '../../src/model/result.ts';
import type { Database } from '../../src/store/database.ts';
import { tenantId } from './order-events.ts';

/** A host's table of orders: 12 columns, a primary key, an index, rows of about 300 bytes. */
export async function createOrderTable(database: Database, name: string): Promise<void> {
  await database.pool.query(
    `create table public.${name} (
       id bigint generated always as identity primary key,
       tenant_id text not null default '${tenantId}',
       customer_id int not null,
       customer jsonb not null,
       status text not null default 'new',
       total numeric(12, 2) not null,
       currency text not null default 'EUR',
       items int not null default 3,
       paid boolean not null default false,
       reference text not null,
       note text not null default repeat('x', 100),
       created_at timestamptz not null default now()
     )`,
  );
  await database.pool.query(`create index on public.${name} (customer_id)`);
}

/** The same, with its changes captured as events of `order`. */
export async function createCapturedOrderTable(database: Database, name: string): Promise<void> {
  await createOrderTable(database, name);
  unwrap(await installCapture(database, { table: `public.${name}`, entityType: 'order', tenantColumn: 'tenant_id' }));
}

/** What a host's application writes: `$1` is the number of the customer. Answers the id. */
export function insertOrder(table: string): { name: string; text: string } {
  return {
    name: `insert_${table}`,
    text: `
      insert into public.${table} (customer_id, customer, total, reference)
      values ($1::int, json_build_object('name', 'Customer ' || $1, 'country', 'AT'), 1000 + $1 % 1000, md5($1::text))
      returning id`,
  };
}

/** The same for many rows in one statement. */
export function insertOrders(table: string, count: number): string {
  return `
    insert into public.${table} (customer_id, customer, total, reference)
    select g % 5000, json_build_object('name', 'Customer ' || g % 5000, 'country', 'AT'), 1000 + g % 1000, md5(g::text)
    from generate_series(1, ${count}) g`;
}
