CREATE SEQUENCE "tocsin"."claimed_position" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1;--> statement-breakpoint
grant select, update on sequence tocsin.claimed_position to tocsin_worker;
