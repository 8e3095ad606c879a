import type { Database } from '../../store/database.ts';
import { createOrderTable } from './order-table.ts';

/** Where `createListenedOrderTable` tells of its rows. */
export const listenedChannel = 'bench_orders';

/** A table of orders whose rows are told of as directly as PostgreSQL can: their ids, in a NOTIFY of a row trigger. */
export async function createListenedOrderTable(database: Database, name: string): Promise<void> {
  await createOrderTable(database, name);
  await database.pool.query(
    `create function public.tell_of_order() returns trigger language plpgsql as $$
     begin
       perform pg_notify('${listenedChannel}', new.id::text);
       return null;
     end
     $$`,
  );
  await database.pool.query(
    `create trigger tell_of_order after insert on public.${name} for each row execute function public.tell_of_order()`,
  );
}
