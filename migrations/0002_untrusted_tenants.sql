CREATE TABLE "tocsin"."endpoints" (
	"tenant_id" text NOT NULL,
	"origin" text NOT NULL,
	"state" text NOT NULL,
	"failures" integer DEFAULT 0 NOT NULL,
	"last_reason" text,
	"opened_at" timestamp with time zone,
	"retry_at" timestamp with time zone,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "endpoints_tenant_id_origin_pk" PRIMARY KEY("tenant_id","origin"),
	CONSTRAINT "endpoints_state" CHECK ("tocsin"."endpoints"."state" in ('closed', 'open', 'half_open'))
);
--> statement-breakpoint
CREATE TABLE "tocsin"."preferences" (
	"tenant_id" text NOT NULL,
	"user_id" text NOT NULL,
	"channel" text NOT NULL,
	"workflow_id" text DEFAULT '' NOT NULL,
	"muted" boolean NOT NULL,
	"source" text NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "preferences_tenant_id_user_id_channel_workflow_id_pk" PRIMARY KEY("tenant_id","user_id","channel","workflow_id"),
	CONSTRAINT "preferences_source" CHECK ("tocsin"."preferences"."source" in ('host', 'unsubscribe_link'))
);
--> statement-breakpoint
CREATE TABLE "tocsin"."suppressions" (
	"tenant_id" text NOT NULL,
	"address" text NOT NULL,
	"reason" text NOT NULL,
	"detail" text,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "suppressions_tenant_id_address_pk" PRIMARY KEY("tenant_id","address"),
	CONSTRAINT "suppressions_reason" CHECK ("tocsin"."suppressions"."reason" in ('hard_bounce', 'complaint', 'host'))
);
--> statement-breakpoint
CREATE TABLE "tocsin"."tenant_usage" (
	"tenant_id" text NOT NULL,
	"minute" timestamp with time zone NOT NULL,
	"events" integer DEFAULT 0 NOT NULL,
	"deliveries" integer DEFAULT 0 NOT NULL,
	CONSTRAINT "tenant_usage_tenant_id_minute_pk" PRIMARY KEY("tenant_id","minute")
);
--> statement-breakpoint
ALTER TABLE "tocsin"."deliveries" ADD COLUMN "ordering_key" text;--> statement-breakpoint
ALTER TABLE "tocsin"."deliveries" ADD COLUMN "ordering_position" bigint;--> statement-breakpoint
ALTER TABLE "tocsin"."event_history" ADD COLUMN "causation" text;--> statement-breakpoint
ALTER TABLE "tocsin"."events" ADD COLUMN "causation" text;--> statement-breakpoint
ALTER TABLE "tocsin"."secrets" ADD COLUMN "hosts" text[];--> statement-breakpoint
ALTER TABLE "tocsin"."tenants" ADD COLUMN "events_per_minute" integer;--> statement-breakpoint
ALTER TABLE "tocsin"."tenants" ADD COLUMN "deliveries_per_minute" integer;--> statement-breakpoint
ALTER TABLE "tocsin"."tenants" ADD COLUMN "max_workflows" integer;--> statement-breakpoint
ALTER TABLE "tocsin"."tenants" ADD COLUMN "max_recipients" integer;--> statement-breakpoint
ALTER TABLE "tocsin"."tenants" ADD COLUMN "max_payload_bytes" integer;--> statement-breakpoint
ALTER TABLE "tocsin"."tenants" ADD COLUMN "sender_name" text;--> statement-breakpoint
ALTER TABLE "tocsin"."tenants" ADD COLUMN "sender_address" text;--> statement-breakpoint
ALTER TABLE "tocsin"."tenants" ADD COLUMN "sender_domains" text[] DEFAULT '{}' NOT NULL;--> statement-breakpoint
ALTER TABLE "tocsin"."workflows" ADD COLUMN "paused_reason" text;--> statement-breakpoint
CREATE INDEX "tenant_usage_minute" ON "tocsin"."tenant_usage" USING btree ("minute");--> statement-breakpoint
CREATE INDEX "deliveries_ordered" ON "tocsin"."deliveries" USING btree ("tenant_id","ordering_key","ordering_position") WHERE status = 'pending' and ordering_key is not null;