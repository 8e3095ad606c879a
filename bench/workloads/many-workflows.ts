import { tenantId } from '../../src/cli/bench/order-workload.ts';
import type { Database } from '../../src/store/database.ts';
import { publishMoreWorkflows, publishOrderWorkflows } from './order-events.ts';

/** Customers that the kept events are of. */
const customers = 5_000;

/**
 * Publishes `count` workflows on new orders in one tenant: one that every order fires, the others each for one customer and
 * for totals that no order has. Those beyond a hundred are copied in the database, where the service would take minutes.
 */
export async function publishManyWorkflows(database: Database, count: number): Promise<void> {
  await publishOrderWorkflows(database, 'notification');
  await publishMoreWorkflows(database, 1);
  const keyed = `
    jsonb_set(definition, '{conditions}', jsonb_build_array(
      jsonb_build_object('type', 'field_value', 'partId', 'customer', 'field', 'customer.id', 'operator', 'eq',
        'value', number % ${customers}),
      definition #> '{conditions,0}'))`;
  await copyWorkflow(database, {
    like: 'orders 1',
    copies: Math.max(0, count - 4),
    tenant: `'${tenantId}'`,
    definition: keyed,
  });
}

/** Publishes ten workflows on new orders in each of so many tenants, of which one fires, and one user to be told in each. */
export async function publishForTenants(database: Database, tenants: number): Promise<void> {
  await publishOrderWorkflows(database, 'notification');
  await publishMoreWorkflows(database, 1);
  const tenant = `'tenant-' || number % ${tenants}`;
  await copyWorkflow(database, { like: 'every order', copies: tenants, tenant, definition: 'definition' });
  await copyWorkflow(database, { like: 'orders 1', copies: tenants * 9, tenant, definition: 'definition' });
  await database.pool.query(
    `insert into tocsin.directory_users (tenant_id, id, name, email)
     select 'tenant-' || number, 'ann', 'Ann Archer', 'ann@acme.example' from generate_series(0, $1 - 1) number`,
    [tenants],
  );
  await database.pool.query(
    `insert into tocsin.directory_memberships (tenant_id, kind, name, user_id)
     select 'tenant-' || number, 'role', 'sales', 'ann' from generate_series(0, $1 - 1) number`,
    [tenants],
  );
}

/** Publishes copies of a workflow that is published; `tenant` and `definition` are SQL of the copy's `number` and the original. */
async function copyWorkflow(
  database: Database,
  options: { like: string; copies: number; tenant: string; definition: string },
): Promise<void> {
  await database.transaction(async (_tx, client) => {
    await client.query('update tocsin.definitions_version set version = version + 1');
    await client.query(
      `with copied as (
         insert into tocsin.workflows
           (tenant_id, name, status, definition, published_version, changed_at_version)
         select ${options.tenant}, name || ', ' || number, 'active', ${options.definition}, 1,
           (select version from tocsin.definitions_version)
         from tocsin.workflows, generate_series(0, $2::int - 1) number
         where tenant_id = $3 and name = $1
         returning id, tenant_id, definition
       ), published as (
         insert into tocsin.workflow_versions (workflow_id, version, tenant_id, definition)
         select id, 1, tenant_id, definition
         from copied
       )
       insert into tocsin.subscriptions (entity_type, operation, tenant_id, workflow_id)
       select 'order', 'insert', tenant_id, id
       from copied`,
      [options.like, options.copies, tenantId],
    );
  });
  await database.pool.query('analyze tocsin.workflows, tocsin.workflow_versions');
}
