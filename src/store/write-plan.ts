import type { DeliveryStatus, ExecutionStatus } from '../model/execution.ts';
import type { Priority } from '../model/notification.ts';
import type { Place } from '../model/ordering.ts';
import { type ArrayParameter, boolArray, intArray, textArray, uuidArray } from './array-parameter.ts';
import { bulkRows } from './bulk-rows.ts';
import { promptly, type Runner } from './connection.ts';

/** An execution as it is first written. */
export type NewExecution = {
  readonly id: string;
  readonly tenantId: string;
  readonly workflowId: string;
  readonly workflowVersion: number;
  readonly eventId: string;
  readonly status: ExecutionStatus;
  readonly reason: string | null;
  /** JSON text of an `ExecutionTrace`, or null while pending. */
  readonly trace: string | null;
  readonly deliveriesOpen: number;
  readonly deliveriesDone: number;
  readonly deliveriesFailed: number;
  /** Among those of one workflow and entity, when their deliveries go one after the other. */
  readonly place: Place | null;
};

/** A delivery as it is planned: pending, or already decided (an inbox notification, a recipient left out). */
export type NewDelivery = {
  readonly id: string;
  readonly tenantId: string;
  readonly executionId: string;
  readonly actionId: string;
  readonly actionType: string;
  readonly recipientId: string;
  /** JSON text of the recipient, or null when it is not needed to deliver. */
  readonly recipient: string | null;
  readonly queue: string;
  readonly status: DeliveryStatus;
  readonly reason: string | null;
  /** Among those that go one after the other. */
  readonly place: Place | null;
  /** So long it is put off, because others go before it (`ordered-lines.ts`); default: it is due at once. */
  readonly parkedSeconds?: number;
};

/** A row of the inbox. */
export type NewNotification = {
  readonly id: string;
  readonly tenantId: string;
  readonly userId: string;
  readonly executionId: string;
  readonly title: string;
  readonly message: string;
  readonly priority: Priority;
  readonly link: string | null;
};

const finalStatuses = new Set<string>(['success', 'partial', 'failed', 'skipped', 'cancelled']);

/** Writes executions in one statement. A second one of the same event and workflow version is a unique violation. */
export async function insertExecutions(runner: Runner, rows: readonly NewExecution[]): Promise<void> {
  if (rows.length === 0) return;
  await runner.query({
    name: 'tocsin_insert_executions',
    text: `
      insert into tocsin.executions
        (id, tenant_id, workflow_id, workflow_version, event_id, status, reason, trace,
         deliveries_open, deliveries_done, deliveries_failed, ordering_key, ordering_position, completed_at)
      select id, tenant_id, workflow_id, workflow_version, event_id, status, reason, trace::json,
        deliveries_open, deliveries_done, deliveries_failed, ordering_key, ordering_position::bigint,
        case when is_final then now() end
      from unnest(
        $1::uuid[], $2::text[], $3::uuid[], $4::int[], $5::uuid[], $6::text[], $7::text[], $8::text[],
        $9::int[], $10::int[], $11::int[], $12::bool[], $13::text[], $14::text[])
        as row (id, tenant_id, workflow_id, workflow_version, event_id, status, reason, trace,
          deliveries_open, deliveries_done, deliveries_failed, is_final, ordering_key, ordering_position)`,
    values: [
      uuidArray(rows.map((row) => row.id)),
      textArray(rows.map((row) => row.tenantId)),
      uuidArray(rows.map((row) => row.workflowId)),
      intArray(rows.map((row) => row.workflowVersion)),
      uuidArray(rows.map((row) => row.eventId)),
      textArray(rows.map((row) => row.status)),
      sparseTextArray(rows.map((row) => row.reason)),
      sparseTextArray(rows.map((row) => row.trace)),
      intArray(rows.map((row) => row.deliveriesOpen)),
      intArray(rows.map((row) => row.deliveriesDone)),
      intArray(rows.map((row) => row.deliveriesFailed)),
      boolArray(rows.map((row) => finalStatuses.has(row.status))),
      ...placeArrays(rows),
    ],
  });
}

/** Writes the deliveries of executions that are new in this transaction: none of them can stand, so none is looked for. */
export async function insertFirstDeliveries(runner: Runner, rows: readonly NewDelivery[]): Promise<void> {
  if (rows.length === 0) return;
  await runner.query({
    name: 'tocsin_insert_first_deliveries',
    text: `${insertDeliveries} ${deliveryRows.from(1)}`,
    values: deliveryRows.parameters(rows),
  });
}

/** Writes the inbox rows of deliveries that `insertFirstDeliveries` writes in the same transaction. */
export async function insertFirstNotifications(runner: Runner, rows: readonly NewNotification[]): Promise<void> {
  if (rows.length === 0) return;
  await runner.query({
    name: 'tocsin_insert_first_notifications',
    text: `${insertNotifications} ${notificationRows.from(1)}`,
    values: notificationRows.parameters(rows),
  });
}

/** A page of an execution that is leased. */
export type PageToWrite = {
  readonly execution: { readonly id: string; readonly leaseToken: string };
  /** So long the lease is prolonged, ms. */
  readonly leaseMs: number;
  readonly deliveries: readonly NewDelivery[];
  /** Of those deliveries that are notifications. */
  readonly notifications: readonly NewNotification[];
  /** Some of its deliveries may stand already: they stay as they are, and so do their inbox rows. */
  readonly mayStand: boolean;
};

/**
 * Writes a page and prolongs the lease of its execution, in one statement, which is a transaction if it is not in one.
 *
 * @returns false when the lease is no longer ours: then nothing was written
 */
export async function writePage(runner: Runner, page: PageToWrite): Promise<boolean> {
  const { execution, leaseMs, deliveries, notifications, mayStand } = page;
  const result = await runner.query({
    ...promptly,
    ...(mayStand ? writeMissingPage : writeFirstPage),
    values: [
      execution.id,
      execution.leaseToken,
      leaseMs,
      ...deliveryRows.parameters(deliveries),
      ...notificationRows.parameters(notifications),
    ],
  });
  return result.rowCount === 1;
}

const insertDeliveries = `
  insert into tocsin.deliveries
    (id, tenant_id, execution_id, action_id, action_type, recipient_id, recipient, queue, status, reason,
     ordering_key, ordering_position, due_at, completed_at)
  select id, tenant_id, execution_id, action_id, action_type, recipient_id, recipient::json, queue, status, reason,
    ordering_key, ordering_position::bigint, now() + coalesce(parked_seconds::int, 0) * interval '1 second',
    case when status <> 'pending' then now() end
  from`;

const insertNotifications = `
  insert into tocsin.notifications (id, tenant_id, user_id, execution_id, title, message, priority, link)
  select id, tenant_id, user_id, execution_id, title, message, priority, link
  from`;

const deliveryRows = bulkRows<NewDelivery>({ name: 'id', type: 'uuid', of: ({ id }) => id }, [
  { name: 'tenant_id', type: 'text', of: ({ tenantId }) => tenantId },
  { name: 'execution_id', type: 'uuid', of: ({ executionId }) => executionId },
  { name: 'action_id', type: 'text', of: ({ actionId }) => actionId },
  { name: 'action_type', type: 'text', of: ({ actionType }) => actionType },
  { name: 'recipient_id', type: 'text', of: ({ recipientId }) => recipientId },
  { name: 'recipient', type: 'text', of: ({ recipient }) => recipient },
  { name: 'queue', type: 'text', of: ({ queue }) => queue },
  { name: 'status', type: 'text', of: ({ status }) => status },
  { name: 'reason', type: 'text', of: ({ reason }) => reason },
  { name: 'ordering_key', type: 'text', of: ({ place }) => place?.key ?? null },
  { name: 'ordering_position', type: 'text', of: ({ place }) => place?.position ?? null },
  { name: 'parked_seconds', type: 'text', of: ({ parkedSeconds }) => parkedSeconds?.toString() ?? null },
]);

const notificationRows = bulkRows<NewNotification>({ name: 'id', type: 'uuid', of: ({ id }) => id }, [
  { name: 'tenant_id', type: 'text', of: ({ tenantId }) => tenantId },
  { name: 'user_id', type: 'text', of: ({ userId }) => userId },
  { name: 'execution_id', type: 'uuid', of: ({ executionId }) => executionId },
  { name: 'title', type: 'text', of: ({ title }) => title },
  { name: 'message', type: 'text', of: ({ message }) => message },
  { name: 'priority', type: 'text', of: ({ priority }) => priority },
  { name: 'link', type: 'text', of: ({ link }) => link },
]);

/** SQL of `writePage`; `planned` ends the statement that writes the deliveries, `told` the one that writes the inbox rows. */
function pageText({ planned, told }: { planned: string; told: string }): string {
  const leaseParameters = 3;
  return `
  with ours as (
    update tocsin.executions
    set due_at = now() + $3 * interval '1 millisecond'
    where id = $1
      and lease_token = $2
      and status = 'pending'
    returning id
  ), planned as (
    ${insertDeliveries} ${deliveryRows.from(1 + leaseParameters)}
    where exists (select from ours)
    ${planned}
  ), told as (
    ${insertNotifications} ${notificationRows.from(1 + leaseParameters + deliveryRows.size)}
    where ${told}
  )
  select id
  from ours`;
}

const writeFirstPage = {
  name: 'tocsin_write_first_page',
  text: pageText({ planned: '', told: 'exists (select from ours)' }),
};

const writeMissingPage = {
  name: 'tocsin_write_missing_page',
  text: pageText({
    planned: 'on conflict (id) do nothing returning id',
    told: 'id in (select planned.id from planned)',
  }),
};

function placeArrays(rows: readonly { readonly place: Place | null }[]): (ArrayParameter | null)[] {
  return [
    sparseTextArray(rows.map(({ place }) => place?.key ?? null)),
    sparseTextArray(rows.map(({ place }) => place?.position ?? null)),
  ];
}

/** A column that is often null throughout: then nothing is sent, and `unnest` fills it with nulls. */
function sparseTextArray(values: readonly (string | null)[]): ArrayParameter | null {
  return values.every((value) => value === null) ? null : textArray(values);
}
