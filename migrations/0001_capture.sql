-- What capture triggers call (src/store/capture-function.ts makes the triggers' own functions, one per table and operation).

-- True when two values of a column differ: by equality for types where it is coarser than the bytes (1.0 and 1.00) or faster,
-- else by bytes, which works for every type (json, xml, point). A column's type may change while the trigger stays, so the
-- version must be found for any type: called with an int4 as the third argument, the version of exactly the type fits best (two
-- exact arguments), then the one for every type (one), and those that the type could be cast to come last (none).
create function tocsin.differs(new_value anyelement, old_value anyelement, any_number int4) returns boolean
  language sql immutable parallel safe
  as 'select pg_catalog.record_image_ne(row($1), row($2))';
--> statement-breakpoint
do $do$
declare
  type_name text;
begin
  foreach type_name in array array[
    'bool', 'int2', 'int4', 'int8', 'numeric', 'float4', 'float8', 'text', 'varchar', 'bpchar', 'uuid', 'date', 'time',
    'timestamp', 'timestamptz', 'interval', 'bytea', 'jsonb'
  ] loop
    execute format(
      'create function tocsin.differs(new_value %1$s, old_value %1$s, any_number int8) returns boolean
         language sql immutable parallel safe
         as ''select $1 is distinct from $2''',
      'pg_catalog.' || type_name);
  end loop;
end
$do$;
--> statement-breakpoint
-- Whether a trigger can read these columns from a transition table: not when one is a virtual generated column (PostgreSQL 18).
-- It is not immutable, but says so: then it is called while a statement is planned, which ALTER TABLE makes happen again, and
-- costs the writer nothing.
create function tocsin.columns_are_readable(schema_name text, table_name text, columns text[]) returns boolean
  language sql immutable parallel safe
  as $$
    select not exists (
      select
      from pg_catalog.pg_attribute a
        join pg_catalog.pg_class c on c.oid = a.attrelid
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace
      where n.nspname = $1
        and c.relname = $2
        and a.attname = any ($3)
        and a.attgenerated = 'v'
    )
  $$;
--> statement-breakpoint
-- Wakes a sleeping drain at commit. When the NOTIFY queue fills up (somebody listens in a transaction that never ends), NOTIFY
-- would make the writer's commit fail: then the drain's poll finds the event. So it does where the setting `tocsin.notify` is
-- off, which writers need that use PREPARE TRANSACTION: it refuses transactions that notify.
create function tocsin.wake_up() returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
  as $$
begin
  if pg_catalog.current_setting('tocsin.notify', true) is distinct from 'off'
    and pg_catalog.pg_notification_queue_usage() < 0.5 then
    perform pg_catalog.pg_notify('tocsin', '');
  end if;
end
$$;
