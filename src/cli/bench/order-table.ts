import type { Database } from '../../store/database.ts';
import { tenantId } from './order-workload.ts';

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
