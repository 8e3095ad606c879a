import type { DeliveryStatus, ExecutionStatus } from '../model/execution.ts';
import type { Priority } from '../model/notification.ts';
import type { Place } from '../model/ordering.ts';
import { type ArrayParameter, boolArray, intArray, textArray, uuidArray } from './array-parameter.ts';
import type { Runner } from './connection.ts';

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
      textArray(rows.map((row) => row.reason)),
      textArray(rows.map((row) => row.trace)),
      intArray(rows.map((row) => row.deliveriesOpen)),
      intArray(rows.map((row) => row.deliveriesDone)),
      intArray(rows.map((row) => row.deliveriesFailed)),
      boolArray(rows.map((row) => finalStatuses.has(row.status))),
      ...placeArrays(rows),
    ],
  });
}

/**
 * Writes deliveries and the inbox rows of those that are notifications, in one statement. A delivery that already stands
 * (the page was planned before a crash, or the user is in two of the recipients) stays as it is, and so does its inbox row.
 */
export async function insertDeliveries(
  runner: Runner,
  deliveries: readonly NewDelivery[],
  notifications: readonly NewNotification[],
): Promise<void> {
  if (deliveries.length === 0) return;
  await runner.query({
    name: 'tocsin_insert_deliveries',
    text: `
      with planned as (
        insert into tocsin.deliveries
          (id, tenant_id, execution_id, action_id, action_type, recipient_id, recipient, queue, status, reason,
           ordering_key, ordering_position, completed_at)
        select id, tenant_id, execution_id, action_id, action_type, recipient_id, recipient::json, queue, status, reason,
          ordering_key, ordering_position::bigint, case when status <> 'pending' then now() end
        from unnest(
          $1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
          $19::text[], $20::text[])
          as row (id, tenant_id, execution_id, action_id, action_type, recipient_id, recipient, queue, status, reason,
            ordering_key, ordering_position)
        on conflict (id) do nothing
        returning id
      )
      insert into tocsin.notifications (id, tenant_id, user_id, execution_id, title, message, priority, link)
      select row.id, tenant_id, user_id, execution_id, title, message, priority, link
      from unnest(
        $11::uuid[], $12::text[], $13::text[], $14::uuid[], $15::text[], $16::text[], $17::text[], $18::text[])
        as row (id, tenant_id, user_id, execution_id, title, message, priority, link)
      join planned on planned.id = row.id`,
    values: [
      uuidArray(deliveries.map((row) => row.id)),
      textArray(deliveries.map((row) => row.tenantId)),
      uuidArray(deliveries.map((row) => row.executionId)),
      textArray(deliveries.map((row) => row.actionId)),
      textArray(deliveries.map((row) => row.actionType)),
      textArray(deliveries.map((row) => row.recipientId)),
      textArray(deliveries.map((row) => row.recipient)),
      textArray(deliveries.map((row) => row.queue)),
      textArray(deliveries.map((row) => row.status)),
      textArray(deliveries.map((row) => row.reason)),
      uuidArray(notifications.map((row) => row.id)),
      textArray(notifications.map((row) => row.tenantId)),
      textArray(notifications.map((row) => row.userId)),
      uuidArray(notifications.map((row) => row.executionId)),
      textArray(notifications.map((row) => row.title)),
      textArray(notifications.map((row) => row.message)),
      textArray(notifications.map((row) => row.priority)),
      textArray(notifications.map((row) => row.link)),
      ...placeArrays(deliveries),
    ],
  });
}

/** Keys and positions; where nothing is ordered nothing is sent, and the rows have null. */
function placeArrays(rows: readonly { readonly place: Place | null }[]): (ArrayParameter | null)[] {
  if (rows.every(({ place }) => place === null)) return [null, null];
  return [
    textArray(rows.map(({ place }) => place?.key ?? null)),
    textArray(rows.map(({ place }) => place?.position ?? null)),
  ];
}
