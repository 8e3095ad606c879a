import { unwrap } from '../../src/model/result.ts';
import type { WorkflowInput } from '../../src/model/workflow.ts';
import { type Case, each, operator, tenant } from './case.ts';
import type { Given } from './probe.ts';
import type { Heard } from './victim.ts';

/** A workflow that names whatever the victim has. */
export const borrowing = (heard: Heard, name: string) => ({
  name,
  triggers: [{ entityType: 'order', operation: 'insert' }],
  conditions: [
    { type: 'query_match', query: heard.savedQuery },
    { type: 'role_based', user_field: 'owner_id', required_role: heard.role },
  ],
  actions: [
    { type: 'email', template: heard.template },
    { type: 'webhook', url: 'https://example.test/', headers: { 'x-key': `{{ secret.${heard.secret} }}` } },
    { type: 'webhook', url: 'https://example.test/', signingSecret: heard.secret },
  ],
  recipients: [
    { type: 'user', id: heard.userId },
    { type: 'role', id: heard.role },
    { type: 'group', id: heard.group },
    { type: 'attribute', id: 'team', value: heard.word },
    { type: 'field', field: 'owner_id' },
  ],
});

const plain = (name: string) => ({
  name,
  triggers: [{ entityType: 'order', operation: 'insert' }],
  actions: [{ type: 'notification', title: 'order', message: 'order' }],
  recipients: [{ type: 'user', id: 'ann' }],
});

const workflowIds = ({ heard }: Given) => [heard.workflowId, heard.draftId, heard.inactiveId, heard.deletedId];
const executionIds = ({ heard }: Given) => [
  heard.doneExecutionId,
  heard.runningExecutionId,
  heard.failedExecutionId,
  heard.deadExecutionId,
];
/** A step of somebody else's workflow, whatever it is in. */
const step = (
  method: 'publishWorkflow' | 'activateWorkflow' | 'deactivateWorkflow' | 'archiveWorkflow' | 'deleteWorkflow',
) =>
  tenant((given) =>
    each(workflowIds(given), (id) => given.t.tocsin.workflows[method](given.tenantId, id, given.options)),
  );

/** What administrators do with workflows and their executions. */
export const workflowCases: Record<string, Case> = {
  validateWorkflow: tenant((given) =>
    given.t.tocsin.workflows.validateWorkflow(given.tenantId, borrowing(given.heard, given.heard.workflowName)),
  ),
  createWorkflow: tenant(async (given) => {
    const { t, tenantId, heard, options } = given;
    const create = (input: WorkflowInput) => t.tocsin.workflows.createWorkflow(tenantId, input, options);
    return [await create(plain(heard.workflowName)), await create(borrowing(heard, 'borrowing'))];
  }),
  getWorkflow: tenant((given) =>
    each(workflowIds(given), (id) => given.t.tocsin.workflows.getWorkflow(given.tenantId, id, given.options)),
  ),
  getWorkflowByName: tenant(({ t, tenantId, heard, options }) =>
    t.tocsin.workflows.getWorkflowByName(tenantId, heard.workflowName, options),
  ),
  listWorkflows: tenant(async ({ t, tenantId, heard }) =>
    each([{}, { name: heard.word }, { status: 'draft' as const }, { cursor: heard.draftId }], (filter) =>
      t.tocsin.workflows.listWorkflows(tenantId, filter),
    ),
  ),
  listVersions: tenant(async (given) => [
    await each(workflowIds(given), (id) => given.t.tocsin.workflows.listVersions(given.tenantId, id)),
    await given.t.tocsin.workflows.listVersions(given.tenantId, given.heard.workflowId, { cursor: '2' }),
  ]),
  getVersion: tenant((given) =>
    each(workflowIds(given), (id) => given.t.tocsin.workflows.getVersion(given.tenantId, id, 1)),
  ),
  getExecutionLogs: tenant(({ t, tenantId, heard }) =>
    each(
      [
        {},
        { workflowId: heard.workflowId },
        { workflowId: heard.deletedId },
        { entityType: 'order', entityId: heard.entityId },
        { status: 'running' as const },
        { cursor: heard.deadExecutionId },
        { from: new Date(0), to: new Date('2100-01-01') },
      ],
      (filter) => t.tocsin.workflows.getExecutionLogs(tenantId, filter),
    ),
  ),
  getExecution: tenant(async (given) => {
    const { t, tenantId, heard } = given;
    const page = { cursor: heard.runningDeliveryId };
    return [
      await each(executionIds(given), (id) => t.tocsin.workflows.getExecution(tenantId, id)),
      await t.tocsin.workflows.getExecution(tenantId, heard.runningExecutionId, page),
    ];
  }),
  cancelExecution: tenant((given) =>
    each(executionIds(given), (id) => given.t.tocsin.workflows.cancelExecution(given.tenantId, id, given.options)),
  ),
  updateWorkflow: tenant(async (given) => {
    const { t, tenantId, heard, options } = given;
    const own = unwrap(await t.tocsin.workflows.createWorkflow(tenantId, plain('own'), options));
    const { name, conditions, actions } = borrowing(heard, heard.workflowName);
    const update = (id: string, patch: object) => t.tocsin.workflows.updateWorkflow(tenantId, id, patch, options);
    return [
      await each(workflowIds(given), (id) => update(id, { name: 'taken over' })),
      await update(own.id, { conditions, actions }),
      await update(own.id, { name }),
    ];
  }),
  publishWorkflow: step('publishWorkflow'),
  activateWorkflow: step('activateWorkflow'),
  deactivateWorkflow: step('deactivateWorkflow'),
  archiveWorkflow: step('archiveWorkflow'),
  deleteWorkflow: step('deleteWorkflow'),
  startEventListener: operator('starts the worker of this process, which works for all tenants'),
  stopEventListener: operator('stops the worker of this process'),
};
