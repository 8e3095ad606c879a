import { insertOrder } from '../../src/cli/bench/order-table.ts';
import type { Database } from '../../src/store/database.ts';
import type { HostTransaction } from './writers.ts';

const customers = 5_000;
const products = 3_000;

/** The tables beside the orders that a checkout reads and writes. */
export async function createShopTables(database: Database): Promise<void> {
  const { pool } = database;
  await pool.query('create table public.customers (id int primary key, name text not null, balance numeric not null)');
  await pool.query('create table public.products (id int primary key, name text not null, stock int not null)');
  await pool.query(
    `create table public.order_lines (
       id bigint generated always as identity primary key,
       customer_id int not null,
       product_id int not null,
       quantity int not null,
       price numeric(12, 2) not null
     )`,
  );
  await pool.query(`insert into public.customers select g, 'Customer ' || g, 0 from generate_series(0, $1 - 1) g`, [
    customers,
  ]);
  await pool.query(`insert into public.products select g, 'Product ' || g, 1000000 from generate_series(0, $1 - 1) g`, [
    products,
  ]);
}

/**
 * A checkout: seven statements, of which one writes the table that may be captured. Stock is taken from a third of the
 * products each, in that order, so that two checkouts never wait for each other in a circle.
 */
export function checkout(orderTable: string): HostTransaction {
  const third = products / 3;
  return [
    { name: 'read_customer', text: `select name, balance from public.customers where id = $1::int % ${customers}` },
    ...[0, 1, 2].map((part) => ({
      name: `take_stock_${part}`,
      text: `update public.products set stock = stock - 1 where id = ${part * third} + ($1::int * 7919) % ${third}`,
    })),
    insertOrder(orderTable),
    {
      name: 'insert_lines',
      text: `
        insert into public.order_lines (customer_id, product_id, quantity, price)
        select $1::int % ${customers}, part * ${third} + ($1::int * 7919) % ${third}, 1, 9.9
        from generate_series(0, 2) part`,
    },
    {
      name: 'add_to_balance',
      text: `update public.customers set balance = balance + 29.7 where id = $1::int % ${customers}`,
    },
  ];
}
