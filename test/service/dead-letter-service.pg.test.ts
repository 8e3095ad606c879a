import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { createHandlers } from '../../src/engine/built-in-handlers.ts';
import type { WorkflowError } from '../../src/errors.ts';
import type { DeadLetter } from '../../src/log/dead-letter.ts';
import { type Result, unwrap } from '../../src/model/result.ts';
import { DeadLetterService } from '../../src/service/dead-letter-service.ts';
import { WorkflowService } from '../../src/service/workflow-service.ts';
import { giveUpEvent } from '../../src/store/finish-events.ts';
import { claimDeliveries } from '../../src/store/pending-deliveries.ts';
import { claimExecutions } from '../../src/store/pending-executions.ts';
import { recordAttempts } from '../../src/store/record-attempts.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { type ExecutionToStore, idAt, storeExecution } from '../support/stored-execution.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();
const letters = () => new DeadLetterService({ database: db.database });
const now = new Date();
const ago = (minutes: number) => new Date(now.getTime() - minutes * 60_000);

let workflowId: string;
let otherId: string;
const tenantId = 'acme';

beforeEach(async () => {
  for (const table of [
    'deliveries',
    'delivery_attempts',
    'executions',
    'event_history',
    'events',
    'workflow_versions',
  ]) {
    await db.database.pool.query(`delete from tocsin.${table}`);
  }
  await db.database.pool.query('delete from tocsin.workflows');
  workflowId = await makeWorkflow(tenantId, 'Orders');
  otherId = await makeWorkflow('other', 'Orders');
});

async function makeWorkflow(tenant: string, name: string): Promise<string> {
  const workflows = new WorkflowService({ database: db.database, handlers: createHandlers() });
  const made = await workflows.createWorkflow(tenant, {
    name,
    status: 'active',
    triggers: [{ entityType: 'order', operation: 'insert' }],
    actions: [{ partId: 'mail', type: 'email', subject: 's', text: 't' }],
    recipients: [{ type: 'role', id: 'admin' }],
  });
  return unwrap(made).id;
}

const store = (change: Partial<ExecutionToStore>) =>
  storeExecution(db.database.pool, { tenantId, workflowId, status: 'failed', ...change });

/** An execution with a dead delivery; answers the id of the delivery. */
async function storeDeadDelivery(change: Partial<ExecutionToStore> = {}): Promise<string> {
  const deliveries = [{ status: 'dead' as const, reason: 'timeout', attempts: 3 }];
  const { deliveryIds } = await store({ deliveries, ...change });
  return deliveryIds[0] as string;
}

async function storeFailedExecution(
  reason = 'condition_error',
  change: Partial<ExecutionToStore> = {},
): Promise<string> {
  return (await store({ reason, ...change })).executionId;
}

async function storeFailedEvent(at: Date, tenant = tenantId): Promise<string> {
  const id = idAt(at);
  const { rows } = await db.database.pool.query(
    `insert into tocsin.events (id, tenant_id, source, entity_type, entity_id, operation, payload, changed, idempotency_key)
     values ($1, $2, 'domain', 'order', '1', 'refunded', '{"total": 12345678901234567890}', '{total}', 'k')
     returning position`,
    [id, tenant],
  );
  const { position } = rows[0];
  await giveUpEvent(db.database.pool, { position, failure: 'event_unreadable', attempts: 5 });
  return id;
}

async function listed(
  tenant: string | null = tenantId,
  filter: Parameters<DeadLetterService['list']>[1] = {},
): Promise<readonly DeadLetter[]> {
  return unwrap(await letters().list(tenant, filter)).items;
}

async function row(table: string, id: string): Promise<Record<string, unknown>> {
  const { rows } = await db.database.pool.query(`select * from tocsin.${table} where id = $1`, [id]);
  return rows[0];
}

function refusal(result: Result<unknown, WorkflowError>): string {
  return result.ok ? 'ok' : `${result.error.code}: ${result.error.message}`;
}

describe('DeadLetterService.list', () => {
  test('shows what was given up of every kind, the newest first, with the reason', async () => {
    const delivery = await storeDeadDelivery({ at: ago(3) });
    const execution = await storeFailedExecution('resolver_failed', { at: ago(2) });
    const event = await storeFailedEvent(ago(1));
    await store({ at: ago(0), status: 'success', deliveries: [{}] });
    expect(await listed()).toEqual([
      {
        kind: 'event',
        id: event,
        tenantId,
        workflow: null,
        action: null,
        recipient: null,
        executionId: null,
        eventId: event,
        reason: 'event_unreadable',
        sentence: 'The event could not be read.',
        at: expect.any(Date),
        attempts: 5,
      },
      {
        kind: 'execution',
        id: execution,
        tenantId,
        workflow: { id: workflowId, name: 'Orders' },
        action: null,
        recipient: null,
        executionId: execution,
        eventId: expect.any(String),
        reason: 'resolver_failed',
        sentence: 'A recipient could not be resolved, so nobody was told through it.',
        at: ago(2),
        attempts: 0,
      },
      {
        kind: 'delivery',
        id: delivery,
        tenantId,
        workflow: { id: workflowId, name: 'Orders' },
        action: { partId: 'mail', type: 'email' },
        recipient: 'u0',
        executionId: expect.any(String),
        eventId: expect.any(String),
        reason: 'timeout',
        sentence: 'The other side did not answer in time.',
        at: ago(3),
        attempts: 3,
      },
    ]);
  });

  test('leaves out executions that trying again cannot change, and those that failed only in their deliveries', async () => {
    await storeFailedExecution('version_missing');
    await storeFailedExecution('event_expired');
    await store({ reason: null });
    const partial = await storeFailedExecution('resolver_failed', { status: 'partial' });
    expect((await listed()).map((letter) => letter.id)).toEqual([partial]);
  });

  test('shows a tenant its own and an operator those of all', async () => {
    const mine = await storeDeadDelivery({ at: ago(2) });
    const theirs = await storeDeadDelivery({ at: ago(1), tenantId: 'other', workflowId: otherId });
    const homeless = await storeFailedEvent(ago(0), '');
    expect((await listed()).map((letter) => letter.id)).toEqual([mine]);
    expect((await listed('other')).map((letter) => letter.id)).toEqual([theirs]);
    expect((await listed(null)).map((letter) => letter.id)).toEqual([homeless, theirs, mine]);
  });

  test('filters by kind, workflow, reason and when it was given up, and pages', async () => {
    const delivery = await storeDeadDelivery({ at: ago(30) });
    const execution = await storeFailedExecution('condition_error', { at: ago(20) });
    const second = await makeWorkflow(tenantId, 'Second');
    const elsewhere = await storeDeadDelivery({ at: ago(10), workflowId: second });
    const event = await storeFailedEvent(ago(5));
    const found = async (filter: Parameters<DeadLetterService['list']>[1]) =>
      (await listed(tenantId, filter)).map((letter) => letter.id);
    expect(await found({ kind: 'delivery' })).toEqual([elsewhere, delivery]);
    expect(await found({ workflowId })).toEqual([execution, delivery]);
    expect(await found({ reason: 'timeout' })).toEqual([elsewhere, delivery]);
    expect(await found({ since: ago(15) })).toEqual([event, elsewhere]);
    const first = unwrap(await letters().list(tenantId, { limit: 3 }));
    expect(first.items.map((letter) => letter.id)).toEqual([event, elsewhere, execution]);
    const next = unwrap(await letters().list(tenantId, { limit: 3, cursor: first.nextCursor ?? '' }));
    expect(next).toMatchObject({ items: [{ id: delivery }], nextCursor: null });
  });

  test('refuses filters that are none', async () => {
    expect(refusal(await letters().list(tenantId, { workflowId: 'x' }))).toBe(
      'invalid: the filter is not valid: workflowId: is not the id of a workflow',
    );
    expect(refusal(await letters().list(tenantId, { kind: 'deliveries' } as object))).toContain(
      'did you mean "delivery"',
    );
  });
});

describe('DeadLetterService.show', () => {
  test('answers one with its event, its attempts and the decisions of its execution', async () => {
    const trace = { conditions: [], actions: [{ partId: 'mail', type: 'email', planned: 1 }] };
    const id = await storeDeadDelivery({ trace, event: { payload: { total: 2n ** 60n } } });
    expect(unwrap(await letters().show(tenantId, id))).toMatchObject({
      kind: 'delivery',
      id,
      event: { entityType: 'order', payload: { total: 2n ** 60n } },
      attemptLogs: [{ attempt: 1 }, { attempt: 2 }, { attempt: 3, reason: 'timeout' }],
      trace,
    });
    const event = await storeFailedEvent(ago(1));
    expect(unwrap(await letters().show(null, event))).toMatchObject({
      kind: 'event',
      event: { operation: 'refunded', payload: { total: 12345678901234567890n } },
      attemptLogs: [],
      trace: null,
    });
  });

  test('answers not_found for another tenant, what is not dead, and what is no id', async () => {
    const id = await storeDeadDelivery();
    const { deliveryIds } = await store({ status: 'success', deliveries: [{}] });
    expect(refusal(await letters().show('other', id))).toMatch(/^not_found: no dead letter/);
    expect(refusal(await letters().show(tenantId, deliveryIds[0] ?? ''))).toMatch(/^not_found/);
    expect(refusal(await letters().show(tenantId, 'x'))).toMatch(/^not_found/);
  });
});

describe('DeadLetterService.redrive', () => {
  test('makes a delivery pending with fresh attempts, whose numbers go on, and reopens its execution', async () => {
    const deliveries = [
      { recipientId: 'a', status: 'dead' as const, reason: 'timeout', attempts: 3 },
      { recipientId: 'b', status: 'delivered' as const, attempts: 1 },
    ];
    const { executionId, deliveryIds } = await store({ status: 'partial', deliveries });
    const id = deliveryIds[0] as string;
    expect(unwrap(await letters().redrive(tenantId, [id]))).toEqual({
      deliveries: 1,
      executions: 0,
      events: 0,
      expired: [],
      unknown: [],
    });
    expect(await row('deliveries', id)).toMatchObject({
      status: 'pending',
      attempts: 3,
      attempts_base: 3,
      lease_token: null,
      completed_at: null,
    });
    expect(await row('executions', executionId)).toMatchObject({
      status: 'running',
      deliveries_open: 1,
      deliveries_done: 1,
      deliveries_failed: 0,
      completed_at: null,
    });
    expect(await brokenInvariants(db.database)).toEqual([]);
    const [claimed] = await claimDeliveries(db.database.pool, {
      limit: 10,
      leaseMs: 30_000,
      actionTypes: ['email'],
      queues: null,
    });
    expect(claimed).toMatchObject({ id, attempts: 4, attemptsBase: 3 });
    await deliverNow(claimed as NonNullable<typeof claimed>);
    expect(await row('executions', executionId)).toMatchObject({ status: 'success', deliveries_done: 2 });
  });

  async function deliverNow(claimed: Awaited<ReturnType<typeof claimDeliveries>>[number]): Promise<void> {
    await recordAttempts(db.database.pool, [
      {
        deliveryId: claimed.id,
        tenantId: claimed.tenantId,
        executionId: claimed.executionId,
        actionType: claimed.actionType,
        leaseToken: claimed.leaseToken,
        attempt: claimed.attempts,
        outcome: 'delivered',
        reason: null,
        detail: null,
        startedAtMs: claimed.nowMs,
        durationMs: 1,
        next: 'delivered',
        delayMs: 0,
        notification: null,
        isOrdered: false,
        bounces: [],
      },
    ]);
  }

  test('makes a failed execution pending, to be decided anew', async () => {
    const id = await storeFailedExecution();
    expect(unwrap(await letters().redrive(tenantId, [id]))).toMatchObject({ executions: 1 });
    expect(await row('executions', id)).toMatchObject({
      status: 'pending',
      reason: null,
      attempts: 0,
      completed_at: null,
    });
    const claimed = await claimExecutions(db.database.pool, { limit: 10, leaseMs: 30_000 });
    expect(claimed.map((execution) => execution.id)).toEqual([id]);
  });

  test('moves a failed event back to the outbox as it was captured', async () => {
    const id = await storeFailedEvent(ago(1));
    expect(unwrap(await letters().redrive(tenantId, [id]))).toMatchObject({ events: 1 });
    expect(await row('event_history', id)).toBeUndefined();
    const { rows } = await db.database.pool.query('select *, payload::text as exact from tocsin.events');
    expect(rows).toMatchObject([
      {
        id,
        tenant_id: tenantId,
        source: 'domain',
        operation: 'refunded',
        exact: '{"total": 12345678901234567890}',
        changed: ['total'],
        idempotency_key: 'k',
        attempts: 0,
        not_before: null,
      },
    ]);
  });

  test('is idempotent, also when two do it at once', async () => {
    const ids = [await storeDeadDelivery(), await storeFailedExecution(), await storeFailedEvent(ago(1))];
    const both = await Promise.all([letters().redrive(tenantId, ids), letters().redrive(tenantId, ids)]);
    const counts = both.map(unwrap);
    expect(counts.map((c) => c.deliveries).sort()).toEqual([0, 1]);
    expect(counts.map((c) => c.executions).sort()).toEqual([0, 1]);
    expect(counts.map((c) => c.events).sort()).toEqual([0, 1]);
    const third = unwrap(await letters().redrive(tenantId, ids));
    expect(third).toMatchObject({ deliveries: 0, executions: 0, events: 0, expired: [] });
    expect([...third.unknown].sort()).toEqual([...ids].sort());
    expect(await brokenInvariants(db.database)).toEqual([]);
  });

  test('answers which ids are of expired events, and which are no dead letters of the tenant', async () => {
    const expired = await storeDeadDelivery({ keepsEvent: false });
    const undecided = await storeFailedExecution('condition_error', { keepsEvent: false });
    const foreign = await storeDeadDelivery({ tenantId: 'other', workflowId: otherId });
    const unknown = [foreign, randomUUID(), 'nonsense'];
    const redriven = unwrap(await letters().redrive(tenantId, [expired, undecided, ...unknown]));
    expect(redriven).toMatchObject({ deliveries: 0, executions: 0, events: 0 });
    expect([...redriven.expired].sort()).toEqual([expired, undecided].sort());
    expect(redriven.unknown).toEqual(unknown);
    expect(await row('deliveries', foreign)).toMatchObject({ status: 'dead' });
    expect(await row('deliveries', expired)).toMatchObject({ status: 'dead' });
  });

  test('keeps an execution that is redriven with its deliveries pending, and counts them once', async () => {
    const deliveries = [{ status: 'dead' as const, reason: 'timeout', attempts: 1 }];
    const { executionId } = await store({ reason: 'resolver_failed', deliveries });
    expect(unwrap(await letters().redrive(tenantId, { all: true }))).toMatchObject({ deliveries: 1, executions: 1 });
    expect(await row('executions', executionId)).toMatchObject({
      status: 'pending',
      deliveries_open: 1,
      deliveries_failed: 0,
    });
  });

  test('redrives all that fit, in as many batches as it takes, and nothing else', async () => {
    const deliveries = Array.from({ length: 1_200 }, (_, index) => ({
      recipientId: `u${index}`,
      status: 'dead' as const,
      reason: 'timeout',
    }));
    const { executionId } = await store({ deliveries: [] });
    await db.database.pool.query(
      `insert into tocsin.deliveries (id, tenant_id, execution_id, action_id, action_type, recipient_id, status, reason, completed_at)
       select gen_random_uuid(), $1, $2, 'mail', 'email', 'u' || i, 'dead', 'timeout', now() - interval '1 minute'
       from generate_series(1, $3::int) i`,
      [tenantId, executionId, deliveries.length],
    );
    await db.database.pool.query('update tocsin.executions set deliveries_failed = $2 where id = $1', [
      executionId,
      deliveries.length,
    ]);
    const other = await storeDeadDelivery({ workflowId: await makeWorkflow(tenantId, 'Second') });
    const foreign = await storeDeadDelivery({ tenantId: 'other', workflowId: otherId });
    const event = await storeFailedEvent(ago(1));
    expect(unwrap(await letters().redrive(tenantId, { all: true, workflowId, reason: 'timeout' }))).toEqual({
      deliveries: 1_200,
      executions: 0,
      events: 0,
      expired: [],
      unknown: [],
    });
    expect((await listed()).map((letter) => letter.id).sort()).toEqual([other, event].sort());
    expect(await row('executions', executionId)).toMatchObject({ deliveries_open: 1_200, deliveries_failed: 0 });
    expect(unwrap(await letters().redrive(null, { all: true, kind: 'delivery' }))).toMatchObject({ deliveries: 2 });
    expect(await row('deliveries', foreign)).toMatchObject({ status: 'pending' });
    expect((await listed(null)).map((letter) => letter.id)).toEqual([event]);
  });

  test('leaves deliveries of a cancelled execution alone', async () => {
    const id = await storeDeadDelivery({ status: 'cancelled' });
    expect(unwrap(await letters().redrive(tenantId, [id]))).toMatchObject({ deliveries: 0, unknown: [id] });
  });

  test("belongs to the caller's transaction", async () => {
    const id = await storeDeadDelivery();
    const client = await db.database.pool.connect();
    try {
      await client.query('begin');
      unwrap(await letters().redrive(tenantId, [id], { tx: client }));
      await client.query('rollback');
    } finally {
      client.release();
    }
    expect(await row('deliveries', id)).toMatchObject({ status: 'dead' });
  });

  test('puts off what is redriven until a moment to come, and changes nothing else of it', async () => {
    const { executionId, deliveryIds } = await store({
      status: 'partial',
      reason: 'resolver_failed',
      deliveries: [{ recipientId: 'a', status: 'dead', reason: 'timeout', attempts: 3 }],
    });
    const { eventId } = await store({ keepsEvent: true });
    await db.database.pool.query("update tocsin.event_history set failure = 'event_unreadable' where id = $1", [
      eventId,
    ]);
    const id = deliveryIds[0] as string;
    const before = await row('deliveries', id);
    const at = new Date(Math.ceil(Date.now() / 1_000) * 1_000 + 3_600_000);
    expect(unwrap(await letters().redrive(tenantId, [id, executionId, eventId], { at }))).toMatchObject({
      deliveries: 1,
      executions: 1,
      events: 1,
    });
    const after = await row('deliveries', id);
    expect(after).toEqual({
      ...before,
      status: 'pending',
      due_at: at,
      attempts_base: 3,
      lease_token: null,
      completed_at: null,
    });
    expect(await row('executions', executionId)).toMatchObject({ status: 'pending', due_at: at });
    expect(await row('events', eventId)).toMatchObject({ not_before: at });
    expect(unwrap(await letters().redrive(tenantId, [id], { at: new Date(0) }))).toMatchObject({ unknown: [id] });
    expect(await row('deliveries', id)).toEqual(after);
  });

  test('does not put off for longer than events are kept', async () => {
    const id = await storeDeadDelivery();
    for (const at of [new Date(Date.now() + 8 * 86_400_000), new Date(Number.NaN)]) {
      expect(refusal(await letters().redrive(tenantId, [id], { at }))).toMatch(/^invalid: .*next seven days/);
    }
    expect(await row('deliveries', id)).toMatchObject({ status: 'dead' });
  });

  test('refuses a choice that is none', async () => {
    expect(refusal(await letters().redrive(tenantId, []))).toMatch(/^invalid: the choice is not valid/);
    expect(refusal(await letters().redrive(tenantId, { all: true, workflow: 'x' } as never))).toContain(
      'did you mean "workflowId"',
    );
  });
});
