import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { createHandlers } from '../../src/engine/built-in-handlers.ts';
import type { WorkflowError } from '../../src/errors.ts';
import { type Result, unwrap } from '../../src/model/result.ts';
import type { WorkflowInput } from '../../src/model/workflow.ts';
import { WorkflowService } from '../../src/service/workflow-service.ts';
import { loadChangedWorkflows, readDefinitionsVersion } from '../../src/store/load-definitions.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();
const service = () => new WorkflowService({ database: db.database, handlers: createHandlers() });

function input(name: string, change: Partial<WorkflowInput> = {}): WorkflowInput {
  return {
    name,
    triggers: [
      { entityType: 'order', operation: 'insert' },
      { entityType: 'order', operation: 'delete', isActive: false },
    ],
    conditions: [{ type: 'field_value', field: 'total', operator: 'gt', value: 500 }],
    actions: [{ type: 'notification', title: 'Order', message: '{{ payload.id }}' }],
    recipients: [{ type: 'role', id: 'admin' }],
    ...change,
  };
}

const changedTitle = { actions: [{ type: 'notification', title: 'Changed', message: '{{ payload.id }}' }] };

async function create(tenantId: string, name: string, change: Partial<WorkflowInput> = {}) {
  return unwrap(await service().createWorkflow(tenantId, input(name, change)));
}

function refusal(result: Result<unknown, WorkflowError>): string {
  return result.ok ? 'ok' : `${result.error.code}: ${result.error.message}`;
}

const version = () => readDefinitionsVersion(db.database.pool);

async function subscribed(workflowId: string): Promise<string[]> {
  const { rows } = await db.database.pool.query(
    'select entity_type, operation, tenant_id from tocsin.subscriptions where workflow_id = $1 order by operation',
    [workflowId],
  );
  return rows.map((row) => `${row.tenant_id} ${row.entity_type} ${row.operation}`);
}

describe('WorkflowService.createWorkflow', () => {
  test('saves a draft that nothing runs', async () => {
    const before = await version();
    const workflow = await create('create-1', 'Orders', { description: 'Big ones' });
    expect(workflow).toMatchObject({
      tenantId: 'create-1',
      name: 'Orders',
      description: 'Big ones',
      status: 'draft',
      publishedVersion: null,
      hasUnpublishedChanges: true,
      revision: 1,
      createdAt: expect.any(Date),
      updatedAt: expect.any(Date),
    });
    expect(unwrap(await service().getWorkflow('create-1', workflow.id))).toEqual(workflow);
    expect(await version()).toBe(before);
    expect(await subscribed(workflow.id)).toEqual([]);
  });

  test('publishes version 1 at once when the status is active', async () => {
    const before = await version();
    const workflow = unwrap(
      await service().createWorkflow('create-2', input('Orders', { status: 'active' }), { actor: 'ann' }),
    );
    expect(workflow).toMatchObject({
      status: 'active',
      publishedVersion: 1,
      hasUnpublishedChanges: false,
      revision: 1,
    });
    expect(await version()).toBe(before + 1);
    expect(await subscribed(workflow.id)).toEqual(['create-2 order insert']);
    const loaded = await loadChangedWorkflows(db.database.pool, {
      since: before,
      afterWorkflowId: 'ffffffff-ffff-ffff-ffff-ffffffffffff',
      limit: 10,
    });
    expect(loaded).toMatchObject([{ workflowId: workflow.id, name: 'Orders', version: 1 }]);
    expect(unwrap(await service().getVersion('create-2', workflow.id, 1))).toMatchObject({
      publishedBy: 'ann',
      isPublished: true,
      definition: { triggers: workflow.triggers, actions: workflow.actions },
    });
  });

  test('refuses a name that another workflow of the tenant has, and names that one', async () => {
    const first = await create('create-3', 'Orders');
    expect(refusal(await service().createWorkflow('create-3', input('Orders')))).toBe(
      `conflict: workflow ${first.id} (draft) already has the name "Orders": choose another name or rename that one`,
    );
    expect(refusal(await service().createWorkflow('create-4', input('Orders')))).toBe('ok');
  });

  test('lets one of many win a name', async () => {
    const results = await Promise.all(
      Array.from({ length: 8 }, () => service().createWorkflow('create-5', input('Same', { status: 'active' }))),
    );
    expect(results.filter((result) => result.ok)).toHaveLength(1);
    expect(results.filter((result) => !result.ok && result.error.code === 'conflict')).toHaveLength(7);
  });

  test('refuses what is not valid with every issue, and a tenant without a name', async () => {
    const result = await service().createWorkflow('create-6', input('x', { actions: [{ type: 'emial' }] }));
    expect(refusal(result)).toBe(
      'invalid: the workflow is not valid: actions[0].type: unknown action type "emial": did you mean "email"?',
    );
    expect(refusal(await service().createWorkflow('', input('x')))).toBe(
      'invalid: the tenant is not valid: tenantId: is empty',
    );
    expect(unwrap(await service().listWorkflows('create-6')).items).toEqual([]);
  });

  test('keeps numbers exact that JavaScript cannot hold', async () => {
    const value = 12345678901234567890n;
    const conditions = [{ type: 'field_value', field: 'id', operator: 'eq', value }];
    const workflow = await create('create-7', 'Exact', { conditions, status: 'active' });
    expect(workflow.conditions[0]?.value).toBe(value);
    expect(workflow.hasUnpublishedChanges).toBe(false);
    const stored = unwrap(await service().getVersion('create-7', workflow.id, 1));
    expect(stored.definition.conditions[0]?.value).toBe(value);
  });

  test("belongs to the caller's transaction, which a refusal does not break", async () => {
    const client = await db.database.pool.connect();
    try {
      await client.query('begin');
      const made = unwrap(await service().createWorkflow('create-8', input('In tx'), { tx: client }));
      expect(refusal(await service().createWorkflow('create-8', input('In tx'), { tx: client }))).toMatch(/^conflict/);
      expect(refusal(await service().getWorkflow('create-8', made.id))).toMatch(/^not_found/);
      expect(unwrap(await service().getWorkflow('create-8', made.id, { tx: client })).name).toBe('In tx');
      await client.query('rollback');
    } finally {
      client.release();
    }
    expect(unwrap(await service().listWorkflows('create-8')).items).toEqual([]);
  });
});

describe('WorkflowService.validateWorkflow', () => {
  test('finds what saving would find, and saves nothing', async () => {
    const wrong = input('x', { actions: [{ type: 'email', template: 'welcome' }] });
    const checked = await service().validateWorkflow('validate-1', wrong);
    expect(refusal(checked)).toBe(refusal(await service().createWorkflow('validate-1', wrong)));
    expect(refusal(checked)).toContain('actions[0].template: unknown template "welcome"');
    expect(unwrap(await service().validateWorkflow('validate-1', input('x'))).name).toBe('x');
    expect(unwrap(await service().listWorkflows('validate-1')).items).toEqual([]);
  });

  test('knows the entity types, templates, secrets and saved queries that are stored, of its own tenant only', async () => {
    const { pool } = db.database;
    await pool.query(
      `insert into tocsin.templates (tenant_id, name, text, changed_at_version) values ('validate-2', 'welcome', 'x', 0)`,
    );
    await pool.query(
      `insert into tocsin.saved_queries (tenant_id, name, definition, changed_at_version)
       values ('validate-2', 'open', '{"name": "open", "entityType": "order", "parameters": [{"name": "customer"}]}', 0)`,
    );
    await pool.query(
      `insert into tocsin.secrets (tenant_id, name, key_id, nonce, ciphertext) values ('validate-2', 'key', 'k', '', '')`,
    );
    const everything = input('x', {
      conditions: [{ type: 'query_match', query: 'open', parameters: { customer: { value: 1 } } }],
      actions: [
        { type: 'email', subject: 's', template: 'welcome' },
        { type: 'webhook', url: 'https://example.com', method: 'POST', headers: { 'X-Key': '{{ secret.key }}' } },
      ],
    });
    expect(refusal(await service().validateWorkflow('validate-2', everything))).toBe('ok');
    const foreign = await service().validateWorkflow('validate-3', everything);
    expect(foreign.ok ? [] : foreign.error.issues.map((issue) => issue.message)).toEqual([
      expect.stringContaining('unknown saved query "open"'),
      expect.stringContaining('unknown template "welcome"'),
      expect.stringContaining('unknown secret "key"'),
    ]);
    await pool.query(
      `insert into tocsin.entity_types (name, fields, operations)
       values ('ticket', '[{"name": "id", "type": "number", "nullable": false}]', '{insert}')`,
    );
    expect(refusal(await service().validateWorkflow('validate-2', everything))).toContain(
      'unknown entity type "order"',
    );
    await pool.query('delete from tocsin.entity_types');
  });
});

describe('WorkflowService.updateWorkflow', () => {
  test('changes the working copy only: what runs stays as it was published', async () => {
    const workflow = await create('update-1', 'Orders', { status: 'active' });
    const before = await version();
    const updated = unwrap(await service().updateWorkflow('update-1', workflow.id, changedTitle));
    expect(updated).toMatchObject({
      status: 'active',
      publishedVersion: 1,
      hasUnpublishedChanges: true,
      revision: 2,
      actions: [{ title: 'Changed' }],
      conditions: workflow.conditions,
    });
    expect(await version()).toBe(before);
    const running = unwrap(await service().getVersion('update-1', workflow.id, 1));
    expect(running.definition.actions).toEqual(workflow.actions);
  });

  test('keeps the ids of parts that are as they were, in any order', async () => {
    const workflow = await create('update-2', 'Orders');
    const { triggers, conditions, recipients } = input('Orders');
    const updated = unwrap(
      await service().updateWorkflow('update-2', workflow.id, {
        triggers: triggers.toReversed(),
        conditions: [{ type: 'field_value', field: 'total', operator: 'lt', value: 9_000 }, ...(conditions ?? [])],
        recipients,
      }),
    );
    expect(updated.triggers.map((part) => part.partId)).toEqual(
      workflow.triggers.map((part) => part.partId).toReversed(),
    );
    expect(updated.conditions[1]).toEqual(workflow.conditions[0]);
    expect(updated.conditions[0]?.partId).not.toBe(workflow.conditions[0]?.partId);
    expect(updated.recipients).toEqual(workflow.recipients);
    expect(updated.actions).toEqual(workflow.actions);
  });

  test('changes single settings and leaves the others', async () => {
    const workflow = await create('update-3', 'Orders', { settings: { queue: 'critical' } });
    const updated = unwrap(
      await service().updateWorkflow('update-3', workflow.id, { settings: { excludeActor: true } }),
    );
    expect(updated.settings).toEqual({ ...workflow.settings, queue: 'critical', excludeActor: true });
  });

  test('does not grow the revision when nothing is different', async () => {
    const workflow = await create('update-4', 'Orders');
    const { triggers } = input('Orders');
    const updated = unwrap(
      await service().updateWorkflow('update-4', workflow.id, { name: 'Orders', triggers, settings: {} }),
    );
    expect(updated).toEqual(workflow);
  });

  test('refuses a stale revision and says which one is current', async () => {
    const workflow = await create('update-5', 'Orders');
    unwrap(await service().updateWorkflow('update-5', workflow.id, changedTitle, { revision: 1 }));
    expect(refusal(await service().updateWorkflow('update-5', workflow.id, { name: 'B' }, { revision: 1 }))).toBe(
      'conflict: workflow "Orders" is at revision 2, not 1: somebody changed it; read it again',
    );
  });

  test('refuses unknown fields, a status, and what is not valid', async () => {
    const workflow = await create('update-6', 'Orders');
    const update = async (patch: object) => refusal(await service().updateWorkflow('update-6', workflow.id, patch));
    expect(await update({ nam: 'x' })).toContain('nam: unknown field "nam": did you mean "name"?');
    expect(await update({ status: 'active' })).toContain(
      'status: is changed by publishing, activating, deactivating or archiving',
    );
    expect(await update({ name: '' })).toMatch(/^invalid: the update of workflow "Orders" is not valid: name: /);
    expect(await update({ actions: [] })).toContain('actions: at least one action');
    expect(await update({ settings: { queue: 3 } })).toContain('settings.queue: ');
    expect(unwrap(await service().getWorkflow('update-6', workflow.id))).toEqual(workflow);
  });

  test('renames, which changes what runs, unless another workflow has the name', async () => {
    const workflow = await create('update-7', 'Orders', { status: 'active' });
    const other = await create('update-7', 'Other');
    expect(refusal(await service().updateWorkflow('update-7', workflow.id, { name: 'Other' }))).toBe(
      `conflict: workflow ${other.id} (draft) already has the name "Other": choose another name or rename that one`,
    );
    const before = await version();
    const renamed = unwrap(await service().updateWorkflow('update-7', workflow.id, { name: 'Mine' }));
    expect(renamed).toMatchObject({ name: 'Mine', hasUnpublishedChanges: false, revision: 2 });
    expect(await version()).toBe(before + 1);
    expect(await subscribed(workflow.id)).toEqual(['update-7 order insert']);
  });

  test('renames a workflow whose definition is no longer valid', async () => {
    const { pool } = db.database;
    await pool.query(
      `insert into tocsin.templates (tenant_id, name, text, changed_at_version) values ('update-8', 'gone', 'x', 0)`,
    );
    const mail = [{ type: 'email', subject: 's', template: 'gone' }];
    const workflow = await create('update-8', 'Mail', { actions: mail });
    await pool.query(`delete from tocsin.templates where tenant_id = 'update-8'`);
    expect(refusal(await service().updateWorkflow('update-8', workflow.id, { name: 'Post' }))).toBe('ok');
    expect(refusal(await service().updateWorkflow('update-8', workflow.id, { conditions: [] }))).toContain(
      'unknown template "gone"',
    );
    expect(refusal(await service().publishWorkflow('update-8', workflow.id))).toBe(
      'invalid: workflow "Post" is not valid: actions[0].template: unknown template "gone"; allowed: none',
    );
  });
});

describe('WorkflowService.publishWorkflow', () => {
  test('freezes the working copy as the next version, which an active workflow runs at once', async () => {
    const draft = await create('publish-1', 'Orders');
    const first = unwrap(await service().publishWorkflow('publish-1', draft.id, { actor: 'ann' }));
    expect(first).toMatchObject({ status: 'active', publishedVersion: 1, hasUnpublishedChanges: false, revision: 2 });
    unwrap(
      await service().updateWorkflow('publish-1', draft.id, {
        triggers: [{ entityType: 'invoice', operation: 'update' }],
      }),
    );
    expect(await subscribed(draft.id)).toEqual(['publish-1 order insert']);
    const before = await version();
    const second = unwrap(await service().publishWorkflow('publish-1', draft.id, { actor: 'bob' }));
    expect(second).toMatchObject({ status: 'active', publishedVersion: 2, hasUnpublishedChanges: false, revision: 4 });
    expect(await version()).toBe(before + 1);
    expect(await subscribed(draft.id)).toEqual(['publish-1 invoice update']);
    const versions = unwrap(await service().listVersions('publish-1', draft.id));
    expect(versions.items).toMatchObject([
      { version: 2, publishedBy: 'bob', isPublished: true },
      { version: 1, publishedBy: 'ann', isPublished: false },
    ]);
  });

  test('leaves a draft inactive when asked, and an inactive workflow inactive', async () => {
    const draft = await create('publish-2', 'Orders');
    const before = await version();
    expect(unwrap(await service().publishWorkflow('publish-2', draft.id, { activate: false })).status).toBe('inactive');
    unwrap(await service().updateWorkflow('publish-2', draft.id, changedTitle));
    expect(unwrap(await service().publishWorkflow('publish-2', draft.id))).toMatchObject({
      status: 'inactive',
      publishedVersion: 2,
    });
    expect(await version()).toBe(before);
    expect(await subscribed(draft.id)).toEqual([]);
  });

  test('refuses when nothing changed, when the revision is stale, and what is archived', async () => {
    const workflow = await create('publish-3', 'Orders', { status: 'active' });
    expect(refusal(await service().publishWorkflow('publish-3', workflow.id))).toMatch(/^conflict: .*no changes since/);
    unwrap(await service().updateWorkflow('publish-3', workflow.id, changedTitle));
    expect(refusal(await service().publishWorkflow('publish-3', workflow.id, { revision: 1 }))).toMatch(
      /^conflict: .*at revision 2, not 1/,
    );
    unwrap(await service().archiveWorkflow('publish-3', workflow.id));
    expect(refusal(await service().publishWorkflow('publish-3', workflow.id))).toMatch(/^conflict: .*archived/);
  });

  test('makes every version once when many publish at the same time', async () => {
    const workflow = await create('publish-4', 'Orders');
    const results = await Promise.all(
      Array.from({ length: 6 }, () => service().publishWorkflow('publish-4', workflow.id)),
    );
    expect(results.filter((result) => result.ok)).toHaveLength(1);
    expect(unwrap(await service().listVersions('publish-4', workflow.id)).items).toHaveLength(1);
  });
});

describe('WorkflowService: activate, deactivate, archive', () => {
  test('switch what runs, in the same transaction as what capture lets through', async () => {
    const workflow = await create('switch-1', 'Orders', { status: 'active' });
    const start = await version();
    const stopped = unwrap(await service().deactivateWorkflow('switch-1', workflow.id));
    expect(stopped).toMatchObject({ status: 'inactive', publishedVersion: 1, revision: 2 });
    expect(await subscribed(workflow.id)).toEqual([]);
    expect(await version()).toBe(start + 1);

    // What runs is the published version, not the working copy.
    const triggers = [{ entityType: 'invoice', operation: 'insert' }];
    unwrap(await service().updateWorkflow('switch-1', workflow.id, { triggers }));
    const running = unwrap(await service().activateWorkflow('switch-1', workflow.id));
    expect(running).toMatchObject({ status: 'active', publishedVersion: 1, hasUnpublishedChanges: true });
    expect(await subscribed(workflow.id)).toEqual(['switch-1 order insert']);
    expect(await version()).toBe(start + 2);

    const archived = unwrap(await service().archiveWorkflow('switch-1', workflow.id));
    expect(archived.status).toBe('archived');
    expect(await subscribed(workflow.id)).toEqual([]);
    expect(await version()).toBe(start + 3);
  });

  test('refuse to run a version whose references are gone', async () => {
    const { pool } = db.database;
    await pool.query(
      `insert into tocsin.templates (tenant_id, name, text, changed_at_version) values ('switch-2', 'gone', 'x', 0)`,
    );
    const mail = [{ type: 'email', subject: 's', template: 'gone' }];
    const workflow = await create('switch-2', 'Mail', { actions: mail, status: 'active' });
    unwrap(await service().deactivateWorkflow('switch-2', workflow.id));
    await pool.query(`delete from tocsin.templates where tenant_id = 'switch-2'`);
    expect(refusal(await service().activateWorkflow('switch-2', workflow.id))).toContain('unknown template "gone"');
  });

  test('refuse the wrong state with the next step', async () => {
    const draft = await create('switch-3', 'Orders');
    expect(refusal(await service().activateWorkflow('switch-3', draft.id))).toBe(
      'conflict: workflow "Orders" was never published: publish it, which also activates it',
    );
    expect(refusal(await service().deactivateWorkflow('switch-3', draft.id))).toMatch(/^conflict/);
    unwrap(await service().archiveWorkflow('switch-3', draft.id));
    for (const method of ['activateWorkflow', 'deactivateWorkflow', 'archiveWorkflow', 'publishWorkflow'] as const) {
      expect(refusal(await service()[method]('switch-3', draft.id))).toMatch(/^conflict: .* is archived/);
    }
    expect(refusal(await service().updateWorkflow('switch-3', draft.id, { name: 'x' }))).toMatch(/^conflict/);
  });
});

describe('WorkflowService.deleteWorkflow', () => {
  test('frees the name and keeps versions and logs readable by id', async () => {
    const workflow = await create('delete-1', 'Orders', { status: 'active' });
    expect(refusal(await service().deleteWorkflow('delete-1', workflow.id))).toBe(
      'conflict: workflow "Orders" is active: deactivate or archive it first',
    );
    unwrap(await service().deactivateWorkflow('delete-1', workflow.id));
    expect(unwrap(await service().deleteWorkflow('delete-1', workflow.id))).toMatchObject({ id: workflow.id });
    expect(refusal(await service().getWorkflow('delete-1', workflow.id))).toMatch(/^not_found/);
    expect(refusal(await service().getWorkflowByName('delete-1', 'Orders'))).toMatch(/^not_found/);
    expect(refusal(await service().deleteWorkflow('delete-1', workflow.id))).toMatch(/^not_found/);
    expect(refusal(await service().activateWorkflow('delete-1', workflow.id))).toMatch(/^not_found/);
    expect(unwrap(await service().listWorkflows('delete-1')).items).toEqual([]);
    expect(unwrap(await service().getVersion('delete-1', workflow.id, 1)).version).toBe(1);
    expect(unwrap(await service().listVersions('delete-1', workflow.id)).items).toHaveLength(1);
    expect(unwrap(await service().getExecutionLogs('delete-1', { workflowId: workflow.id })).items).toEqual([]);
    expect((await create('delete-1', 'Orders')).id).not.toBe(workflow.id);
  });
});

describe('WorkflowService: reading', () => {
  test('finds by name, and says which name was probably meant', async () => {
    const workflow = await create('read-1', 'Refunded orders');
    expect(unwrap(await service().getWorkflowByName('read-1', 'Refunded orders'))).toEqual(workflow);
    expect(refusal(await service().getWorkflowByName('read-1', 'Refunded ordrs'))).toBe(
      'not_found: no workflow has the name "Refunded ordrs": did you mean "Refunded orders"?',
    );
    expect(refusal(await service().getWorkflowByName('read-1', 'a\u0000'))).toMatch(/^not_found/);
  });

  test('answers not_found for ids that are unknown, malformed or of another tenant, in every method', async () => {
    const workflow = await create('read-2', 'Orders', { status: 'active' });
    const strange = [
      ['read-2', randomUUID()],
      ['read-2', 'nonsense'],
      ['read-2', ''],
      ['other', workflow.id],
    ] as const;
    for (const [tenantId, id] of strange) {
      const answers = await Promise.all([
        service().getWorkflow(tenantId, id),
        service().updateWorkflow(tenantId, id, { name: 'x' }),
        service().publishWorkflow(tenantId, id),
        service().activateWorkflow(tenantId, id),
        service().deactivateWorkflow(tenantId, id),
        service().archiveWorkflow(tenantId, id),
        service().deleteWorkflow(tenantId, id),
        service().listVersions(tenantId, id),
        service().getVersion(tenantId, id, 1),
        service().getExecutionLogs(tenantId, { workflowId: id }),
        service().getExecution(tenantId, id),
      ]);
      for (const answer of answers) expect(refusal(answer)).toMatch(/^not_found/);
    }
    expect(refusal(await service().getVersion('read-2', workflow.id, 2))).toBe(
      `not_found: workflow ${workflow.id} has no version 2: list its versions`,
    );
    expect(refusal(await service().getVersion('read-2', workflow.id, 1.5))).toMatch(/^not_found/);
  });

  test('lists page by page, newest first, by status and part of the name', async () => {
    const made = [];
    for (const name of ['Alpha', 'Beta', 'alphabet', 'Gamma', 'Delta']) made.push(await create('read-3', name));
    unwrap(await service().publishWorkflow('read-3', made[1]?.id ?? ''));
    unwrap(await service().archiveWorkflow('read-3', made[4]?.id ?? ''));
    const names = async (filter: Parameters<WorkflowService['listWorkflows']>[1]) =>
      unwrap(await service().listWorkflows('read-3', filter)).items.map((workflow) => workflow.name);
    expect(await names({})).toEqual(['Delta', 'Gamma', 'alphabet', 'Beta', 'Alpha']);
    expect(await names({ name: 'ALPHA' })).toEqual(['alphabet', 'Alpha']);
    expect(await names({ status: 'active' })).toEqual(['Beta']);
    expect(await names({ status: ['active', 'archived'] })).toEqual(['Delta', 'Beta']);
    const first = unwrap(await service().listWorkflows('read-3', { limit: 3 }));
    const second = unwrap(await service().listWorkflows('read-3', { limit: 3, cursor: first.nextCursor ?? '' }));
    expect([...first.items, ...second.items].map((workflow) => workflow.name)).toEqual(await names({}));
    expect(second.nextCursor).toBeNull();
  });

  test('refuses filters that are none, with what is allowed', async () => {
    const list = async (filter: object) => refusal(await service().listWorkflows('read-4', filter));
    expect(await list({ status: 'aktive' })).toBe(
      'invalid: the filter is not valid: status: unknown value "aktive": did you mean "active"?',
    );
    expect(await list({ cursor: 'x' })).toContain('cursor: is not a cursor');
    expect(await list({ limit: 0 })).toContain('limit: ');
    expect(await list({ state: 'active' })).toContain('state: unknown field "state": did you mean "status"?');
  });

  test('lists versions page by page', async () => {
    const workflow = await create('read-5', 'Orders', { status: 'active' });
    for (const title of ['b', 'c']) {
      const actions = [{ type: 'notification', title, message: 'm' }];
      unwrap(await service().updateWorkflow('read-5', workflow.id, { actions }));
      unwrap(await service().publishWorkflow('read-5', workflow.id));
    }
    const first = unwrap(await service().listVersions('read-5', workflow.id, { limit: 2 }));
    expect(first.items.map((item) => item.version)).toEqual([3, 2]);
    const second = unwrap(
      await service().listVersions('read-5', workflow.id, { limit: 2, cursor: first.nextCursor ?? '' }),
    );
    expect(second).toMatchObject({ items: [{ version: 1 }], nextCursor: null });
  });
});

describe('WorkflowService: event listener', () => {
  test('starts and stops the worker of its process, and says how to get one', async () => {
    const calls: string[] = [];
    const eventListener = {
      start: async () => void calls.push('start'),
      stop: async () => void calls.push('stop'),
    };
    const listening = new WorkflowService({ database: db.database, handlers: createHandlers(), eventListener });
    expect(await listening.startEventListener()).toEqual({ ok: true, value: undefined });
    expect(await listening.stopEventListener()).toEqual({ ok: true, value: undefined });
    expect(calls).toEqual(['start', 'stop']);
    expect(refusal(await service().startEventListener())).toMatch(/^not_allowed: .*createTocsin/);
    expect(refusal(await service().stopEventListener())).toMatch(/^not_allowed/);
  });
});
