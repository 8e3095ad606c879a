import { unwrap } from '../../model/result.ts';
import { createTocsin, type Tocsin } from '../../tocsin.ts';
import { orderWorkflows, tenantId } from './order-workload.ts';

/** Tocsin on a scratch database, from which nothing leaves: it has no mail server, and its workflows only tell inboxes. */
export function openTocsin(databaseUrl: string): Promise<Tocsin> {
  return createTocsin({ databaseUrl });
}

/** Brings the schema up to date and publishes three workflows on new orders, of which every order fires one. */
export async function layWorkflows(databaseUrl: string): Promise<void> {
  const tocsin = await openTocsin(databaseUrl);
  try {
    await tocsin.migrate();
    unwrap(await tocsin.directory.putUser(tenantId, { id: 'ann', name: 'Ann Archer', email: 'ann@acme.example' }));
    unwrap(await tocsin.directory.addToRole(tenantId, 'sales', 'ann'));
    for (const workflow of orderWorkflows('notification')) {
      unwrap(await tocsin.workflows.createWorkflow(tenantId, workflow));
    }
  } finally {
    await tocsin.close();
  }
}
