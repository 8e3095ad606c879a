import type { WorkflowInput } from '../../model/workflow.ts';
import type { Database } from '../../store/database.ts';

/** Whose orders they are. */
export const tenantId = 'acme';

/** What the workflow that fires does: one row of an inbox, or one delivery that waits to leave the system. */
export type OrderAction = 'notification' | 'email';

const actions: Record<OrderAction, WorkflowInput['actions'][number]> = {
  notification: {
    type: 'notification',
    title: 'Order {{ payload.id }}',
    message: '{{ payload.customer.name }} ordered for {{ payload.total }} {{ payload.currency }}',
  },
  email: {
    type: 'email',
    subject: 'Order {{ payload.id }}',
    text: '{{ payload.customer.name }} ordered for {{ payload.total }} {{ payload.currency }}',
  },
};

/** Three workflows on new orders, by the total above which each fires: every order is above the first, none above the others. */
export function orderWorkflows(action: OrderAction): readonly WorkflowInput[] {
  const limits = { 'every order': 500, 'large orders': 5_000, 'huge orders': 50_000 };
  return Object.entries(limits).map(([name, limit]) => orderWorkflow({ name, limit, action }));
}

/** A workflow on new orders above a total, that tells the role `sales`. */
export function orderWorkflow(options: { name: string; limit: number; action: OrderAction }): WorkflowInput {
  return {
    name: options.name,
    status: 'active',
    triggers: [{ entityType: 'order', operation: 'insert' }],
    conditions: [{ type: 'field_value', field: 'total', operator: 'gt', value: options.limit }],
    actions: [actions[options.action]],
    recipients: [{ type: 'role', id: 'sales' }],
  };
}

/** Keeps `count` events with payloads of about 440 bytes aside, so that every copy of the database has the same. */
export async function keepOrderEvents(database: Database, count: number): Promise<void> {
  await database.pool.query('create schema bench');
  await database.pool.query(
    `create table bench.order_events as
     select g as position, tocsin.new_id() as id, now() as occurred_at,
       json_build_object(
         'id', g, 'tenant_id', $2::text, 'status', 'approved', 'total', 1000 + g % 1000, 'currency', 'EUR',
         'customer', json_build_object('id', g % 5000, 'name', 'Customer ' || g % 5000, 'country', 'AT'),
         'items', 3, 'paid', true, 'reference', md5(g::text), 'created_at', now(), 'note', repeat('x', 140)) as payload
     from generate_series(1, $1::int) as g`,
    [count, tenantId],
  );
}

/** Puts the events that were kept aside, or those behind one position and up to another, into the outbox and has it analysed. */
export async function fillOutbox(
  database: Database,
  { after = 0, upTo = null }: { after?: number; upTo?: number | null } = {},
): Promise<void> {
  await database.pool.query(
    `insert into tocsin.events (position, id, tenant_id, source, entity_type, entity_id, operation, payload, occurred_at)
     select position, id, $1, 'db', 'order', position::text, 'insert', payload, occurred_at
     from bench.order_events as kept
     where kept.position > $2
       and kept.position <= coalesce($3::int, kept.position)
     order by kept.position`,
    [tenantId, after, upTo],
  );
  // As if the positions had been given out by the sequence.
  await database.pool.query("select setval('tocsin.event_position', (select max(position) from tocsin.events))");
  await database.pool.query('analyze tocsin.events');
}

/** Fingerprints of what was written, without what the clock decides: equal for everything that did the same work. */
export async function fingerprint(database: Database): Promise<Record<string, string>> {
  const { rows } = await database.pool.query<{ name: string; print: string }>(
    `select 'event_history' as name, count(*) || ' ' || coalesce(md5(string_agg(concat_ws('|', id, tenant_id, source,
       entity_type, entity_id, operation, payload, previous, changed, actor, occurred_at), ',' order by id)), '') as print
     from tocsin.event_history
     union all
     select 'executions', count(*) || ' ' || coalesce(md5(string_agg(concat_ws('|', id, tenant_id, workflow_id,
       workflow_version, event_id, status, reason, trace, deliveries_open, deliveries_done, deliveries_failed,
       completed_at is null), ',' order by id)), '')
     from tocsin.executions
     union all
     select 'deliveries', count(*) || ' ' || coalesce(md5(string_agg(concat_ws('|', id, tenant_id, execution_id, action_id,
       action_type, recipient_id, recipient, queue, status, reason, completed_at is null), ',' order by id)), '')
     from tocsin.deliveries
     union all
     select 'notifications', count(*) || ' ' || coalesce(md5(string_agg(concat_ws('|', id, tenant_id, user_id, execution_id,
       title, message, priority, link), ',' order by id)), '')
     from tocsin.notifications`,
  );
  return Object.fromEntries(rows.map(({ name, print }) => [name, print]));
}
