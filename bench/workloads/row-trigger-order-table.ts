import { createOrderTable } from '../../src/cli/bench/order-table.ts';
import type { Database } from '../../src/store/database.ts';

/** The outbox that row triggers write, `public.row_outbox`: the columns of Tocsin's that a writer fills, in one table. */
export async function createRowOutbox(database: Database): Promise<void> {
  await database.pool.query(
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
       changed text[],
       actor text,
       trace_context text,
       causation text,
       occurred_at timestamptz not null default clock_timestamp()
     )`,
  );
}

/**
 * A table of orders whose changes a row trigger writes to the outbox as Tocsin does: both images, which columns changed, what the
 * session says, nothing for an update that changes nothing, and nothing of the former tenant's row.
 */
export async function createRowTriggerOrderTable(database: Database, name: string): Promise<void> {
  await createOrderTable(database, name);
  const { rows } = await database.pool.query<{ changed: string }>(
    `select string_agg(format('case when new.%1$I is distinct from old.%1$I then %1$L end', attname), ', ' order by attnum) as changed
     from pg_attribute
     where attrelid = $1::regclass and attnum > 0`,
    [`public.${name}`],
  );
  const insert = (values: { previous: string; changed: string }) => `
    insert into public.row_outbox
      (tenant_id, source, entity_type, entity_id, operation, payload, previous, changed, actor, trace_context, causation)
    values
      (new.tenant_id, 'db', 'order', new.id::text, lower(tg_op), row_to_json(new), ${values.previous}, ${values.changed},
       nullif(current_setting('tocsin.actor', true), ''), nullif(current_setting('tocsin.trace_context', true), ''),
       nullif(current_setting('tocsin.causation', true), ''));
    return null;`;
  await createRowTrigger(database, name, {
    operation: 'insert',
    body: `begin ${insert({ previous: 'null', changed: 'null' })} end`,
  });
  await createRowTrigger(database, name, {
    operation: 'update',
    body: `
      declare
        names text[] := array_remove(array[${rows[0]?.changed}], null);
      begin
        if names = '{}' then
          return null;
        end if;
        ${insert({ previous: 'case when new.tenant_id = old.tenant_id then row_to_json(old) end', changed: 'names' })}
      end`,
  });
}

/** The same with the images alone: a row trigger as it is usually written. */
export async function createImageTriggerOrderTable(database: Database, name: string): Promise<void> {
  await createOrderTable(database, name);
  const insert = (previous: string) => `
    begin
      insert into public.row_outbox (tenant_id, source, entity_type, entity_id, operation, payload, previous)
      values (new.tenant_id, 'db', 'order', new.id::text, lower(tg_op), row_to_json(new), ${previous});
      return null;
    end`;
  await createRowTrigger(database, name, { operation: 'insert', body: insert('null') });
  await createRowTrigger(database, name, { operation: 'update', body: insert('row_to_json(old)') });
}

async function createRowTrigger(
  { pool }: Database,
  table: string,
  { operation, body }: { operation: 'insert' | 'update'; body: string },
): Promise<void> {
  const name = `${table}_${operation}`;
  await pool.query(`create function public.${name}() returns trigger language plpgsql as $$ ${body} $$`);
  await pool.query(
    `create trigger ${name} after ${operation} on public.${table} for each row execute function public.${name}()`,
  );
}
