import type { DeliveryStatus, ExecutionStatus } from '../model/execution.ts';
import type { Priority } from '../model/notification.ts';
import type { Place } from '../model/ordering.ts';
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

/** Executions, and what those of them plan that are new in this transaction: no such row can stand, so none is looked for. */
export type NewPlans = {
  readonly executions: readonly NewExecution[];
  readonly deliveries: readonly NewDelivery[];
  readonly notifications: readonly NewNotification[];
};

/** Writes all in one statement. A second execution of the same event and workflow version is a unique violation. */
export async function writePlans(runner: Runner, { executions, deliveries, notifications }: NewPlans): Promise<void> {
  const planned = deliveries.length + notifications.length;
  if (executions.length + planned === 0) return;
  const values = executionRows.parameters(executions);
  if (planned === 0) {
    await runner.query({ name: 'tocsin_write_executions', text: insertExecutions, values });
    return;
  }
  await runner.query({
    name: 'tocsin_write_plans',
    text: insertPlans,
    values: [...values, ...deliveryRows.parameters(deliveries), ...notificationRows.parameters(notifications)],
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

const executionRows = bulkRows<NewExecution>({ name: 'id', type: 'uuid', of: ({ id }) => id }, [
  { name: 'tenant_id', type: 'text', of: ({ tenantId }) => tenantId },
  { name: 'workflow_id', type: 'uuid', of: ({ workflowId }) => workflowId },
  { name: 'workflow_version', type: 'int', of: ({ workflowVersion }) => workflowVersion },
  { name: 'event_id', type: 'uuid', of: ({ eventId }) => eventId },
  { name: 'status', type: 'text', of: ({ status }) => status },
  { name: 'reason', type: 'text', of: ({ reason }) => reason },
  { name: 'trace', type: 'text', of: ({ trace }) => trace },
  { name: 'deliveries_open', type: 'int', of: ({ deliveriesOpen }) => deliveriesOpen },
  { name: 'deliveries_done', type: 'int', of: ({ deliveriesDone }) => deliveriesDone },
  { name: 'deliveries_failed', type: 'int', of: ({ deliveriesFailed }) => deliveriesFailed },
  { name: 'is_final', type: 'bool', of: ({ status }) => finalStatuses.has(status) },
  { name: 'ordering_key', type: 'text', of: ({ place }) => place?.key ?? null },
  { name: 'ordering_position', type: 'text', of: ({ place }) => place?.position ?? null },
]);

const insertExecutions = `
  insert into tocsin.executions
    (id, tenant_id, workflow_id, workflow_version, event_id, status, reason, trace,
     deliveries_open, deliveries_done, deliveries_failed, ordering_key, ordering_position, completed_at)
  select id, tenant_id, workflow_id, workflow_version, event_id, status, reason, trace::json,
    deliveries_open, deliveries_done, deliveries_failed, ordering_key, ordering_position::bigint,
    case when is_final then now() end
  from ${executionRows.from(1)}`;

const insertPlans = `
  with planned as (
    ${insertDeliveries} ${deliveryRows.from(1 + executionRows.size)}
  ), told as (
    ${insertNotifications} ${notificationRows.from(1 + executionRows.size + deliveryRows.size)}
  )
  ${insertExecutions}`;

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
