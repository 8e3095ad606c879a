ALTER TABLE "tocsin"."tenants" ADD COLUMN "sender_reply_to" text;--> statement-breakpoint
CREATE INDEX "preferences_muted_inbox" ON "tocsin"."preferences" USING btree ("tenant_id","user_id") WHERE muted and channel = 'notification';--> statement-breakpoint
grant insert (sender_reply_to), update (sender_reply_to) on tocsin.tenants to tocsin_service;
