import { installCapture } from '../../src/capture/install-capture.ts';
import { createOrderTable } from '../../src/cli/bench/order-table.ts';
import { unwrap } from '../../src/model/result.ts';
import type { Database } from '../../src/store/database.ts';

/** What the writers of `createNotifiedOrderTable` notify. */
export const notifiedChannel = 'bench_notified';

/** A captured table of orders whose writers notify with every transaction, as outboxes usually do. */
export async function createNotifiedOrderTable(database: Database, name: string): Promise<void> {
  await createOrderTable(database, name);
  // An entity type is captured from one table; that no workflow listens to this one makes no difference to its writers.
  const capture = { table: `public.${name}`, entityType: 'notified_order', tenantColumn: 'tenant_id' };
  unwrap(await installCapture(database, capture));
  await database.pool.query(
    `create function public.notify_of_orders() returns trigger language plpgsql as $$
     begin
       perform pg_notify('${notifiedChannel}', '');
       return null;
     end
     $$`,
  );
  await database.pool.query(
    `create trigger notify_of_orders after insert on public.${name} for each statement execute function public.notify_of_orders()`,
  );
}
