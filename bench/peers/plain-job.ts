import type pg from 'pg';
import { deliveryId, executionId } from '../../src/model/derived-id.ts';

/** An event as a job of a queue carries it. */
export type OrderJob = {
  readonly id: string;
  readonly tenantId: string;
  readonly payload: {
    readonly id: number;
    readonly total: number;
    readonly currency: string;
    readonly customer: { readonly name: string };
  };
};

/** A workflow as an application would write it down: fires above a total, tells one user. */
export type PlainWorkflow = { readonly id: string; readonly version: number; readonly limit: number };

/** What a job comes to: an execution and an inbox row. */
type PlainRow = readonly [
  executionId: string,
  notificationId: string,
  tenantId: string,
  workflowId: string,
  version: number,
  eventId: string,
  userId: string,
  title: string,
  message: string,
];

/** Reads the workflows that Tocsin runs, as plain conditions. */
export async function readPlainWorkflows(client: pg.Pool): Promise<readonly PlainWorkflow[]> {
  const { rows } = await client.query<PlainWorkflow>(
    `select workflow_id as id, version, (definition #>> '{conditions,0,value}')::int as limit
     from tocsin.workflow_versions`,
  );
  return rows;
}

/**
 * Does for an order what Tocsin does, with everything known beforehand: the conditions are code, the recipient is a
 * constant, the message a template literal; no event, delivery or trace is kept.
 */
export function runPlainJob(workflows: readonly PlainWorkflow[], { id, tenantId, payload }: OrderJob): PlainRow[] {
  return workflows
    .filter(({ limit }) => payload.total > limit)
    .map((workflow) => {
      const execution = executionId(id, workflow.id, workflow.version);
      return [
        execution,
        deliveryId(execution, 'tell', 'ann'),
        tenantId,
        workflow.id,
        workflow.version,
        id,
        'ann',
        `Order ${payload.id}`,
        `${payload.customer.name} ordered for ${payload.total} ${payload.currency}`,
      ];
    });
}

/** Asks again and again, without a pause, until a query finds nothing more. */
export async function untilNone(client: pg.Pool, query: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while ((await client.query(query)).rows.length > 0) {
    if (performance.now() > deadline) throw new Error(`still something after 10 s: ${query}`);
  }
}

/** Writes what jobs came to in one statement; a job that is done a second time changes nothing. */
export function insertPlainRows(rows: readonly PlainRow[]): { name: string; text: string; values: unknown[] } {
  return {
    name: 'plain_rows',
    text: `
      with row as (
        select *
        from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::int[], $6::uuid[], $7::text[], $8::text[], $9::text[])
          as row (execution_id, notification_id, tenant_id, workflow_id, version, event_id, user_id, title, message)
      ), execution as (
        insert into tocsin.executions
          (id, tenant_id, workflow_id, workflow_version, event_id, status, deliveries_done, completed_at)
        select execution_id, tenant_id, workflow_id, version, event_id, 'success', 1, now()
        from row
        on conflict (id) do nothing
      )
      insert into tocsin.notifications (id, tenant_id, user_id, execution_id, title, message)
      select notification_id, tenant_id, user_id, execution_id, title, message
      from row
      on conflict (id) do nothing`,
    values: Array.from({ length: 9 }, (_, column) => rows.map((row) => row[column])),
  };
}

/**
 * The same and what Tocsin keeps beside it: the trace of each execution, which says why it came to be, and a delivery for each
 * inbox row. The event itself is kept by the queue, as its job.
 */
export function insertKeptRows(rows: readonly PlainRow[]): { text: string; values: unknown[] } {
  return {
    text: `
      with row as (
        select *
        from unnest($1::uuid[], $2::uuid[], $3::text[], $4::uuid[], $5::int[], $6::uuid[], $7::text[], $8::text[], $9::text[], $10::text[])
          as row (execution_id, notification_id, tenant_id, workflow_id, version, event_id, user_id, title, message, trace)
      ), execution as (
        insert into tocsin.executions
          (id, tenant_id, workflow_id, workflow_version, event_id, status, trace, deliveries_done, completed_at)
        select execution_id, tenant_id, workflow_id, version, event_id, 'success', trace::json, 1, now()
        from row
      ), delivery as (
        insert into tocsin.deliveries
          (id, tenant_id, execution_id, action_id, action_type, recipient_id, queue, status, completed_at)
        select notification_id, tenant_id, execution_id, 'tell', 'notification', user_id, 'default', 'delivered', now()
        from row
      )
      insert into tocsin.notifications (id, tenant_id, user_id, execution_id, title, message)
      select notification_id, tenant_id, user_id, execution_id, title, message
      from row`,
    values: [...Array.from({ length: 9 }, (_, column) => rows.map((row) => row[column])), rows.map(traceOf)],
  };
}

/** As long as Tocsin's. */
function traceOf([, , , workflowId, , eventId, , title]: PlainRow): string {
  return JSON.stringify({
    conditions: [{ partId: workflowId, type: 'field_value', result: true, expected: 'total gt 500', actual: title }],
    actions: [
      {
        partId: workflowId,
        type: 'notification',
        planned: 1,
        recipients: [{ partId: eventId, type: 'role', resolved: 1 }],
      },
    ],
  });
}
