/**
 * The shortest way through: a table of yours, a workflow of a tenant, a notification in somebody's inbox. Run it by hand on any
 * PostgreSQL, for instance the one that `npm run demo -- --keep` prints:
 *
 *     DATABASE_URL=postgres://... npx node examples/quick-start.ts
 */
// #region quick-start
import { createTocsin, type Tocsin, unwrap } from '../src/index.ts';

export async function startTocsin(databaseUrl: string): Promise<Tocsin> {
  const tocsin = await createTocsin({ databaseUrl });
  await tocsin.migrate();

  // From now on every committed change of a row of this table is an event.
  unwrap(await tocsin.capture.install({ table: 'public.orders', entityType: 'order', tenantColumn: 'tenant_id' }));

  // Who can be told.
  unwrap(await tocsin.directory.putUser('acme', { id: 'mia', name: 'Mia Moser', email: 'mia@acme.example' }));
  unwrap(await tocsin.directory.addToRole('acme', 'sales', 'mia'));

  // What an administrator of the tenant wrote, in a form of yours.
  const created = await tocsin.workflows.createWorkflow('acme', {
    name: 'Large order',
    status: 'active',
    triggers: [{ entityType: 'order', operation: 'insert' }],
    conditions: [{ type: 'field_value', field: 'total', operator: 'gt', value: 500 }],
    actions: [
      {
        type: 'notification',
        title: 'Large order',
        message: 'Order {{ payload.id }} is worth {{ payload.total | currency("EUR") }}',
      },
    ],
    recipients: [{ type: 'role', id: 'sales' }],
  });
  if (!created.ok) console.error(created.error.message);

  await tocsin.listener.start(); // in this process; or in one of its own: npx tocsin worker
  return tocsin;
}
// #endregion

if (import.meta.main) await playThrough(process.env.DATABASE_URL ?? 'postgres://localhost/postgres');

/** Makes the table, starts, writes an order as any program would, and prints what Mia was told. */
async function playThrough(databaseUrl: string): Promise<void> {
  const setup = await createTocsin({ databaseUrl });
  await setup.database.pool.query(
    `create table if not exists public.orders (
       id bigint generated always as identity primary key,
       tenant_id text not null,
       total numeric(12, 2) not null
     )`,
  );
  await setup.close();

  const tocsin = await startTocsin(databaseUrl);
  const executed = new Promise((resolve) => tocsin.engine.once('executed', resolve));
  await tocsin.database.pool.query(`insert into public.orders (tenant_id, total) values ('acme', 640)`);
  await executed;
  for (const { title, message } of unwrap(await tocsin.inbox.list('acme', 'mia')).items)
    console.log(`${title}: ${message}`);
  await tocsin.close();
}
