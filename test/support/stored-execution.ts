import { randomBytes } from 'node:crypto';
import { deliveryId, executionId } from '../../src/model/derived-id.ts';
import type { WorkflowEvent } from '../../src/model/event.ts';
import type { DeliveryStatus, ExecutionStatus, ExecutionTrace } from '../../src/model/execution.ts';
import { stringifyJson } from '../../src/model/json.ts';
import type { Runner } from '../../src/store/connection.ts';
import { insertHistoryEvent } from '../../src/store/finish-events.ts';
import { type NewDelivery, type NewExecution, writePlans } from '../../src/store/write-plan.ts';
import { sampleEvent } from './sample-event.ts';

/** A delivery as the test needs it. */
export type DeliveryToStore = {
  readonly recipientId?: string;
  readonly actionId?: string;
  readonly actionType?: string;
  readonly status?: DeliveryStatus;
  readonly reason?: string | null;
  /** Attempts that were made; each has a row with the delivery's reason. */
  readonly attempts?: number;
};

/** An execution of a workflow as the test needs it. */
export type ExecutionToStore = {
  readonly tenantId: string;
  readonly workflowId: string;
  readonly status?: ExecutionStatus;
  readonly reason?: string | null;
  readonly trace?: ExecutionTrace;
  /** Of the event; the ids carry it. */
  readonly at?: Date;
  readonly event?: Partial<WorkflowEvent>;
  /** False: the event is no longer kept. */
  readonly keepsEvent?: boolean;
  readonly deliveries?: readonly DeliveryToStore[];
};

export type StoredExecution = {
  readonly eventId: string;
  readonly executionId: string;
  readonly deliveryIds: readonly string[];
};

/** A time-ordered id of a moment. */
export function idAt(moment: Date): string {
  const time = moment.getTime().toString(16).padStart(12, '0');
  const random = randomBytes(9).toString('hex');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${random.slice(0, 3)}-8${random.slice(3, 6)}-${random.slice(6, 18)}`;
}

/** Writes an event, its execution and its deliveries as the engine leaves them, finished at the moment of the event. */
export async function storeExecution(runner: Runner, given: ExecutionToStore): Promise<StoredExecution> {
  const { tenantId, workflowId, at = new Date(), deliveries = [] } = given;
  const eventId = idAt(at);
  const id = executionId(eventId, workflowId, 1);
  if (given.keepsEvent ?? true) {
    await insertHistoryEvent(runner, sampleEvent({ id: eventId, tenantId, occurredAt: at, ...given.event }));
    await runner.query('update tocsin.event_history set processed_at = $2 where id = $1', [eventId, at]);
  }
  const count = (status: DeliveryStatus) =>
    deliveries.filter((delivery) => (delivery.status ?? 'delivered') === status);
  const execution: NewExecution = {
    id,
    tenantId,
    workflowId,
    workflowVersion: 1,
    eventId,
    status: given.status ?? 'success',
    reason: given.reason ?? null,
    trace: given.trace ? stringifyJson(given.trace) : null,
    deliveriesOpen: count('pending').length,
    deliveriesDone: count('delivered').length,
    deliveriesFailed: count('dead').length,
    place: null,
  };
  await writePlans(runner, { executions: [execution], deliveries: [], notifications: [] });
  const deliveryIds: string[] = [];
  for (const [index, delivery] of deliveries.entries()) {
    deliveryIds.push(await storeDelivery(runner, { tenantId, executionId: id, recipientId: `u${index}`, ...delivery }));
  }
  await finishAt(runner, id, at);
  return { eventId, executionId: id, deliveryIds };
}

async function storeDelivery(
  runner: Runner,
  given: DeliveryToStore & { tenantId: string; executionId: string; recipientId: string },
): Promise<string> {
  const { tenantId, recipientId, actionId = 'mail', actionType = 'email', status = 'delivered', reason = null } = given;
  const id = deliveryId(given.executionId, actionId, recipientId);
  const delivery: NewDelivery = {
    id,
    tenantId,
    executionId: given.executionId,
    actionId,
    actionType,
    recipientId,
    recipient: null,
    queue: 'default',
    status,
    reason,
    place: null,
  };
  await writePlans(runner, { executions: [], deliveries: [delivery], notifications: [] });
  await runner.query('update tocsin.deliveries set attempts = $2 where id = $1', [id, given.attempts ?? 0]);
  await runner.query(
    `insert into tocsin.delivery_attempts (delivery_id, attempt, tenant_id, outcome, reason, started_at, duration_ms)
     select $1, attempt, $2, 'retry', $3, now(), 5
     from generate_series(1, $4::int) as attempt`,
    [id, tenantId, reason, given.attempts ?? 0],
  );
  return id;
}

async function finishAt(runner: Runner, id: string, at: Date): Promise<void> {
  await runner.query(
    `with moved as (
       update tocsin.deliveries
       set created_at = $2, completed_at = case when completed_at is not null then $2::timestamptz end
       where execution_id = $1
     )
     update tocsin.executions
     set created_at = $2, completed_at = case when completed_at is not null then $2::timestamptz end
     where id = $1`,
    [id, at],
  );
}
