import { type OrderAction, orderWorkflow, orderWorkflows, tenantId } from '../../src/cli/bench/order-workload.ts';
import { createHandlers } from '../../src/engine/built-in-handlers.ts';
import { unwrap } from '../../src/model/result.ts';
import type { WorkflowInput } from '../../src/model/workflow.ts';
import { DirectoryService } from '../../src/service/directory-service.ts';
import { WorkflowService } from '../../src/service/workflow-service.ts';
import type { Database } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';

/** Brings the schema up to date and publishes three workflows on a tenant's new orders, of which every order fires the first. */
export async function publishOrderWorkflows(
  database: Database,
  action: OrderAction,
  tenant: string = tenantId,
): Promise<void> {
  await migrate(database);
  await addSales(database, tenant);
  const workflows = new WorkflowService({ database, handlers: createHandlers() });
  for (const workflow of orderWorkflows(action)) unwrap(await workflows.createWorkflow(tenant, workflow));
}

/** One user, who is all there is of the role that is told. */
async function addSales(database: Database, tenant: string): Promise<void> {
  const directory = new DirectoryService({ database });
  unwrap(await directory.putUsers(tenant, [{ id: 'ann', name: 'Ann Archer', email: 'ann@acme.example' }]));
  unwrap(await directory.addToRole(tenant, 'sales', 'ann'));
}

/** Brings the schema up to date and publishes one workflow that every new order fires, with an action of its own. */
export async function publishActionWorkflow(
  database: Database,
  action: WorkflowInput['actions'][number],
  tenant: string = tenantId,
): Promise<void> {
  await migrate(database);
  await addSales(database, tenant);
  const workflows = new WorkflowService({ database, handlers: createHandlers() });
  const workflow = orderWorkflow({ name: 'every order', limit: 500, action: 'notification' });
  unwrap(await workflows.createWorkflow(tenant, { ...workflow, actions: [action] }));
}

/** Publishes so many more, of which none fires. */
export async function publishMoreWorkflows(database: Database, count: number): Promise<void> {
  const workflows = new WorkflowService({ database, handlers: createHandlers() });
  for (let number = 1; number <= count; number++) {
    const workflow = orderWorkflow({ name: `orders ${number}`, limit: 50_000 + number, action: 'notification' });
    unwrap(await workflows.createWorkflow(tenantId, workflow));
  }
}

/**
 * Puts as many new events, with the payloads that were kept aside, into the outbox: ids of their own, so that a database may
 * be filled again and again. With `tenants` they are spread over the tenants `tenant-0` and on.
 */
export async function fillNewEvents(database: Database, options: { count: number; tenants?: number }): Promise<void> {
  await database.pool.query(
    `insert into tocsin.events (id, tenant_id, source, entity_type, entity_id, operation, payload)
     select tocsin.new_id(), coalesce('tenant-' || number % $2::int, $3), 'db', 'order', number::text, 'insert', payload
     from generate_series(0, $1::int - 1) as number
     join bench.order_events as kept on kept.position = 1 + number % (select count(*) from bench.order_events)
     order by number`,
    [options.count, options.tenants ?? null, tenantId],
  );
  await database.pool.query('analyze tocsin.events');
}

/** How many rows stand written. */
export async function countWritten(database: Database): Promise<{ executions: number; notifications: number }> {
  const { rows } = await database.pool.query<{ executions: number; notifications: number }>(
    `select (select count(*)::int from tocsin.executions) as executions,
       (select count(*)::int from tocsin.notifications) as notifications`,
  );
  return rows[0] ?? { executions: 0, notifications: 0 };
}
