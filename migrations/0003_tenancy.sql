-- Who may do what. Roles are of the whole cluster and cannot log in: logins are made members of them (README, "Roles and rights").
--   tocsin_service  one tenant, the one that the setting `tocsin.tenant_id` names: what the services do (src/store/with-tenant.ts)
--   tocsin_worker   all tenants, only what matching, executing, delivering and housekeeping take
--   tocsin_capture  owns the functions that write events for others: capture triggers, `tocsin.dispatch_event`
--   tocsin_query    counts rows of host tables for saved queries; has nothing in this schema
do $do$
declare
  wanted constant text[] := array['tocsin_service', 'tocsin_worker', 'tocsin_capture', 'tocsin_query'];
  missing constant text[] := array(select name from unnest(wanted) name where name not in (select rolname from pg_catalog.pg_roles));
  -- Who migrates, and who owns the tables if that is another: row level security holds for owners too.
  logins constant text[] := array(
    select current_user union select pg_get_userbyid(relowner) from pg_catalog.pg_class where oid = 'tocsin.events'::regclass);
  knows_set constant boolean := current_setting('server_version_num')::int >= 160000;
  can_set constant text := case when knows_set then 'set' else 'member' end;
  as_own constant text := case when knows_set then ' with inherit true, set true' else '' end;
  remedy constant text := concat_ws(
    ' ',
    'Let a superuser run this once, then migrate again:',
    (select string_agg(format('create role %I nologin;', name), ' ') from unnest(missing) name),
    (select string_agg(format('alter role %I inherit;', rolname), ' ')
     from pg_catalog.pg_roles
     where rolname = any (logins) and not rolinherit and not knows_set),
    format(
      'grant %s to %s%s;',
      array_to_string(wanted, ', '),
      (select string_agg(quote_ident(login), ', ') from unnest(logins) login),
      as_own));
  name text;
  login text;
begin
  foreach name in array wanted loop
    begin
      if not exists (select from pg_catalog.pg_roles where rolname = name) then
        execute format('create role %I nologin', name);
      end if;
    exception
      -- Another database of the cluster is migrated at the same time.
      when duplicate_object or unique_violation then null;
      when insufficient_privilege then
        raise exception 'tocsin: the login "%" may not create the role %. %', current_user, name, remedy
          using errcode = 'insufficient_privilege';
    end;
    if exists (select from pg_catalog.pg_roles where rolname = name and (rolsuper or rolbypassrls)) then
      raise exception 'tocsin: the role % bypasses row level security: alter role % nosuperuser nobypassrls', name, name
        using errcode = 'invalid_role_specification';
    end if;
    -- They may act as each of them, so that one login is enough. A superuser may anyway.
    foreach login in array logins loop
      begin
        if not (pg_has_role(login, name, can_set) and pg_has_role(login, name, 'usage')) then
          execute format('grant %I to %I%s', name, login, as_own);
        end if;
      exception
        when unique_violation or internal_error then null;
        when insufficient_privilege then null;
      end;
      if not (pg_has_role(login, name, can_set) and pg_has_role(login, name, 'usage')) then
        raise exception 'tocsin: the login "%" is no member of the role %, or does not inherit its rights. %', login, name, remedy
          using errcode = 'insufficient_privilege';
      end if;
    end loop;
  end loop;
  if pg_has_role('tocsin_service', 'tocsin_worker', 'member') then
    raise exception 'tocsin: tocsin_service is a member of tocsin_worker and would see all tenants: revoke tocsin_worker from tocsin_service'
      using errcode = 'invalid_role_specification';
  end if;
end
$do$;
--> statement-breakpoint
revoke all on schema tocsin from public;
--> statement-breakpoint
revoke all on all tables in schema tocsin from public;
--> statement-breakpoint
revoke all on all sequences in schema tocsin from public;
--> statement-breakpoint
revoke all on all functions in schema tocsin from public;
--> statement-breakpoint
grant usage on schema tocsin to tocsin_service, tocsin_worker, tocsin_capture;
--> statement-breakpoint
-- Row level security for a table with a tenant_id, the owner included; every later table of that kind is given to it by its own
-- migration. Partitions are reached through their parents. By its own name only a worker comes to one: it truncates a drained
-- segment of the outbox, and retention locks rows partition by partition (who may update some column may lock).
create function tocsin.isolate_table(target regclass) returns void
  language plpgsql
  set search_path = pg_catalog, pg_temp
  as $$
declare
  is_own constant text := 'tenant_id = (select nullif(pg_catalog.current_setting(''tocsin.tenant_id'', true), ''''))';
  parent constant text := (select c.relname from pg_inherits i join pg_class c on c.oid = i.inhparent where i.inhrelid = target);
begin
  execute format('alter table %s enable row level security', target);
  execute format('alter table %s force row level security', target);
  execute format('create policy worker on %s to tocsin_worker using (true) with check (true)', target);
  if parent is null then
    execute format('create policy service on %1$s to tocsin_service using (%2$s) with check (%2$s)', target, is_own);
  elsif parent = 'events' then
    execute format('grant select, truncate on %s to tocsin_worker', target);
  elsif parent = 'executions' then
    execute format('grant select, update (lease_token) on %s to tocsin_worker', target);
  elsif parent = 'event_history' then
    execute format('grant select, update (failure) on %s to tocsin_worker', target);
  end if;
end
$$;
--> statement-breakpoint
revoke all on function tocsin.isolate_table(regclass) from public;
--> statement-breakpoint
select tocsin.isolate_table(c.oid)
from pg_catalog.pg_class c
  join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped
where c.relnamespace = 'tocsin'::regnamespace
  and c.relkind in ('r', 'p')
order by c.oid;
--> statement-breakpoint
-- A foreign key does not look at the tenant: nobody takes the next version number of another tenant's workflow.
create policy own_workflow on tocsin.workflow_versions as restrictive for insert to tocsin_service
  with check (exists (select from tocsin.workflows w where w.id = workflow_id));
--> statement-breakpoint
create policy capture_writes on tocsin.events for insert to tocsin_capture with check (true);
--> statement-breakpoint
create policy capture_gate on tocsin.subscriptions for select to tocsin_capture using (true);
--> statement-breakpoint
create policy capture_quota on tocsin.tenants for select to tocsin_capture using (true);
--> statement-breakpoint
create policy capture_keys on tocsin.event_keys for select to tocsin_capture using (true);
--> statement-breakpoint
create policy capture_writes_keys on tocsin.event_keys for insert to tocsin_capture with check (true);
--> statement-breakpoint
-- Shared by all tenants.
grant select on tocsin.entity_types, tocsin.captures, tocsin.migrations to tocsin_service, tocsin_worker;
--> statement-breakpoint
grant select, update (version) on tocsin.definitions_version to tocsin_service, tocsin_worker;
--> statement-breakpoint
-- The service: what administrators write of a tenant; what the engine wrote is read, cancelled, redriven, marked.
grant select on
  tocsin.workflows, tocsin.workflow_versions, tocsin.subscriptions, tocsin.saved_queries, tocsin.templates, tocsin.secrets,
  tocsin.directory_users, tocsin.directory_memberships, tocsin.tenants, tocsin.tenant_usage, tocsin.preferences,
  tocsin.suppressions, tocsin.endpoints, tocsin.events, tocsin.event_history, tocsin.executions, tocsin.deliveries,
  tocsin.delivery_attempts, tocsin.notifications
  to tocsin_service;
--> statement-breakpoint
grant insert, update, delete on
  tocsin.saved_queries, tocsin.templates, tocsin.secrets, tocsin.directory_users, tocsin.preferences, tocsin.suppressions
  to tocsin_service;
--> statement-breakpoint
grant insert, delete on tocsin.directory_memberships, tocsin.subscriptions to tocsin_service;
--> statement-breakpoint
grant insert, update on tocsin.workflows to tocsin_service;
--> statement-breakpoint
grant insert on tocsin.workflow_versions to tocsin_service;
--> statement-breakpoint
grant update, delete on tocsin.endpoints to tocsin_service;
--> statement-breakpoint
-- Not the quotas, nor the domains a sender may have: those are the operator's to give.
grant insert (tenant_id, retention_days, sender_name, sender_address, updated_at),
  update (retention_days, sender_name, sender_address, updated_at)
  on tocsin.tenants to tocsin_service;
--> statement-breakpoint
grant update (status, reason, deliveries_open, deliveries_done, deliveries_failed, attempts, due_at, lease_token, completed_at)
  on tocsin.executions to tocsin_service;
--> statement-breakpoint
grant update (status, reason, attempts_base, due_at, lease_token, completed_at) on tocsin.deliveries to tocsin_service;
--> statement-breakpoint
grant update (read_at, archived_at) on tocsin.notifications to tocsin_service;
--> statement-breakpoint
-- Redriving moves a failed event back to the outbox. A row can be locked by who may update some column of it.
grant delete, update (failure) on tocsin.event_history to tocsin_service;
--> statement-breakpoint
grant insert on tocsin.events to tocsin_service;
--> statement-breakpoint
-- The worker: definitions are read; a workflow can be paused.
grant select on
  tocsin.workflow_versions, tocsin.saved_queries, tocsin.templates, tocsin.secrets, tocsin.directory_users,
  tocsin.directory_memberships, tocsin.tenants
  to tocsin_worker;
--> statement-breakpoint
grant select, update (status, paused_reason, revision, updated_at, changed_at_version) on tocsin.workflows to tocsin_worker;
--> statement-breakpoint
grant select, delete on tocsin.subscriptions to tocsin_worker;
--> statement-breakpoint
grant select, insert, update, delete on
  tocsin.executions, tocsin.deliveries, tocsin.endpoints, tocsin.tenant_usage, tocsin.workers
  to tocsin_worker;
--> statement-breakpoint
grant select, insert, update on tocsin.preferences, tocsin.suppressions to tocsin_worker;
--> statement-breakpoint
grant select, insert, delete, update (attempts, not_before) on tocsin.events to tocsin_worker;
--> statement-breakpoint
grant select, insert, delete, update (failure) on tocsin.event_history to tocsin_worker;
--> statement-breakpoint
grant select, insert, delete on tocsin.delivery_attempts to tocsin_worker;
--> statement-breakpoint
grant select, delete, update (created_at) on tocsin.event_keys to tocsin_worker;
--> statement-breakpoint
grant insert, select (id) on tocsin.notifications to tocsin_worker;
--> statement-breakpoint
-- Who writes events for others gets no more than the insert.
grant insert on tocsin.events to tocsin_capture;
--> statement-breakpoint
grant select, insert on tocsin.event_keys to tocsin_capture;
--> statement-breakpoint
grant select on tocsin.subscriptions to tocsin_capture;
--> statement-breakpoint
grant select (tenant_id, max_payload_bytes) on tocsin.tenants to tocsin_capture;
--> statement-breakpoint
grant usage on sequence tocsin.event_position to tocsin_service, tocsin_worker, tocsin_capture;
--> statement-breakpoint
grant execute on function tocsin.new_id(), tocsin.current_segment() to tocsin_service, tocsin_worker, tocsin_capture;
--> statement-breakpoint
grant execute on function tocsin.id_at(timestamptz), tocsin.tenant_attributes(text, jsonb) to tocsin_service, tocsin_worker;
--> statement-breakpoint
grant execute on function tocsin.wake_up(), tocsin.columns_are_readable(text, text, text[]) to tocsin_capture;
--> statement-breakpoint
do $do$
declare
  version regprocedure;
begin
  for version in
    select oid from pg_catalog.pg_proc where pronamespace = 'tocsin'::regnamespace and proname = 'differs'
  loop
    execute format('grant execute on function %s to tocsin_capture', version);
  end loop;
end
$do$;
--> statement-breakpoint
-- As in 0000_schema.sql, for who does not own the tables, and with row level security for what it makes.
create or replace function tocsin.ensure_partitions(days_ahead int) returns int
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  as $$
declare
  parent text;
  day date;
  made int := 0;
  child text;
begin
  if days_ahead not between 0 and 366 then
    raise exception 'tocsin: partitions for % days ahead: 0 to 366', days_ahead using errcode = 'invalid_parameter_value';
  end if;
  perform pg_advisory_xact_lock(hashtext('tocsin.ensure_partitions'));
  foreach parent in array array['event_history', 'executions', 'deliveries', 'delivery_attempts'] loop
    for day in
      select d::date
      from generate_series((now() at time zone 'UTC')::date - 1, (now() at time zone 'UTC')::date + days_ahead, interval '1 day') d
    loop
      child := parent || '_' || to_char(day, 'YYYYMMDD');
      continue when to_regclass('tocsin.' || child) is not null;
      begin
        execute format('create table tocsin.%I (like tocsin.%I including all)', child, parent);
        execute format(
          'alter table tocsin.%I attach partition tocsin.%I for values from (%L) to (%L)',
          parent, child,
          tocsin.id_at(day::timestamp at time zone 'UTC'), tocsin.id_at((day + 1)::timestamp at time zone 'UTC'));
        perform tocsin.isolate_table(format('tocsin.%I', child)::regclass);
        made := made + 1;
      exception when check_violation then
        -- The default partition already holds rows of that day: they stay there, and so do that day's others.
        raise warning 'tocsin: no partition % was made: the default partition holds rows of that day', child;
      end;
    end loop;
  end loop;
  return made;
end
$$;
--> statement-breakpoint
grant execute on function tocsin.ensure_partitions(int) to tocsin_worker;
--> statement-breakpoint
-- True while an execution or delivery of an event of that UTC day waits to be worked on.
create function tocsin.has_open_work(day timestamptz) returns boolean
  language sql stable
  set search_path = pg_catalog, pg_temp
  as $$
    select exists (
        select
        from tocsin.deliveries
        where status = 'pending'
          and id >= tocsin.id_at(day)
          and id < tocsin.id_at(day + interval '1 day'))
      or exists (
        select
        from tocsin.executions
        where status = 'pending'
          and id >= tocsin.id_at(day)
          and id < tocsin.id_at(day + interval '1 day'))
  $$;
--> statement-breakpoint
revoke all on function tocsin.has_open_work(timestamptz) from public;
--> statement-breakpoint
grant execute on function tocsin.has_open_work(timestamptz) to tocsin_worker;
--> statement-breakpoint
-- Drops the partition of one day, unless work of that day is open (then false). It drops nothing else, whatever it is given.
create function tocsin.drop_partition(partition_name text, lock_timeout_ms int) returns boolean
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  as $$
declare
  parent text;
begin
  -- One process at a time: two that drop and look for open work would wait for each other's tables.
  perform pg_advisory_xact_lock(hashtextextended('tocsin.drop_partition', 0));
  select p.relname
  into parent
  from pg_inherits i
    join pg_class p on p.oid = i.inhparent
    join pg_class c on c.oid = i.inhrelid
  where p.relnamespace = 'tocsin'::regnamespace
    and p.relname in ('event_history', 'executions', 'deliveries', 'delivery_attempts')
    and c.relnamespace = p.relnamespace
    and c.relname = partition_name
    and c.relname ~ ('^' || p.relname || '_[0-9]{8}$');
  if parent is null then
    if to_regclass(format('tocsin.%I', partition_name)) is null then
      return true;
    end if;
    raise exception 'tocsin: "%" is not the partition of a day', partition_name using errcode = 'invalid_parameter_value';
  end if;
  if not pg_has_role(current_user, 'tocsin_worker', 'usage') then
    raise exception 'tocsin: the owner of schema tocsin does not see what work is open: grant tocsin_worker to %', current_user
      using errcode = 'insufficient_privilege';
  end if;
  perform set_config('lock_timeout', lock_timeout_ms || 'ms', true);
  -- The parent first, as everybody locks it: dropping would lock the partition first.
  execute format('lock table only tocsin.%I in access exclusive mode', parent);
  if tocsin.has_open_work(to_date(right(partition_name, 8), 'YYYYMMDD')::timestamp at time zone 'UTC') then
    return false;
  end if;
  execute format('drop table tocsin.%I', partition_name);
  return true;
end
$$;
--> statement-breakpoint
revoke all on function tocsin.drop_partition(text, int) from public;
--> statement-breakpoint
grant execute on function tocsin.drop_partition(text, int) to tocsin_worker;
--> statement-breakpoint
-- Stores a domain event in the outbox and wakes a sleeping drain at commit (the number is `idleLockKey` of model/wake-up.ts). A key
-- that stands already answers the event it stands for; a transaction that stored it and is still open is waited for. Who is
-- bound to a tenant stores events of that tenant only.
create function tocsin.dispatch_event(
  tenant text, entity_type text, entity_id text, operation text, payload json, previous json, actor text, trace_context text,
  idempotency_key text, occurred_at timestamptz, causation text, default_bytes int,
  out event_id uuid, out duplicate boolean, out most_bytes int
)
  language plpgsql
  security definer
  set search_path = pg_catalog, pg_temp
  as $$
#variable_conflict use_variable
declare
  changed text[];
begin
  if current_setting('role') = 'tocsin_service' and tenant is distinct from current_setting('tocsin.tenant_id', true) then
    raise exception 'tocsin: this transaction is bound to another tenant than "%"', tenant using errcode = 'insufficient_privilege';
  end if;
  -- What is larger than the tenant's quota (or else the deployment's) is not stored: most_bytes says how large it may be.
  most_bytes := coalesce((select t.max_payload_bytes from tocsin.tenants t where t.tenant_id = tenant), default_bytes);
  if coalesce(octet_length(payload::text), 0) + coalesce(octet_length(previous::text), 0) > most_bytes then
    return;
  end if;
  event_id := tocsin.new_id();
  duplicate := false;
  if idempotency_key is not null then
    insert into tocsin.event_keys (tenant_id, idempotency_key, event_id)
    values (tenant, idempotency_key, event_id)
    on conflict do nothing;
    if not found then
      select k.event_id
      into event_id
      from tocsin.event_keys k
      where k.tenant_id = dispatch_event.tenant
        and k.idempotency_key = dispatch_event.idempotency_key;
      if event_id is null then
        -- A repeatable read transaction does not see the other's row.
        raise exception 'event with key "%" was stored at the same time: try again', idempotency_key
          using errcode = 'serialization_failure';
      end if;
      duplicate := true;
      return;
    end if;
  end if;
  -- As for a row, only updates have changed fields.
  if operation = 'update' and previous is not null then
    changed := array(
      select key
      from jsonb_each(payload::jsonb) after
        full join jsonb_each(previous::jsonb) before using (key)
      where after.value is distinct from before.value
      order by key);
  end if;
  insert into tocsin.events
    (id, tenant_id, source, entity_type, entity_id, operation, payload, previous, changed, actor, trace_context,
     idempotency_key, occurred_at, causation)
  values
    (event_id, tenant, 'domain', entity_type, entity_id, operation, payload, previous, changed, actor, trace_context,
     idempotency_key, coalesce(occurred_at, clock_timestamp()),
     coalesce(causation, nullif(current_setting('tocsin.causation', true), '')));
  if not pg_try_advisory_xact_lock_shared(7461637370) then
    perform tocsin.wake_up();
  end if;
end
$$;
--> statement-breakpoint
revoke all on function tocsin.dispatch_event(text, text, text, text, json, json, text, text, text, timestamptz, text, int) from public;
--> statement-breakpoint
grant execute on function tocsin.dispatch_event(text, text, text, text, json, json, text, text, text, timestamptz, text, int)
  to tocsin_service, tocsin_worker;
--> statement-breakpoint
-- A function can be made over only to a role that may create in its schema: for this moment.
grant create on schema tocsin to tocsin_capture;
--> statement-breakpoint
alter function tocsin.dispatch_event(text, text, text, text, json, json, text, text, text, timestamptz, text, int) owner to tocsin_capture;
--> statement-breakpoint
-- Capture functions of earlier versions had the rights of who installed them, who may write events no more.
do $do$
declare
  capture record;
begin
  for capture in
    select oid::regprocedure as name, pg_get_userbyid(proowner) as owner
    from pg_catalog.pg_proc
    where pronamespace = 'tocsin'::regnamespace
      and prorettype = 'trigger'::regtype
      and prosecdef
      and proname ~ '^capture_(insert|update|delete)_'
  loop
    begin
      execute format('alter function %s owner to tocsin_capture', capture.name);
    exception when insufficient_privilege then
      if not pg_has_role(capture.owner, 'tocsin_worker', 'usage') then
        raise exception 'tocsin: "%" owns the function % and could write no events any more: migrate as a superuser, or remove the capture first',
          capture.owner, capture.name
          using errcode = 'insufficient_privilege';
      end if;
    end;
  end loop;
end
$do$;
--> statement-breakpoint
revoke create on schema tocsin from tocsin_capture;
--> statement-breakpoint
-- When a superuser migrates what another role owns, that role owns the new functions too: `tocsin.ensure_partitions` calls them.
do $do$
declare
  owner constant text := (select pg_get_userbyid(relowner) from pg_catalog.pg_class where oid = 'tocsin.events'::regclass);
begin
  if owner <> current_user then
    execute format('alter function tocsin.isolate_table(regclass) owner to %I', owner);
    execute format('alter function tocsin.has_open_work(timestamptz) owner to %I', owner);
    execute format('alter function tocsin.drop_partition(text, int) owner to %I', owner);
  end if;
end
$do$;
--> statement-breakpoint
-- Every claim trusts this number: whoever may move it on may not move it back, or caches would stay as they are.
create function tocsin.refuse_older_definitions() returns trigger
  language plpgsql
  set search_path = pg_catalog, pg_temp
  as $$
begin
  raise exception 'tocsin: the version of the definitions only grows: % is below %', new.version, old.version
    using errcode = 'object_not_in_prerequisite_state';
end
$$;
--> statement-breakpoint
revoke all on function tocsin.refuse_older_definitions() from public;
--> statement-breakpoint
create trigger definitions_version_grows
  before update on tocsin.definitions_version
  for each row
  when (new.version < old.version)
  execute function tocsin.refuse_older_definitions();
