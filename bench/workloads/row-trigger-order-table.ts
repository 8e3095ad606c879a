import { createOrderTable } from '../../src/cli/bench/order-table.ts';
import type { Database } from '../../src/store/database.ts';

/** A table of orders whose changes a row trigger writes to the outbox `public.row_outbox`: the columns of Tocsin's, the same images. */
export async function createRowTriggerOrderTable(database: Database, name: string): Promise<void> {
  const { pool } = database;
  await createOrderTable(database, name);
  await pool.query(
    `create table public.row_outbox (
       position bigint generated always as identity primary key,
       id uuid not null default tocsin.new_id(),
       tenant_id text not null,
       source text not null,
       entity_type text not null,
       entity_id text not null,
       operation text not null,
       payload json,
       previous json,
       occurred_at timestamptz not null default clock_timestamp()
     )`,
  );
  await pool.query(
    `create function public.write_row_outbox() returns trigger language plpgsql as $$
     begin
       insert into public.row_outbox (tenant_id, source, entity_type, entity_id, operation, payload, previous)
       values (new.tenant_id, 'db', 'order', new.id::text, lower(tg_op), row_to_json(new),
         case when tg_op = 'UPDATE' then row_to_json(old) end);
       return null;
     end
     $$`,
  );
  await pool.query(
    `create trigger write_row_outbox after insert or update on public.${name} for each row execute function public.write_row_outbox()`,
  );
}
