import type { DeliveryStatus, ExecutionStatus } from '../model/execution.ts';
import type { Priority } from '../model/notification.ts';
import type { Place } from '../model/ordering.ts';
import { type ArrayParameter, boolArray, intArray, textArray, uuidArray } from './array-parameter.ts';
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
    ...promptly,
    name: 'tocsin_insert_deliveries',
    text: `
      with planned as (
        ${insertDeliveryRows}
        on conflict (id) do nothing
        returning id
      )
      insert into tocsin.notifications (${notificationColumns})
      select ${notificationColumns}
      from unnest(
        $14::uuid[], $15::text[], $16::text[], $17::uuid[], $18::text[], $19::text[], $20::text[], $21::text[])
        as row (${notificationColumns})
      where id in (select planned.id from planned)`,
    values: [...deliveryArrays(deliveries), ...notificationArrays(notifications)],
  });
}

/** Writes the deliveries of executions that are new in this transaction: none of them can stand, so none is looked for. */
export async function insertFirstDeliveries(runner: Runner, rows: readonly NewDelivery[]): Promise<void> {
  if (rows.length === 0) return;
  await runner.query({
    name: 'tocsin_insert_first_deliveries',
    text: insertDeliveryRows,
    values: deliveryArrays(rows),
  });
}

/** Writes the inbox rows of deliveries that `insertFirstDeliveries` writes in the same transaction. */
export async function insertFirstNotifications(runner: Runner, rows: readonly NewNotification[]): Promise<void> {
  if (rows.length === 0) return;
  await runner.query({
    name: 'tocsin_insert_first_notifications',
    text: `
      insert into tocsin.notifications (${notificationColumns})
      select ${notificationColumns}
      from unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[])
        as row (${notificationColumns})`,
    values: notificationArrays(rows),
  });
}

const insertDeliveryRows = `
        insert into tocsin.deliveries
          (id, tenant_id, execution_id, action_id, action_type, recipient_id, recipient, queue, status, reason,
           ordering_key, ordering_position, due_at, completed_at)
        select id, tenant_id, execution_id, action_id, action_type, recipient_id, recipient::json, queue, status, reason,
          ordering_key, ordering_position::bigint, now() + coalesce(parked_seconds::int, 0) * interval '1 second',
          case when status <> 'pending' then now() end
        from unnest(
          $1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
          $11::text[], $12::text[], $13::text[])
          as row (id, tenant_id, execution_id, action_id, action_type, recipient_id, recipient, queue, status, reason,
            ordering_key, ordering_position, parked_seconds)`;

const notificationColumns = 'id, tenant_id, user_id, execution_id, title, message, priority, link';

function deliveryArrays(rows: readonly NewDelivery[]): (ArrayParameter | null)[] {
  return [
    uuidArray(rows.map((row) => row.id)),
    textArray(rows.map((row) => row.tenantId)),
    uuidArray(rows.map((row) => row.executionId)),
    textArray(rows.map((row) => row.actionId)),
    textArray(rows.map((row) => row.actionType)),
    textArray(rows.map((row) => row.recipientId)),
    sparseTextArray(rows.map((row) => row.recipient)),
    textArray(rows.map((row) => row.queue)),
    textArray(rows.map((row) => row.status)),
    sparseTextArray(rows.map((row) => row.reason)),
    ...placeArrays(rows),
    sparseTextArray(rows.map((row) => row.parkedSeconds?.toString() ?? null)),
  ];
}

function notificationArrays(rows: readonly NewNotification[]): (ArrayParameter | null)[] {
  return [
    uuidArray(rows.map((row) => row.id)),
    textArray(rows.map((row) => row.tenantId)),
    textArray(rows.map((row) => row.userId)),
    uuidArray(rows.map((row) => row.executionId)),
    textArray(rows.map((row) => row.title)),
    textArray(rows.map((row) => row.message)),
    textArray(rows.map((row) => row.priority)),
    sparseTextArray(rows.map((row) => row.link)),
  ];
}

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
