import { beforeAll, describe, expect, test } from 'vitest';
import type { Clock } from '../../src/clock.ts';
import { createHandlers } from '../../src/engine/built-in-handlers.ts';
import type { WorkflowError } from '../../src/errors.ts';
import type { ExecutionTrace } from '../../src/model/execution.ts';
import { type Result, unwrap } from '../../src/model/result.ts';
import { type ExecutionFilter, ExecutionLogService } from '../../src/service/execution-log-service.ts';
import { WorkflowService } from '../../src/service/workflow-service.ts';
import { type ExecutionToStore, storeExecution } from '../support/stored-execution.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();
const now = new Date();
const clock: Clock = { now: () => now, elapsedMs: () => 0 };
const logs = () => new ExecutionLogService({ database: db.database, clock });
const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
const ago = (ms: number) => new Date(now.getTime() - ms);

async function makeWorkflow(tenantId: string, name: string): Promise<string> {
  const workflows = new WorkflowService({ database: db.database, handlers: createHandlers() });
  const made = await workflows.createWorkflow(tenantId, {
    name,
    status: 'active',
    triggers: [{ entityType: 'order', operation: 'insert' }],
    actions: [
      { partId: 'mail', name: 'Tell them', type: 'email', subject: 's', text: 't' },
      { partId: 'inbox', type: 'notification', title: 't', message: 'm' },
    ],
    recipients: [{ type: 'role', id: 'admin' }],
  });
  return unwrap(made).id;
}

async function store(given: ExecutionToStore): Promise<string> {
  return (await storeExecution(db.database.pool, given)).executionId;
}

async function ids(tenantId: string, filter: ExecutionFilter = {}): Promise<string[]> {
  return unwrap(await logs().getExecutionLogs(tenantId, filter)).items.map((log) => log.id);
}

function refusal(result: Result<unknown, WorkflowError>): string {
  return result.ok ? 'ok' : `${result.error.code}: ${result.error.message}`;
}

describe('ExecutionLogService.getExecutionLogs', () => {
  let workflowId: string;
  let otherId: string;
  /** From the newest to the oldest: 1 minute, 2 hours, 3 days, 20 days and 40 days ago. */
  let stored: string[];

  beforeAll(async () => {
    workflowId = await makeWorkflow('list', 'Orders');
    otherId = await makeWorkflow('list', 'Other');
    const foreign = await makeWorkflow('foreign', 'Orders');
    await store({ tenantId: 'foreign', workflowId: foreign, at: ago(minute) });
    const of = (change: Partial<ExecutionToStore>) => store({ tenantId: 'list', workflowId, ...change });
    stored = [
      await of({ at: ago(minute), status: 'failed', reason: 'condition_error', event: { entityId: '7' } }),
      await of({ at: ago(2 * hour), workflowId: otherId, event: { entityType: 'invoice', entityId: '7' } }),
      await of({ at: ago(3 * day), status: 'skipped', reason: 'conditions_false' }),
      await of({ at: ago(20 * day), workflowId: otherId, keepsEvent: false }),
      await of({ at: ago(40 * day) }),
    ];
  });

  test('lists one workflow, newest first', async () => {
    expect(await ids('list', { workflowId })).toEqual([stored[0], stored[2], stored[4]]);
  });

  test('lists all workflows of the tenant and none of another', async () => {
    expect(await ids('list')).toEqual(stored);
    expect(await ids('nobody')).toEqual([]);
  });

  test('pages by cursor and by offset, within a workflow and over all', async () => {
    for (const filter of [{}, { workflowId }]) {
      const all = await ids('list', filter);
      const paged: string[] = [];
      let cursor: string | null = null;
      do {
        const page: { items: readonly { id: string }[]; nextCursor: string | null } = unwrap(
          await logs().getExecutionLogs('list', { ...filter, limit: 2, ...(cursor ? { cursor } : {}) }),
        );
        paged.push(...page.items.map((log) => log.id));
        cursor = page.nextCursor;
      } while (cursor);
      expect(paged).toEqual(all);
      expect(await ids('list', { ...filter, limit: 1, offset: 1 })).toEqual(all.slice(1, 2));
      expect(await ids('list', { ...filter, offset: 2 })).toEqual(all.slice(2));
    }
  });

  test('filters by one or several statuses', async () => {
    expect(await ids('list', { status: 'failed' })).toEqual([stored[0]]);
    expect(await ids('list', { status: ['failed', 'skipped'] })).toEqual([stored[0], stored[2]]);
    expect(await ids('list', { workflowId, status: 'skipped' })).toEqual([stored[2]]);
    expect(await ids('list', { status: 'cancelled' })).toEqual([]);
  });

  test('filters by the time of the event: from is included, to is not', async () => {
    expect(await ids('list', { from: ago(2 * hour) })).toEqual(stored.slice(0, 2));
    expect(await ids('list', { to: ago(2 * hour) })).toEqual(stored.slice(2));
    expect(await ids('list', { from: ago(30 * day).toISOString(), to: ago(day).toISOString() })).toEqual(
      stored.slice(2, 4),
    );
    expect(await ids('list', { workflowId, from: ago(5 * day), to: ago(hour) })).toEqual([stored[2]]);
  });

  test('filters by what the event was about, while the event is kept', async () => {
    expect(await ids('list', { entityId: '7' })).toEqual(stored.slice(0, 2));
    expect(await ids('list', { entityType: 'invoice' })).toEqual([stored[1]]);
    expect(await ids('list', { entityType: 'order', entityId: '7', workflowId })).toEqual([stored[0]]);
    expect(await ids('list', { entityType: 'order' })).not.toContain(stored[3]);
  });

  test('answers what each came to and what it was about', async () => {
    const [log] = unwrap(await logs().getExecutionLogs('list', { limit: 1 })).items;
    expect(log).toEqual({
      id: stored[0],
      workflowId,
      workflowName: 'Orders',
      workflowVersion: 1,
      workflowPausedReason: null,
      status: 'failed',
      reason: 'condition_error',
      sentence: 'A condition could not be decided, so the workflow did not run.',
      createdAt: ago(minute),
      completedAt: ago(minute),
      durationMs: 0,
      event: {
        id: expect.any(String),
        entityType: 'order',
        entityId: '7',
        operation: 'insert',
        actor: null,
        occurredAt: ago(minute),
      },
      trace: { conditions: [], actions: [] },
      deliveryCounts: { open: 0, delivered: 0, failed: 0 },
    });
    const [old] = unwrap(await logs().getExecutionLogs('list', { to: ago(19 * day), limit: 1 })).items;
    expect(old).toMatchObject({ id: stored[3], workflowName: 'Other', event: null, reason: null, sentence: null });
  });

  test('finds the newest of a tenant also when they are older than every window it looks in first', async () => {
    const tenantId = 'old';
    const old = await makeWorkflow(tenantId, 'Orders');
    const made = [];
    for (const days of [10, 12, 15]) made.push(await store({ tenantId, workflowId: old, at: ago(days * day) }));
    expect(await ids(tenantId, { limit: 2 })).toEqual(made.slice(0, 2));
  });

  test('refuses filters that are none, with what is allowed', async () => {
    const list = async (filter: object) => refusal(await logs().getExecutionLogs('list', filter));
    expect(await list({ status: 'sucess' })).toBe(
      'invalid: the filter is not valid: status: unknown value "sucess": did you mean "success"?',
    );
    expect(await list({ state: 'x' })).toMatch(/state: unknown field "state"/);
    expect(await list({ from: 'yesterday' })).toContain('from: is not a moment: write it as "2026-11-01T09:00:00Z"');
    expect(await list({ from: ago(1), to: ago(2) })).toContain('to: is not after `from`');
    expect(await list({ limit: 501 })).toContain('limit: ');
    expect(await list({ cursor: 'bm9wZQ' })).toContain('cursor: is not a cursor of this list');
    expect(await list({ entityId: 'a\u0000' })).toContain('entityId: ');
    const result = await logs().getExecutionLogs('list', { status: ['x'] } as object);
    expect(result).toMatchObject({ ok: false, error: { issues: [{ allowed: expect.arrayContaining(['partial']) }] } });
    expect(await list({ workflowId: 'nonsense' })).toMatch(/^not_found: no workflow "nonsense"/);
  });

  test('reads only the partitions of the time that is asked for', async () => {
    const { pool } = db.database;
    const { rows } = await pool.query(
      `explain select e.id from tocsin.executions e
       where e.tenant_id = 'list' and e.id >= tocsin.id_at($1::timestamptz) and e.id < tocsin.id_at($2::timestamptz)`,
      [now, new Date(now.getTime() + minute)],
    );
    const partitions = new Set(JSON.stringify(rows).match(/executions_(\d{8}|default)/g));
    expect([...partitions].filter((name) => name !== 'executions_default')).toHaveLength(1);
  });
});

describe('ExecutionLogService.getExecution', () => {
  const trace: ExecutionTrace = {
    conditions: [{ type: 'field_value', result: true, expected: 'id eq 12345678901234567890', actual: 2n ** 60n }],
    actions: [{ partId: 'mail', type: 'email', planned: 2 }],
  };

  test('answers the event with its rows, every delivery and every attempt', async () => {
    const workflowId = await makeWorkflow('one', 'Orders');
    const id = await store({
      tenantId: 'one',
      workflowId,
      trace,
      status: 'partial',
      event: { operation: 'update', payload: { id: 2n ** 60n }, previous: { id: 1 }, changed: ['id'], actor: 'ann' },
      deliveries: [
        { recipientId: 'a', status: 'dead', reason: 'timeout', attempts: 2 },
        { recipientId: 'b', status: 'skipped', reason: 'no_address' },
        { recipientId: 'c', status: 'pending', reason: 'connection_failed', attempts: 1 },
        { recipientId: '', actionId: 'gone', actionType: 'webhook', attempts: 1 },
      ],
    });
    const execution = unwrap(await logs().getExecution('one', id));
    expect(execution).toMatchObject({
      id,
      workflowName: 'Orders',
      status: 'partial',
      trace,
      deliveryCounts: { open: 1, delivered: 1, failed: 1 },
      event: { operation: 'update', payload: { id: 2n ** 60n }, previous: { id: 1 }, changed: ['id'], actor: 'ann' },
      nextDeliveryCursor: null,
    });
    const byRecipient = new Map(execution.deliveries.map((delivery) => [delivery.recipientId, delivery]));
    expect(byRecipient.get('a')).toMatchObject({
      action: { partId: 'mail', type: 'email', name: 'Tell them' },
      status: 'dead',
      reason: 'timeout',
      sentence: 'The other side did not answer in time.',
      nextAttemptAt: null,
      attempts: [
        { attempt: 1, outcome: 'retry', reason: 'timeout', durationMs: 5, startedAt: expect.any(Date), detail: null },
        { attempt: 2, sentence: 'The other side did not answer in time.' },
      ],
    });
    expect(byRecipient.get('b')).toMatchObject({ status: 'skipped', reason: 'no_address', attempts: [] });
    expect(byRecipient.get('c')).toMatchObject({
      status: 'pending',
      completedAt: null,
      nextAttemptAt: expect.any(Date),
      attempts: [{ attempt: 1 }],
    });
    expect(byRecipient.get(null)).toMatchObject({ action: { partId: 'gone', type: 'webhook', name: null } });
  });

  test('shows the one attempt of what went to an inbox, which has no row of its own', async () => {
    const workflowId = await makeWorkflow('inbox', 'Orders');
    const inbox = { actionId: 'inbox', actionType: 'notification' };
    const id = await store({
      tenantId: 'inbox',
      workflowId,
      deliveries: [
        { ...inbox, recipientId: 'a' },
        { ...inbox, recipientId: 'b', status: 'dead', reason: 'template_error' },
        { ...inbox, recipientId: 'c', status: 'skipped', reason: 'recipient_inactive' },
      ],
    });
    const { deliveries } = unwrap(await logs().getExecution('inbox', id));
    const byRecipient = new Map(deliveries.map((delivery) => [delivery.recipientId, delivery.attempts]));
    expect(byRecipient.get('a')).toMatchObject([{ attempt: 1, outcome: 'delivered', reason: null, durationMs: 0 }]);
    expect(byRecipient.get('b')).toMatchObject([{ attempt: 1, outcome: 'failed', reason: 'template_error' }]);
    expect(byRecipient.get('c')).toEqual([]);
  });

  test('pages the deliveries of a large execution', async () => {
    const workflowId = await makeWorkflow('many', 'Orders');
    const deliveries = Array.from({ length: 7 }, () => ({}));
    const id = await store({ tenantId: 'many', workflowId, deliveries });
    const seen: string[] = [];
    let cursor: string | null = null;
    do {
      const page: { deliveries: readonly { id: string }[]; nextDeliveryCursor: string | null } = unwrap(
        await logs().getExecution('many', id, { limit: 3, ...(cursor ? { cursor } : {}) }),
      );
      seen.push(...page.deliveries.map((delivery) => delivery.id));
      cursor = page.nextDeliveryCursor;
    } while (cursor);
    expect(new Set(seen).size).toBe(7);
    expect(seen).toHaveLength(7);
  });

  test('answers without the event when it is no longer kept', async () => {
    const workflowId = await makeWorkflow('kept', 'Orders');
    const id = await store({ tenantId: 'kept', workflowId, keepsEvent: false });
    expect(unwrap(await logs().getExecution('kept', id)).event).toBeNull();
  });

  test('answers not_found for another tenant, and for what is no id', async () => {
    const workflowId = await makeWorkflow('mine', 'Orders');
    const id = await store({ tenantId: 'mine', workflowId });
    expect(refusal(await logs().getExecution('other', id))).toMatch(`not_found: no execution "${id}" in this tenant: `);
    expect(refusal(await logs().getExecution('mine', 'x'))).toMatch('not_found: no execution "x" in this tenant: ');
  });
});
