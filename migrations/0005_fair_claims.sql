ALTER TABLE "tocsin"."tenants" ADD COLUMN "changed_at_version" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX "deliveries_tenant_due" ON "tocsin"."deliveries" USING btree ("tenant_id","due_at") WHERE status = 'pending';--> statement-breakpoint
CREATE INDEX "executions_tenant_due" ON "tocsin"."executions" USING btree ("tenant_id","due_at") WHERE status = 'pending';--> statement-breakpoint
CREATE INDEX "tenants_changed" ON "tocsin"."tenants" USING btree ("changed_at_version");