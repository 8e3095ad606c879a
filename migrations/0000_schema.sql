-- Functions the tables stand on. Everything below `create sequence` was generated from src/store/schema.ts, then given its
-- partitions by hand; drizzle-kit compares the schema with migrations/meta, so the hand-written parts stay.
create schema if not exists tocsin;
--> statement-breakpoint
-- A time-ordered id (UUIDv7, RFC 9562): PostgreSQL 18 has it built in, older servers compute the same layout.
do $do$
begin
  if current_setting('server_version_num')::int >= 180000 then
    create function tocsin.new_id() returns uuid
      language sql volatile parallel safe
      as 'select pg_catalog.uuidv7()';
  else
    create function tocsin.new_id() returns uuid
      language sql volatile parallel safe
      as $$
        select pg_catalog.encode(
          pg_catalog.set_bit(
            pg_catalog.set_bit(
              pg_catalog.overlay(
                pg_catalog.uuid_send(pg_catalog.gen_random_uuid()),
                pg_catalog.substring(
                  pg_catalog.int8send((extract(epoch from pg_catalog.clock_timestamp()) * 1000)::bigint), 3),
                1, 6),
              52, 1),
            53, 1),
          'hex')::uuid
      $$;
  end if;
end
$do$;
--> statement-breakpoint
-- The lowest id of a moment: ranges of ids are ranges of time.
create function tocsin.id_at(moment timestamptz) returns uuid
  language sql immutable parallel safe
  as $$
    select (lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
  $$;
--> statement-breakpoint
-- Which of the three outbox segments is written now; each minute the next one, so that drained ones can be truncated.
create function tocsin.current_segment() returns smallint
  language sql stable parallel safe
  as $$
    select ((extract(epoch from pg_catalog.now())::bigint / 60) % 3)::smallint
  $$;
--> statement-breakpoint
-- The attributes of a user below their tenant: the index on it finds one tenant's users however many other tenants use the
-- same attribute. Made of immutable functions only (jsonb_build_object is not one), so that it is inlined.
create function tocsin.tenant_attributes(tenant_id text, attributes jsonb) returns jsonb
  language sql immutable parallel safe
  as $$
    select pg_catalog.jsonb_set('{}', array[tenant_id], attributes)
  $$;
--> statement-breakpoint
-- Written by hand below: columns that hold user ids have collation "C", because pages go by id in byte order.
CREATE SEQUENCE "tocsin"."event_position" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1;--> statement-breakpoint
CREATE TABLE "tocsin"."captures" (
	"id" uuid PRIMARY KEY DEFAULT tocsin.new_id() NOT NULL,
	"schema_name" text NOT NULL,
	"table_name" text NOT NULL,
	"entity_type" text NOT NULL,
	"tenant_column" text,
	"tenant_constant" text,
	"excluded" text[] NOT NULL,
	"key_columns" text[] NOT NULL,
	"columns" jsonb NOT NULL,
	"operations" text[] NOT NULL,
	"only_when_subscribed" boolean DEFAULT false NOT NULL,
	"installed_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "captures_table" UNIQUE("schema_name","table_name"),
	CONSTRAINT "captures_one_tenant_source" CHECK (num_nonnulls("tocsin"."captures"."tenant_column", "tocsin"."captures"."tenant_constant") = 1)
);
--> statement-breakpoint
CREATE TABLE "tocsin"."definitions_version" (
	"only_row" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"version" bigint DEFAULT 0 NOT NULL,
	CONSTRAINT "definitions_version_one_row" CHECK ("tocsin"."definitions_version"."only_row")
);
--> statement-breakpoint
CREATE TABLE "tocsin"."deliveries" (
	"id" uuid NOT NULL,
	"tenant_id" text NOT NULL,
	"execution_id" uuid NOT NULL,
	"action_id" text NOT NULL,
	"action_type" text NOT NULL,
	"recipient_id" text DEFAULT '' NOT NULL,
	"recipient" json,
	"queue" text DEFAULT 'default' NOT NULL,
	"status" text NOT NULL,
	"reason" text,
	"attempts" smallint DEFAULT 0 NOT NULL,
	"attempts_base" smallint DEFAULT 0 NOT NULL,
	"due_at" timestamp with time zone DEFAULT now() NOT NULL,
	"lease_token" uuid,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"completed_at" timestamp with time zone,
	CONSTRAINT "deliveries_id_pk" PRIMARY KEY("id"),
	CONSTRAINT "deliveries_status" CHECK ("tocsin"."deliveries"."status" in ('pending', 'delivered', 'dead', 'skipped', 'cancelled'))
) PARTITION BY range (id);
--> statement-breakpoint
CREATE TABLE "tocsin"."delivery_attempts" (
	"delivery_id" uuid NOT NULL,
	"attempt" smallint NOT NULL,
	"tenant_id" text NOT NULL,
	"outcome" text NOT NULL,
	"reason" text,
	"detail" json,
	"started_at" timestamp with time zone NOT NULL,
	"duration_ms" integer NOT NULL,
	CONSTRAINT "delivery_attempts_delivery_id_attempt_pk" PRIMARY KEY("delivery_id","attempt")
) PARTITION BY range (delivery_id);
--> statement-breakpoint
CREATE TABLE "tocsin"."directory_memberships" (
	"tenant_id" text NOT NULL,
	"kind" text NOT NULL,
	"name" text NOT NULL,
	"user_id" text COLLATE "C" NOT NULL,
	CONSTRAINT "directory_memberships_tenant_id_kind_name_user_id_pk" PRIMARY KEY("tenant_id","kind","name","user_id"),
	CONSTRAINT "directory_memberships_kind" CHECK ("tocsin"."directory_memberships"."kind" in ('role', 'group'))
);
--> statement-breakpoint
CREATE TABLE "tocsin"."directory_users" (
	"tenant_id" text NOT NULL,
	"id" text COLLATE "C" NOT NULL,
	"name" text,
	"email" text,
	"locale" text,
	"timezone" text,
	"attributes" jsonb DEFAULT '{}'::jsonb NOT NULL,
	"active" boolean DEFAULT true NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "directory_users_tenant_id_id_pk" PRIMARY KEY("tenant_id","id")
);
--> statement-breakpoint
CREATE TABLE "tocsin"."entity_types" (
	"name" text PRIMARY KEY NOT NULL,
	"fields" jsonb NOT NULL,
	"operations" text[] NOT NULL,
	"schema_name" text,
	"table_name" text,
	"tenant_column" text,
	"tenant_constant" text,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tocsin"."event_history" (
	"id" uuid DEFAULT tocsin.new_id() NOT NULL,
	"tenant_id" text DEFAULT '' NOT NULL,
	"source" text NOT NULL,
	"entity_type" text NOT NULL,
	"entity_id" text DEFAULT '' NOT NULL,
	"operation" text NOT NULL,
	"payload" json,
	"previous" json,
	"changed" text[],
	"actor" text,
	"trace_context" text,
	"idempotency_key" text,
	"occurred_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"attempts" smallint DEFAULT 0 NOT NULL,
	"processed_at" timestamp with time zone DEFAULT now() NOT NULL,
	"failure" text,
	CONSTRAINT "event_history_id_pk" PRIMARY KEY("id")
) PARTITION BY range (id);
--> statement-breakpoint
CREATE TABLE "tocsin"."event_keys" (
	"tenant_id" text NOT NULL,
	"idempotency_key" text NOT NULL,
	"event_id" uuid NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "event_keys_tenant_id_idempotency_key_pk" PRIMARY KEY("tenant_id","idempotency_key")
);
--> statement-breakpoint
CREATE TABLE "tocsin"."events" (
	"position" bigint DEFAULT nextval('tocsin.event_position') NOT NULL,
	"segment" smallint DEFAULT tocsin.current_segment() NOT NULL,
	"id" uuid DEFAULT tocsin.new_id() NOT NULL,
	"tenant_id" text DEFAULT '' NOT NULL,
	"source" text NOT NULL,
	"entity_type" text NOT NULL,
	"entity_id" text DEFAULT '' NOT NULL,
	"operation" text NOT NULL,
	"payload" json,
	"previous" json,
	"changed" text[],
	"actor" text,
	"trace_context" text,
	"idempotency_key" text,
	"occurred_at" timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
	"attempts" smallint DEFAULT 0 NOT NULL,
	"not_before" timestamp with time zone,
	CONSTRAINT "events_position_segment_pk" PRIMARY KEY("position","segment")
) PARTITION BY list (segment);
--> statement-breakpoint
CREATE TABLE "tocsin"."executions" (
	"id" uuid NOT NULL,
	"tenant_id" text NOT NULL,
	"workflow_id" uuid NOT NULL,
	"workflow_version" integer NOT NULL,
	"event_id" uuid NOT NULL,
	"status" text NOT NULL,
	"reason" text,
	"trace" json,
	"deliveries_open" integer DEFAULT 0 NOT NULL,
	"deliveries_done" integer DEFAULT 0 NOT NULL,
	"deliveries_failed" integer DEFAULT 0 NOT NULL,
	"attempts" smallint DEFAULT 0 NOT NULL,
	"due_at" timestamp with time zone DEFAULT now() NOT NULL,
	"lease_token" uuid,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"completed_at" timestamp with time zone,
	CONSTRAINT "executions_id_pk" PRIMARY KEY("id"),
	CONSTRAINT "executions_status" CHECK ("tocsin"."executions"."status" in ('pending', 'running', 'success', 'partial', 'failed', 'skipped', 'cancelled'))
) PARTITION BY range (id);
--> statement-breakpoint
CREATE TABLE "tocsin"."notifications" (
	"id" uuid PRIMARY KEY NOT NULL,
	"tenant_id" text NOT NULL,
	"user_id" text NOT NULL,
	"execution_id" uuid NOT NULL,
	"title" text NOT NULL,
	"message" text NOT NULL,
	"priority" text DEFAULT 'medium' NOT NULL,
	"link" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"read_at" timestamp with time zone,
	"archived_at" timestamp with time zone,
	CONSTRAINT "notifications_priority" CHECK ("tocsin"."notifications"."priority" in ('low', 'medium', 'high', 'critical'))
);
--> statement-breakpoint
CREATE TABLE "tocsin"."saved_queries" (
	"id" uuid PRIMARY KEY DEFAULT tocsin.new_id() NOT NULL,
	"tenant_id" text NOT NULL,
	"name" text NOT NULL,
	"definition" jsonb NOT NULL,
	"changed_at_version" bigint NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "saved_queries_name" UNIQUE("tenant_id","name")
);
--> statement-breakpoint
CREATE TABLE "tocsin"."secrets" (
	"tenant_id" text NOT NULL,
	"name" text NOT NULL,
	"key_id" text NOT NULL,
	"nonce" "bytea" NOT NULL,
	"ciphertext" "bytea" NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "secrets_tenant_id_name_pk" PRIMARY KEY("tenant_id","name")
);
--> statement-breakpoint
CREATE TABLE "tocsin"."subscriptions" (
	"entity_type" text NOT NULL,
	"operation" text NOT NULL,
	"tenant_id" text NOT NULL,
	"workflow_id" uuid NOT NULL,
	CONSTRAINT "subscriptions_entity_type_operation_tenant_id_workflow_id_pk" PRIMARY KEY("entity_type","operation","tenant_id","workflow_id")
);
--> statement-breakpoint
CREATE TABLE "tocsin"."templates" (
	"tenant_id" text NOT NULL,
	"name" text NOT NULL,
	"subject" text,
	"html" text,
	"text" text,
	"changed_at_version" bigint NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "templates_tenant_id_name_pk" PRIMARY KEY("tenant_id","name")
);
--> statement-breakpoint
CREATE TABLE "tocsin"."tenants" (
	"tenant_id" text PRIMARY KEY NOT NULL,
	"retention_days" integer,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tocsin"."workers" (
	"id" uuid PRIMARY KEY NOT NULL,
	"host" text NOT NULL,
	"pid" integer NOT NULL,
	"version" text NOT NULL,
	"stages" text[] NOT NULL,
	"queues" text[],
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"seen_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tocsin"."workflow_versions" (
	"workflow_id" uuid NOT NULL,
	"version" integer NOT NULL,
	"tenant_id" text NOT NULL,
	"definition" jsonb NOT NULL,
	"published_at" timestamp with time zone DEFAULT now() NOT NULL,
	"published_by" text,
	CONSTRAINT "workflow_versions_workflow_id_version_pk" PRIMARY KEY("workflow_id","version")
);
--> statement-breakpoint
CREATE TABLE "tocsin"."workflows" (
	"id" uuid PRIMARY KEY DEFAULT tocsin.new_id() NOT NULL,
	"tenant_id" text NOT NULL,
	"name" text NOT NULL,
	"description" text DEFAULT '' NOT NULL,
	"status" text NOT NULL,
	"definition" jsonb NOT NULL,
	"published_version" integer,
	"revision" integer DEFAULT 1 NOT NULL,
	"changed_at_version" bigint NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	"deleted_at" timestamp with time zone,
	CONSTRAINT "workflows_status" CHECK ("tocsin"."workflows"."status" in ('draft', 'active', 'inactive', 'archived')),
	CONSTRAINT "workflows_active_is_published" CHECK ("tocsin"."workflows"."status" <> 'active' or "tocsin"."workflows"."published_version" is not null)
);
--> statement-breakpoint
ALTER TABLE "tocsin"."directory_memberships" ADD CONSTRAINT "directory_memberships_member" FOREIGN KEY ("tenant_id","user_id") REFERENCES "tocsin"."directory_users"("tenant_id","id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tocsin"."workflow_versions" ADD CONSTRAINT "workflow_versions_workflow_id_workflows_id_fk" FOREIGN KEY ("workflow_id") REFERENCES "tocsin"."workflows"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "deliveries_execution" ON "tocsin"."deliveries" USING btree ("execution_id");--> statement-breakpoint
CREATE INDEX "deliveries_due" ON "tocsin"."deliveries" USING btree ("due_at") WHERE status = 'pending';--> statement-breakpoint
CREATE INDEX "deliveries_dead" ON "tocsin"."deliveries" USING btree ("tenant_id","id") WHERE status = 'dead';--> statement-breakpoint
CREATE INDEX "directory_memberships_user" ON "tocsin"."directory_memberships" USING btree ("tenant_id","user_id");--> statement-breakpoint
CREATE INDEX "directory_users_attributes" ON "tocsin"."directory_users" USING gin (tocsin.tenant_attributes("tenant_id", "attributes") jsonb_path_ops);--> statement-breakpoint
CREATE INDEX "event_history_failed" ON "tocsin"."event_history" USING btree ("id") WHERE failure is not null;--> statement-breakpoint
CREATE INDEX "event_keys_created" ON "tocsin"."event_keys" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "executions_workflow" ON "tocsin"."executions" USING btree ("tenant_id","workflow_id","id");--> statement-breakpoint
CREATE INDEX "executions_due" ON "tocsin"."executions" USING btree ("due_at") WHERE status = 'pending';--> statement-breakpoint
CREATE INDEX "executions_failed" ON "tocsin"."executions" USING btree ("tenant_id","workflow_id","id") WHERE status in ('failed', 'partial');--> statement-breakpoint
CREATE INDEX "notifications_inbox" ON "tocsin"."notifications" USING btree ("tenant_id","user_id","id");--> statement-breakpoint
CREATE INDEX "saved_queries_changed" ON "tocsin"."saved_queries" USING btree ("changed_at_version");--> statement-breakpoint
CREATE INDEX "subscriptions_workflow" ON "tocsin"."subscriptions" USING btree ("workflow_id");--> statement-breakpoint
CREATE INDEX "templates_changed" ON "tocsin"."templates" USING btree ("changed_at_version");--> statement-breakpoint
CREATE UNIQUE INDEX "workflows_name" ON "tocsin"."workflows" USING btree ("tenant_id","name") WHERE deleted_at is null;--> statement-breakpoint
CREATE INDEX "workflows_changed" ON "tocsin"."workflows" USING btree ("changed_at_version");
--> statement-breakpoint
create table tocsin.events_0 partition of tocsin.events for values in (0);
--> statement-breakpoint
create table tocsin.events_1 partition of tocsin.events for values in (1);
--> statement-breakpoint
create table tocsin.events_2 partition of tocsin.events for values in (2);
--> statement-breakpoint
create table tocsin.event_history_default partition of tocsin.event_history default;
--> statement-breakpoint
create table tocsin.executions_default partition of tocsin.executions default;
--> statement-breakpoint
create table tocsin.deliveries_default partition of tocsin.deliveries default;
--> statement-breakpoint
create table tocsin.delivery_attempts_default partition of tocsin.delivery_attempts default;
--> statement-breakpoint
insert into tocsin.definitions_version default values;
--> statement-breakpoint
-- Makes the daily partitions (UTC days) from yesterday to `days_ahead` days from now. Attaching takes a lock that lets reads and
-- writes of the parent go on; what has no partition (an event that waited for days) goes to the default one.
create function tocsin.ensure_partitions(days_ahead int) returns int
  language plpgsql
  as $$
declare
  parent text;
  day date;
  made int := 0;
  child text;
begin
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
select tocsin.ensure_partitions(3);
--> statement-breakpoint
-- A published version stays as it was published.
create function tocsin.refuse_version_update() returns trigger
  language plpgsql
  as $$
begin
  raise exception 'workflow version % of % is published and cannot change: publish a new version', old.version, old.workflow_id
    using errcode = 'object_not_in_prerequisite_state';
end
$$;
--> statement-breakpoint
create trigger workflow_versions_immutable
  before update on tocsin.workflow_versions
  for each row execute function tocsin.refuse_version_update();
