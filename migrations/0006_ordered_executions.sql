ALTER TABLE "tocsin"."executions" ADD COLUMN "ordering_key" text;--> statement-breakpoint
ALTER TABLE "tocsin"."executions" ADD COLUMN "ordering_position" bigint;--> statement-breakpoint
CREATE INDEX "executions_ordered" ON "tocsin"."executions" USING btree ("tenant_id","ordering_key","ordering_position") WHERE status = 'pending' and ordering_key is not null;