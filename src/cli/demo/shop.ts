import { DomainEvent } from '../../capture/domain-event.ts';

/** The host's own database: an ordinary shop with two tenants, that knows nothing of Tocsin. */
export const shopSchema = `
create schema shop;

create table shop.customers (
  id text primary key,
  tenant_id text not null,
  name text not null,
  email text not null,
  region text not null
);

create table shop.orders (
  id bigint generated always as identity primary key,
  tenant_id text not null,
  customer_id text not null references shop.customers (id),
  customer_name text not null,
  number text not null,
  status text not null default 'new',
  total numeric(12, 2) not null,
  card_number text,
  owner_id text,
  created_by text
);

insert into shop.customers (id, tenant_id, name, email, region) values
  ('c1', 'acme', 'Ann <b>Archer</b>', 'ann@customers.test', 'north'),
  ('c2', 'acme', 'Bert Berg', 'bert@customers.test', 'south'),
  ('g1', 'globex', 'Gus Grün', 'gus@customers.test', 'north');

insert into shop.orders (tenant_id, customer_id, customer_name, number, status, total, owner_id, created_by) values
  ('acme', 'c1', 'Ann <b>Archer</b>', 'A-1', 'paid', 120, 'mia', 'mia'),
  ('acme', 'c1', 'Ann <b>Archer</b>', 'A-2', 'paid', 80, 'mia', 'mia'),
  ('acme', 'c2', 'Bert Berg', 'A-3', 'paid', 640, 'tom', 'mia');`;

/** What the shop's own connection does while Tocsin runs: ordinary SQL, each line one transaction. */
export const shopStatements: readonly { readonly says: string; readonly sql: string }[] = [
  {
    says: 'a third order of a good customer (acme)',
    sql: `insert into shop.orders (tenant_id, customer_id, customer_name, number, total, card_number, owner_id, created_by)
          values ('acme', 'c1', 'Ann <b>Archer</b>', 'A-4', 1500.50, '4111111111111111', 'mia', 'mia')`,
  },
  {
    says: 'a small order: the conditions of "Large order" are not met (acme)',
    sql: `insert into shop.orders (tenant_id, customer_id, customer_name, number, total, owner_id, created_by)
          values ('acme', 'c2', 'Bert Berg', 'A-5', 20, 'tom', 'tom')`,
  },
  {
    says: 'an order that is rolled back: it never happened',
    sql: `insert into shop.orders (tenant_id, customer_id, customer_name, number, total)
          values ('acme', 'c2', 'Bert Berg', 'A-6', 9999);
          rollback; begin`,
  },
  {
    says: 'an approval, made by tom (acme)',
    sql: `set local tocsin.actor = 'tom';
          update shop.orders set status = 'approved' where number = 'A-4'`,
  },
  {
    says: 'a refund over 500 (acme)',
    sql: `update shop.orders set status = 'refunded' where number = 'A-3'`,
  },
  {
    says: 'a large order of the other tenant (globex)',
    sql: `insert into shop.orders (tenant_id, customer_id, customer_name, number, total, owner_id, created_by)
          values ('globex', 'g1', 'Gus Grün', 'G-1', 7000, 'zoe', 'zoe')`,
  },
  {
    says: 'an order is deleted (acme)',
    sql: `delete from shop.orders where number = 'A-5'`,
  },
];

/** A domain event of the shop's code. */
export class UserCreated extends DomainEvent {
  readonly userId: string;
  readonly username: string;
  readonly isVerified: boolean;

  constructor(tenantId: string, user: { userId: string; username: string; isVerified: boolean }) {
    super({ tenantId, idempotencyKey: `user-created-${user.userId}` });
    this.userId = user.userId;
    this.username = user.username;
    this.isVerified = user.isVerified;
  }
}
