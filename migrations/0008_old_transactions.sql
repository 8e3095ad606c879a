-- What keeps vacuum from removing dead rows of this database, oldest first: sessions with a snapshot or a transaction that wrote,
-- prepared transactions, replication slots, standbys. Of sessions of other logins, state and start are seen only with
-- pg_read_all_stats: the function has the rights of the owner of the schema, who may have that role. No query is told.
create function tocsin.snapshot_holders()
  returns table (kind text, name text, login text, application text, state text, since timestamptz, holds xid)
  language sql stable
  security definer
  set search_path = pg_catalog, pg_temp
  as $$
    select holder.kind, holder.name, holder.login, holder.application, holder.state, holder.since, holder.holds
    from (
      select case when a.datid is null or a.datid = 0 then 'standby' else 'session' end,
        a.pid::text, a.usename::text, a.application_name, a.state, a.xact_start,
        case when coalesce(age(a.backend_xid), -1) > coalesce(age(a.backend_xmin), -1) then a.backend_xid else a.backend_xmin end
      from pg_stat_activity a
      where a.pid <> pg_backend_pid()
        and (a.datname = current_database() or a.datid is null or a.datid = 0)
        and coalesce(a.backend_xid, a.backend_xmin) is not null
        -- Autovacuum has no login; nobody waits for its snapshots.
        and a.usesysid is not null
      union all
      select 'prepared transaction', p.gid, p.owner::text, null, null, p.prepared, p.transaction
      from pg_prepared_xacts p
      where p.database = current_database()
      union all
      select 'replication slot', s.slot_name::text, null, null, case when s.active then 'active' else 'inactive' end, null, s.xmin
      from pg_replication_slots s
      where s.xmin is not null
    ) as holder (kind, name, login, application, state, since, holds)
    order by age(holder.holds) desc, holder.since
    limit 100
  $$;
--> statement-breakpoint
revoke all on function tocsin.snapshot_holders() from public;
--> statement-breakpoint
grant execute on function tocsin.snapshot_holders() to tocsin_worker;
--> statement-breakpoint
-- Finds the events of one entity. Most deployments have no workflow that orders its deliveries, and every writer would pay for the
-- index: a worker that meets one makes it, as soon as the outbox is small. True when it stands.
create function tocsin.index_event_order(lock_timeout_ms int) returns boolean
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  as $$
begin
  if to_regclass('tocsin.events_entity') is not null then
    return true;
  end if;
  if (select sum(pg_relation_size(format('tocsin.events_%s', segment)::regclass)) from generate_series(0, 2) segment) > 33554432 then
    return false;
  end if;
  perform set_config('lock_timeout', least(greatest(lock_timeout_ms, 1), 1000) || 'ms', true);
  -- By a hash: ids of captured rows have any length, and an index refuses long ones.
  create index if not exists events_entity
    on tocsin.events (hashtextextended(tenant_id || chr(31) || entity_type || chr(31) || entity_id, 0), position);
  return true;
exception when lock_not_available then
  return false;
end
$$;
--> statement-breakpoint
revoke all on function tocsin.index_event_order(int) from public;
--> statement-breakpoint
grant execute on function tocsin.index_event_order(int) to tocsin_worker;
--> statement-breakpoint
-- When a superuser migrates what another role owns, that role owns the new functions too.
-- allowed: it only says who owns the functions above
do $do$
declare
  owner constant text := (select pg_get_userbyid(relowner) from pg_catalog.pg_class where oid = 'tocsin.events'::regclass);
begin
  if owner <> current_user then
    execute format('alter function tocsin.snapshot_holders() owner to %I', owner);
    execute format('alter function tocsin.index_event_order(int) owner to %I', owner);
  end if;
end
$do$;
