/** What administrators, operators and recipients do through the services. */
import { type ExecutionDetail, type Tocsin, unwrap, type Workflow } from '../src/index.ts';

// #region change
export async function raiseLimit(tocsin: Tocsin, workflow: Workflow): Promise<Workflow> {
  const changed = await tocsin.workflows.updateWorkflow(
    workflow.tenantId,
    workflow.id,
    { conditions: [{ type: 'field_value', field: 'amount', operator: 'gt', value: 1000 }] },
    { revision: workflow.revision },
  );
  // Version 1 still runs. A conflict here means that somebody else changed the workflow meanwhile.
  return unwrap(await tocsin.workflows.publishWorkflow(workflow.tenantId, unwrap(changed).id, { actor: 'mia' }));
}
// #endregion

// #region inbox
export async function readInbox(tocsin: Tocsin, tenantId: string, userId: string): Promise<string[]> {
  const { items } = unwrap(await tocsin.inbox.list(tenantId, userId, { status: 'unread', limit: 20 }));
  unwrap(
    await tocsin.inbox.markRead(
      tenantId,
      userId,
      items.map(({ id }) => id),
    ),
  );
  return items.map(({ title, message }) => `${title}: ${message}`);
}
// #endregion

// #region logs
export async function readLogs(tocsin: Tocsin, tenantId: string, workflowId: string): Promise<ExecutionDetail[]> {
  const result = await tocsin.workflows.getExecutionLogs(tenantId, {
    workflowId,
    status: ['success', 'partial', 'failed'],
    from: new Date(Date.now() - 86_400_000),
    limit: 10,
    offset: 0,
  });
  if (!result.ok) throw result.error;
  const executions: ExecutionDetail[] = [];
  for (const log of result.value.items) {
    console.log(`execution ${log.id}: ${log.status} ${log.createdAt.toISOString()} ${log.sentence ?? ''}`);
    executions.push(unwrap(await tocsin.workflows.getExecution(tenantId, log.id)));
  }
  return executions;
}
// #endregion

// #region redrive
export async function redriveMail(tocsin: Tocsin, tenantId: string): Promise<number> {
  const { items } = unwrap(await tocsin.deadLetters.list(tenantId, { reason: 'smtp_rejected' }));
  for (const { recipient, sentence, at } of items) console.log(`${at.toISOString()} ${recipient}: ${sentence}`);
  const redriven = unwrap(await tocsin.deadLetters.redrive(tenantId, { all: true, reason: 'smtp_rejected' }));
  return redriven.deliveries;
}
// #endregion

// #region retention
export async function keepForAYear(tocsin: Tocsin, tenantId: string): Promise<void> {
  unwrap(await tocsin.retention.setRetention(tenantId, 365));
}
// #endregion

// #region listener
export async function listenUntil(tocsin: Tocsin, ended: Promise<unknown>): Promise<void> {
  const started = await tocsin.workflows.startEventListener();
  if (!started.ok) throw started.error;
  await ended; // for instance: once(process, 'SIGTERM')
  await tocsin.workflows.stopEventListener();
}
// #endregion
