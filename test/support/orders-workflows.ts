import { randomUUID } from 'node:crypto';
import { unwrap } from '../../src/model/result.ts';
import type { WorkflowInput } from '../../src/model/workflow.ts';
import type { TestTocsin } from './test-tocsin.ts';

let names = 0;

/** A tenant of its own, with users ann, ben, boss-of-ann and carl (inactive); ann and ben have the role sales. */
export async function newTenant({ tocsin }: TestTocsin): Promise<string> {
  const tenant = `t${++names}-${randomUUID().slice(0, 8)}`;
  unwrap(
    await tocsin.directory.putUsers(tenant, [
      { id: 'ann', name: 'Ann', email: 'ann@example.test' },
      { id: 'ben', name: 'Ben', email: 'ben@example.test' },
      { id: 'carl', active: false },
      { id: 'boss-of-ann', name: 'Boss' },
    ]),
  );
  unwrap(await tocsin.directory.addToRole(tenant, 'sales', ['ann', 'ben']));
  return tenant;
}

export const orderNotification = {
  type: 'notification',
  title: 'Order {{ payload.id }}',
  message: '{{ payload.status }}',
};

/** A workflow that tells role sales of each new order, but for what is given. */
export function orderWorkflow(parts: Partial<WorkflowInput>): Omit<WorkflowInput, 'status'> {
  return {
    name: `workflow ${++names}`,
    triggers: [{ entityType: 'order', operation: 'insert' }],
    actions: [orderNotification],
    recipients: [{ type: 'role', id: 'sales' }],
    ...parts,
  };
}

/** Titles and messages of a user's inbox, newest first. */
export async function inboxOf({ tocsin }: TestTocsin, tenant: string, user: string): Promise<string[]> {
  return unwrap(await tocsin.inbox.list(tenant, user, {})).items.map(({ title, message }) => `${title}: ${message}`);
}

/** The executions of a tenant, oldest first, whole. */
export async function executionsOf({ tocsin }: TestTocsin, tenant: string) {
  const { items } = unwrap(await tocsin.workflows.getExecutionLogs(tenant, {}));
  return Promise.all(items.toReversed().map(async ({ id }) => unwrap(await tocsin.workflows.getExecution(tenant, id))));
}
