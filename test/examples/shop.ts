import { afterAll, beforeAll } from 'vitest';
import { DomainEvent, type DomainEventOptions } from '../../src/capture/domain-event.ts';
import type { ExecutionLog } from '../../src/log/execution-log.ts';
import { unwrap } from '../../src/model/result.ts';
import type { WorkflowInput } from '../../src/model/workflow.ts';
import type { TocsinOptions } from '../../src/tocsin.ts';
import { SmtpReceiver } from '../support/smtp-receiver.ts';
import { type TestTocsin, useTestTocsin } from '../support/test-tocsin.ts';
import { WebhookReceiver } from '../support/webhook-receiver.ts';

const tables = `
  create schema shop;
  create table shop.orders (
    order_id bigint generated always as identity primary key,
    tenant_id text not null default 'acme',
    status text not null default 'new',
    amount numeric(12, 2),
    note text,
    customer_id text,
    customer_name text,
    customer jsonb,
    owner_id text,
    created_by text
  );
  create table shop.customers (
    id text primary key,
    tenant_id text not null default 'acme',
    region text not null,
    purchases int not null
  );
  create table shop.users (
    id text primary key,
    tenant_id text not null default 'acme',
    username text not null,
    is_verified boolean not null
  );`;

type Row = Readonly<Record<string, unknown>>;

/** The shop that the examples are about: tables that are captured, people of the tenant `acme`, a mail server, a receiver. */
export type Shop = TestTocsin & {
  readonly smtp: SmtpReceiver;
  readonly receiver: WebhookReceiver;
  /** Inserts a row and, with `change`, updates it; both are matched before it resolves. Answers the row's key. */
  readonly write: (table: 'orders' | 'customers' | 'users', row: Row, change?: Row) => Promise<string>;
  readonly executionsOf: (workflowId: string) => Promise<readonly ExecutionLog[]>;
  /** `title: message` of what a user was told, sorted. */
  readonly told: (userId: string) => Promise<string[]>;
};

/** A shop for the tests of one file. Read it inside tests only. */
export function useShop(options: Partial<TocsinOptions> = {}): Shop {
  const peers: { smtp?: SmtpReceiver; receiver?: WebhookReceiver } = {};
  const tocsin = useTestTocsin(async () => {
    peers.smtp = await SmtpReceiver.start();
    peers.receiver = await WebhookReceiver.start();
    return { smtp: { url: peers.smtp.url, from: 'Shop <no-reply@shop.example>' }, ...options };
  });
  beforeAll(async () => {
    await tocsin.tocsin.capture.remove('orders');
    await tocsin.sql(tables);
    for (const entityType of ['order', 'customer', 'user']) {
      unwrap(
        await tocsin.tocsin.capture.install({ table: `shop.${entityType}s`, entityType, tenantColumn: 'tenant_id' }),
      );
    }
    await fillDirectory(tocsin);
  });
  afterAll(async () => {
    await peers.smtp?.close();
    await peers.receiver?.close();
  });
  return Object.defineProperties(tocsin, {
    smtp: { get: () => peers.smtp },
    receiver: { get: () => peers.receiver },
    write: { value: (table: string, row: Row, change?: Row) => write(tocsin, { table, row, change }) },
    executionsOf: {
      value: async (workflowId: string) =>
        unwrap(await tocsin.tocsin.workflows.getExecutionLogs('acme', { workflowId })).items,
    },
    told: {
      value: async (userId: string) =>
        unwrap(await tocsin.tocsin.inbox.list('acme', userId))
          .items.map(({ title, message }) => `${title}: ${message}`)
          .toSorted(),
    },
  }) as Shop;
}

/** A workflow that has nothing particular but what the test gives it. */
export function workflowWith(change: Partial<WorkflowInput>): WorkflowInput {
  return {
    name: `workflow ${Math.random()}`,
    triggers: [{ entityType: 'order', operation: 'insert' }],
    actions: [{ type: 'notification', title: 'order', message: '{{ payload.order_id }}' }],
    recipients: [{ type: 'user', id: 'user123' }],
    ...change,
  };
}

/** An order that happened in code, at a moment the test chooses. */
export class OrderInserted extends DomainEvent {
  readonly order_id = 1;

  constructor(options: Omit<DomainEventOptions, 'tenantId'>) {
    super({ tenantId: 'acme', ...options });
  }

  override get operation(): string {
    return 'insert';
  }
}

async function fillDirectory({ tocsin }: TestTocsin): Promise<void> {
  const { directory } = tocsin;
  unwrap(
    await directory.putUsers('acme', [
      { id: 'user123', name: 'Uma', email: 'uma@acme.example', attributes: { department: 'sales' } },
      { id: 'user456', name: 'Udo', email: 'udo@acme.example' },
      { id: 'admin1', name: 'Ada', email: 'ada@acme.example' },
      { id: 'manager1', name: 'Max', email: 'max@acme.example' },
      { id: 'seller1', name: 'Sam', attributes: { department: 'support' } },
    ]),
  );
  unwrap(await directory.setRoles('acme', 'admin1', ['admin', 'finance', 'auditor']));
  unwrap(await directory.setRoles('acme', 'manager1', ['manager', 'finance']));
  unwrap(await directory.addToGroup('acme', 'sales_team', ['seller1', 'user123']));
}

async function write(
  { sql, settle }: TestTocsin,
  given: { table: string; row: Row; change: Row | undefined },
): Promise<string> {
  const { table, row, change } = given;
  const key = table === 'orders' ? 'order_id' : 'id';
  const columns = Object.keys(row);
  const values = columns.map((_column, index) => `$${index + 1}`);
  const { rows } = await sql(
    `insert into shop.${table} (${columns}) values (${values}) returning ${key}::text as key`,
    Object.values(row),
  );
  const id = String(rows[0]?.key);
  await settle();
  if (change) {
    const settings = Object.keys(change).map((column, index) => `${column} = $${index + 2}`);
    await sql(`update shop.${table} set ${settings} where ${key}::text = $1`, [id, ...Object.values(change)]);
    await settle();
  }
  return id;
}
