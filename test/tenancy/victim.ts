import { DomainEvent } from '../../src/capture/domain-event.ts';
import { unwrap } from '../../src/model/result.ts';
import type { WorkflowInput } from '../../src/model/workflow.ts';
import { orderWorkflow } from '../support/orders-workflows.ts';
import { type ExecutionToStore, idAt, storeExecution } from '../support/stored-execution.ts';
import type { TestTocsin } from '../support/test-tocsin.ts';

/** Stands in every name and text of the victim. */
export const canary = 'kanari7f3b';
/** One letter beside it: a hint that takes it for a mistyped name of the victim gives the name away. */
const mistyped = 'kanari7f3c';

/** What a stranger has heard of a tenant: the ids and names of everything it has. */
export type Heard = Awaited<ReturnType<typeof fillVictim>>;

/** What it calls things. */
const names = {
  tenantId: `victim-${canary}`,
  word: canary,
  userId: `user-${canary}`,
  role: `role-${canary}`,
  group: `group-${canary}`,
  savedQuery: `query-${canary}`,
  template: `template-${canary}`,
  secret: `secret_${canary}`,
  address: `person@${canary}.example`,
  origin: `https://hooks.${canary}.example`,
  senderDomain: `${canary}.example`,
  eventKey: `key-${canary}`,
  entityId: `order-${canary}`,
  workflowName: `workflow ${canary}`,
};

class InvoicePaid extends DomainEvent {
  readonly id = `invoice-${canary}`;
}

const steps = (): Partial<WorkflowInput> => ({
  description: `description ${canary}`,
  actions: [{ type: 'notification', title: `title ${canary}`, message: `message ${canary}` }],
  recipients: [{ type: 'role', id: `role-${canary}` }],
});

/** A tenant with something in every table, and what there is to know about it. */
export async function fillVictim(t: TestTocsin) {
  const { tocsin, sql } = t;
  const { tenantId } = names;
  await fillSettings(t);
  const workflows = await fillWorkflows(t);
  const work = await fillWork(t, workflows.workflowId);
  await sql('insert into orders (tenant_id, customer, note) values ($1, $2, $2)', [tenantId, canary]);
  unwrap(await tocsin.events.dispatch(new InvoicePaid({ tenantId, idempotencyKey: names.eventKey })));
  return { ...names, ...workflows, ...work };
}

async function fillSettings({ tocsin, sql }: TestTocsin): Promise<void> {
  const { tenantId, userId } = names;
  const user = { id: userId, name: `Name ${canary}`, email: names.address, attributes: { team: canary } };
  unwrap(await tocsin.directory.putUser(tenantId, user));
  unwrap(await tocsin.directory.addToRole(tenantId, names.role, userId));
  unwrap(await tocsin.directory.addToGroup(tenantId, names.group, userId));
  const filter = { field: 'note', operator: 'eq', value: canary } as const;
  unwrap(await tocsin.savedQueries.createSavedQuery(tenantId, { name: names.savedQuery, entityType: 'order', filter }));
  unwrap(await tocsin.templates.setTemplate(tenantId, { name: names.template, subject: canary, text: canary }));
  unwrap(await tocsin.secrets.setSecret(tenantId, names.secret, `value-${canary}`, { hosts: [`${canary}.example`] }));
  unwrap(await tocsin.suppressions.add(tenantId, { address: names.address, detail: `detail ${canary}` }));
  unwrap(await tocsin.preferences.setPreference(tenantId, { userId, channel: 'email', muted: true }));
  unwrap(await tocsin.quotas.setQuotas(tenantId, { eventsPerMinute: 1_000, maxWorkflows: 77, maxRecipients: 777 }));
  unwrap(await tocsin.retention.setRetention(tenantId, 99));
  unwrap(await tocsin.tenants.setSenderDomains(tenantId, [names.senderDomain]));
  const address = `post@${names.senderDomain}`;
  unwrap(await tocsin.tenants.setSender(tenantId, { name: `Sender ${canary}`, address, replyTo: address }));
  await sql(
    `insert into tocsin.endpoints (tenant_id, origin, state, failures, last_reason, opened_at, retry_at)
     values ($1, $2, 'open', 3, 'http_status', now(), now() + interval '1 hour')`,
    [tenantId, names.origin],
  );
  await sql(
    "insert into tocsin.tenant_usage (tenant_id, minute, events, deliveries) values ($1, date_trunc('minute', now()), 7, 7)",
    [tenantId],
  );
}

async function fillWorkflows({ tocsin }: TestTocsin) {
  const { tenantId, workflowName, userId } = names;
  const make = async (name: string, status: 'draft' | 'active') =>
    unwrap(await tocsin.workflows.createWorkflow(tenantId, { ...orderWorkflow(steps()), name, status })).id;
  const workflowId = await make(workflowName, 'active');
  unwrap(await tocsin.workflows.updateWorkflow(tenantId, workflowId, { recipients: [{ type: 'user', id: userId }] }));
  unwrap(await tocsin.workflows.publishWorkflow(tenantId, workflowId, { actor: `actor ${canary}` }));
  const draftId = await make(`draft ${canary}`, 'draft');
  const inactiveId = await make(`inactive ${canary}`, 'active');
  unwrap(await tocsin.workflows.deactivateWorkflow(tenantId, inactiveId));
  const deletedId = await make(`deleted ${canary}`, 'draft');
  unwrap(await tocsin.workflows.deleteWorkflow(tenantId, deletedId));
  const allowed = { userId, channel: 'email', workflowId, muted: false };
  unwrap(await tocsin.preferences.setPreference(tenantId, allowed));
  return { workflowId, draftId, inactiveId, deletedId };
}

/** What the engine leaves behind, in every state that something can be done about. */
async function fillWork({ database, sql }: TestTocsin, workflowId: string) {
  const { tenantId } = names;
  const event = { entityId: names.entityId, actor: `actor-${canary}`, payload: { id: 1, note: canary } };
  const store = (execution: Partial<ExecutionToStore>) =>
    storeExecution(database.pool, { tenantId, workflowId, event, ...execution });
  const told = { recipientId: names.userId, actionId: `tell-${canary}`, actionType: 'notification' };
  const mailed = { recipientId: names.userId, actionId: `mail-${canary}` };
  const done = await store({ deliveries: [told] });
  const running = await store({ status: 'running', deliveries: [{ ...mailed, status: 'pending', attempts: 1 }] });
  const failed = await store({ status: 'failed', reason: 'resolver_failed' });
  const dead = await store({
    status: 'failed',
    deliveries: [{ ...mailed, status: 'dead', reason: 'attempts_exhausted', attempts: 2 }],
  });
  const notificationId = String(done.deliveryIds[0]);
  await sql(
    'insert into tocsin.notifications (id, tenant_id, user_id, execution_id, title, message) values ($1, $2, $3, $4, $5, $5)',
    [notificationId, tenantId, names.userId, done.executionId, canary],
  );
  const failedEventId = idAt(new Date());
  await sql(
    `insert into tocsin.event_history (id, tenant_id, source, entity_type, entity_id, operation, payload, failure)
     values ($1, $2, 'db', 'order', $3, 'insert', $4, 'match_failed')`,
    [failedEventId, tenantId, names.entityId, JSON.stringify({ note: canary })],
  );
  return {
    notificationId,
    failedEventId,
    doneExecutionId: done.executionId,
    runningExecutionId: running.executionId,
    runningDeliveryId: String(running.deliveryIds[0]),
    failedExecutionId: failed.executionId,
    deadExecutionId: dead.executionId,
    deadDeliveryId: String(dead.deliveryIds[0]),
  };
}

/** The same, mistyped: names beside the victim's, ids of the same moments. None of it is anywhere. */
export function mistype(heard: Heard): Heard {
  const others = Object.entries(heard).map(([name, value]) => [
    name,
    value.includes(canary) ? value.replaceAll(canary, mistyped) : `${value.slice(0, -12)}f0e1d2c3b4a5`,
  ]);
  return Object.fromEntries(others) as Heard;
}
