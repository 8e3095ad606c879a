import { installCapture } from '../../src/capture/install-capture.ts';
import { createOrderTable } from '../../src/cli/bench/order-table.ts';
import { unwrap } from '../../src/model/result.ts';
import type { Database } from '../../src/store/database.ts';

/** A table of orders with its changes captured as events of `order`. */
export async function createCapturedOrderTable(database: Database, name: string): Promise<void> {
  await createOrderTable(database, name);
  unwrap(await installCapture(database, { table: `public.${name}`, entityType: 'order', tenantColumn: 'tenant_id' }));
}

/** What a host's application writes for an order of tenant `$2`. */
export function insertOrderOf(table: string): { name: string; text: string } {
  return {
    name: `insert_${table}_of`,
    text: `
      insert into public.${table} (tenant_id, customer_id, customer, total, reference)
      values ($2, $1::int, json_build_object('name', 'Customer ' || $1, 'country', 'AT'), 1000 + $1 % 1000, md5($1::text))
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
