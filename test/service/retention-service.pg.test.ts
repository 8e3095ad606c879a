import { beforeEach, describe, expect, test } from 'vitest';
import { createHandlers } from '../../src/engine/built-in-handlers.ts';
import { unwrap } from '../../src/model/result.ts';
import { DeadLetterService } from '../../src/service/dead-letter-service.ts';
import { type PruneOptions, RetentionService } from '../../src/service/retention-service.ts';
import { WorkflowService } from '../../src/service/workflow-service.ts';
import { dailyTables } from '../../src/store/retention.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { type ExecutionToStore, type StoredExecution, storeExecution } from '../support/stored-execution.ts';
import { useTestDatabase } from '../support/test-database.ts';
import { until } from '../support/until.ts';

const db = useTestDatabase();
const now = new Date('2026-06-20T10:00:00Z');
const dayMs = 86_400_000;
const ago = (days: number) => new Date(now.getTime() - days * dayMs);
const retention = () => new RetentionService({ database: db.database, clock: { now: () => now, elapsedMs: () => 0 } });
const prune = (options: PruneOptions = {}) => retention().prune(options);

let workflowIds: Record<string, string>;

beforeEach(async () => {
  const { pool } = db.database;
  for (const table of [...dailyTables, 'events', 'event_keys', 'tenants', 'notifications']) {
    await pool.query(`delete from tocsin.${table}`);
  }
  const { rows } = await pool.query(
    `select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid where c.relkind = 'r' and c.relname ~ '_20260[56]'`,
  );
  for (const { relname } of rows) await pool.query(`drop table tocsin.${relname}`);
  workflowIds = {};
});

async function workflowOf(tenantId: string): Promise<string> {
  const known = workflowIds[tenantId];
  if (known) return known;
  const workflows = new WorkflowService({ database: db.database, handlers: createHandlers() });
  const name = `w${Math.random()}`;
  const made = await workflows.createWorkflow(tenantId, {
    name,
    status: 'active',
    triggers: [{ entityType: 'order', operation: 'insert' }],
    actions: [{ type: 'webhook', url: 'https://example.com', method: 'POST' }],
  });
  const { id } = unwrap(made);
  workflowIds[tenantId] = id;
  return id;
}

/** Makes the partitions of the day that was so many days ago. */
async function makeDay(days: number): Promise<string> {
  const day = ago(days).toISOString().slice(0, 10);
  const suffix = day.replaceAll('-', '');
  for (const table of dailyTables) {
    await db.database.pool.query(
      `do $$ begin execute format(
         'create table tocsin.${table}_${suffix} partition of tocsin.${table} for values from (%L) to (%L)',
         tocsin.id_at('${day}T00:00:00Z'), tocsin.id_at('${day}T00:00:00Z'::timestamptz + interval '1 day')); end $$`,
    );
  }
  return suffix;
}

/** A finished execution of so many days ago with one delivery and one attempt. */
async function store(tenantId: string, days: number, change: Partial<ExecutionToStore> = {}): Promise<StoredExecution> {
  const workflowId = await workflowOf(tenantId);
  return storeExecution(db.database.pool, {
    tenantId,
    workflowId,
    at: ago(days),
    deliveries: [{ attempts: 1 }],
    ...change,
  });
}

/** How many rows each table has. */
async function counts(): Promise<Record<string, number>> {
  const result: Record<string, number> = {};
  for (const table of dailyTables) {
    const { rows } = await db.database.pool.query(`select count(*)::int as count from tocsin.${table}`);
    result[table] = rows[0].count;
  }
  return result;
}

const each = (count: number) => ({
  delivery_attempts: count,
  deliveries: count,
  executions: count,
  event_history: count,
});
const noRows = { executions: 0, deliveries: 0, deliveryAttempts: 0, eventHistory: 0, eventKeys: 0 };

describe('RetentionService.setRetention', () => {
  test('keeps a number of days per tenant, or gives the default back', async () => {
    expect(unwrap(await retention().getRetention('acme'))).toEqual({ tenantId: 'acme', days: null });
    expect(unwrap(await retention().setRetention('acme', 90))).toEqual({ tenantId: 'acme', days: 90 });
    expect(unwrap(await retention().setRetention('acme', 5))).toEqual({ tenantId: 'acme', days: 5 });
    expect(unwrap(await retention().getRetention('acme'))).toEqual({ tenantId: 'acme', days: 5 });
    expect(unwrap(await retention().setRetention('acme', null))).toEqual({ tenantId: 'acme', days: null });
  });

  test('refuses numbers that are none', async () => {
    for (const days of [0, -1, 1.5, 4_000, Number.NaN]) {
      const result = await retention().setRetention('acme', days);
      expect(result).toMatchObject({ ok: false, error: { code: 'invalid', issues: [{ path: 'days' }] } });
    }
    expect(await retention().setRetention('', 5)).toMatchObject({ ok: false, error: { code: 'invalid' } });
  });
});

describe('RetentionService.prune', () => {
  test('drops whole days that are older than the longest retention, and leaves the others', async () => {
    const suffix = await makeDay(35);
    await makeDay(5);
    await store('acme', 35);
    await store('acme', 5);
    expect(await prune()).toEqual({
      dryRun: false,
      droppedPartitions: dailyTables.map((table) => `${table}_${suffix}`),
      deletedRows: noRows,
      keptPartitions: [],
      postponedPartitions: [],
    });
    expect(await counts()).toEqual(each(1));
    expect((await prune()).droppedPartitions).toEqual([]);
  });

  test('keeps events for fewer days than what was made of them', async () => {
    const suffix = await makeDay(10);
    await store('acme', 10);
    expect((await prune()).droppedPartitions).toEqual([`event_history_${suffix}`]);
    expect(await counts()).toEqual({ ...each(1), event_history: 0 });
  });

  test('deletes what has no partition of its day row by row', async () => {
    await store('acme', 35);
    await store('acme', 5);
    expect((await prune()).deletedRows).toEqual({
      executions: 1,
      deliveries: 1,
      deliveryAttempts: 1,
      eventHistory: 1,
      eventKeys: 0,
    });
    expect(await counts()).toEqual(each(1));
    expect(await brokenInvariants(db.database)).toEqual([]);
  });

  test('deletes row by row for tenants with a shorter retention, their events too, and for nobody else', async () => {
    await makeDay(4);
    unwrap(await retention().setRetention('short', 3));
    await store('short', 4);
    await store('short', 2);
    await store('acme', 4);
    const report = await prune();
    expect(report).toMatchObject({ droppedPartitions: [], deletedRows: { executions: 1, eventHistory: 1 } });
    expect(await counts()).toEqual(each(2));
    const { rows } = await db.database.pool.query('select tenant_id from tocsin.executions order by tenant_id');
    expect(rows.map((row) => row.tenant_id)).toEqual(['acme', 'short']);
  });

  test('keeps days for a tenant with a longer retention, and deletes those of the others row by row', async () => {
    await makeDay(35);
    unwrap(await retention().setRetention('long', 90));
    await store('long', 35);
    await store('acme', 35);
    const report = await prune({ eventDays: 60 });
    expect(report).toMatchObject({ droppedPartitions: [], deletedRows: { executions: 1, eventHistory: 1 } });
    const { rows } = await db.database.pool.query('select tenant_id from tocsin.executions');
    expect(rows).toEqual([{ tenant_id: 'long' }]);
  });

  test('takes as many batches as it needs', async () => {
    const workflowId = await workflowOf('acme');
    await db.database.pool.query(
      `with made as (
         insert into tocsin.executions (id, tenant_id, workflow_id, workflow_version, event_id, status, completed_at)
         select overlay(gen_random_uuid()::text placing left(tocsin.id_at($2)::text, 13) from 1)::uuid, 'acme', $1, 1,
           gen_random_uuid(), 'skipped', $2
         from generate_series(1, 2500)
         returning id
       )
       insert into tocsin.deliveries (id, tenant_id, execution_id, action_id, action_type, status, completed_at)
       select id, 'acme', id, 'a', 'webhook', 'delivered', $2
       from made`,
      [workflowId, ago(35)],
    );
    expect((await prune()).deletedRows).toMatchObject({ executions: 2_500, deliveries: 2_500 });
    expect(await counts()).toEqual(each(0));
  });

  test('keeps a day with open work, and deletes what is finished of it', async () => {
    const suffix = await makeDay(35);
    const open = await store('acme', 35, { status: 'running', deliveries: [{ status: 'pending', attempts: 1 }] });
    const undecided = await store('acme', 35, { status: 'pending', deliveries: [] });
    await store('acme', 35);
    const report = await prune();
    expect(report.droppedPartitions).toEqual([]);
    expect(report.keptPartitions).toEqual(dailyTables.map((table) => `${table}_${suffix}`));
    expect(report.deletedRows).toMatchObject({ executions: 1, deliveries: 1, deliveryAttempts: 1, eventHistory: 1 });
    const { rows } = await db.database.pool.query('select id from tocsin.executions order by id');
    expect(rows.map((row) => row.id)).toEqual([open.executionId, undecided.executionId].sort());
    expect(await counts()).toEqual({ delivery_attempts: 1, deliveries: 1, executions: 2, event_history: 2 });
    expect(await brokenInvariants(db.database)).toEqual([]);
  });

  test('keeps what was matched only now its days, however long its event waited for a worker', async () => {
    const { executionId, eventId } = await store('acme', 35);
    const { pool } = db.database;
    await pool.query('update tocsin.executions set completed_at = $2 where id = $1', [executionId, ago(1)]);
    await pool.query('update tocsin.event_history set processed_at = $2 where id = $1', [eventId, ago(1)]);
    expect((await prune()).deletedRows).toEqual(noRows);
    expect(await counts()).toEqual(each(1));
  });

  test('keeps the events of open executions of a tenant with a short retention', async () => {
    unwrap(await retention().setRetention('short', 1));
    await makeDay(3);
    await store('short', 3, { status: 'running', deliveries: [{ status: 'pending' }] });
    await store('short', 3);
    expect((await prune()).deletedRows).toMatchObject({ executions: 1, eventHistory: 1 });
    expect(await brokenInvariants(db.database)).toEqual([]);
  });

  test('leaves a table that somebody uses to the next run, instead of holding everybody up', async () => {
    const suffix = await makeDay(35);
    await store('acme', 35);
    const client = await db.database.pool.connect();
    try {
      await client.query('begin');
      await client.query('select count(*) from tocsin.executions');
      const report = await prune();
      expect(report.postponedPartitions).toEqual([`executions_${suffix}`]);
      expect(report.droppedPartitions).toHaveLength(3);
      await client.query('rollback');
    } finally {
      client.release();
    }
    // Vacuum may be there by then.
    const dropped: string[] = [];
    await until('the table is dropped', async () => {
      dropped.push(...(await prune()).droppedPartitions);
      return dropped.length > 0;
    });
    expect(dropped).toEqual([`executions_${suffix}`]);
  });

  test('removes idempotency keys after 30 days', async () => {
    await db.database.pool.query(
      `insert into tocsin.event_keys (tenant_id, idempotency_key, event_id, created_at)
       values ('acme', 'old', gen_random_uuid(), $1), ('acme', 'new', gen_random_uuid(), $2)`,
      [ago(31), ago(29)],
    );
    expect((await prune()).deletedRows.eventKeys).toBe(1);
    const { rows } = await db.database.pool.query('select idempotency_key from tocsin.event_keys');
    expect(rows).toEqual([{ idempotency_key: 'new' }]);
  });

  test('counts in a dry run what the run then removes, and removes nothing', async () => {
    await makeDay(35);
    unwrap(await retention().setRetention('short', 3));
    await store('acme', 35);
    await store('acme', 40);
    await store('short', 4);
    await db.database.pool.query(
      `insert into tocsin.event_keys (tenant_id, idempotency_key, event_id, created_at)
       values ('acme', 'old', gen_random_uuid(), $1)`,
      [ago(31)],
    );
    const dry = await prune({ dryRun: true });
    expect(await counts()).toEqual(each(3));
    expect(dry.dryRun).toBe(true);
    expect(dry.deletedRows).toEqual({
      executions: 2,
      deliveries: 2,
      deliveryAttempts: 2,
      eventHistory: 2,
      eventKeys: 1,
    });
    expect(await prune()).toEqual({ ...dry, dryRun: false });
    expect(await counts()).toEqual(each(0));
  });

  test('leaves inboxes, workflows and versions alone', async () => {
    await makeDay(35);
    const { executionId, deliveryIds } = await store('acme', 35);
    await db.database.pool.query(
      `insert into tocsin.notifications (id, tenant_id, user_id, execution_id, title, message, archived_at)
       values ($1, 'acme', 'u', $2, 't', 'm', now())`,
      [deliveryIds[0], executionId],
    );
    await prune();
    const { rows } = await db.database.pool.query(
      `select (select count(*)::int from tocsin.notifications) as notifications,
         (select count(*)::int from tocsin.workflow_versions where tenant_id = 'acme' and workflow_id = $1) as versions`,
      [await workflowOf('acme')],
    );
    expect(rows).toEqual([{ notifications: 1, versions: 1 }]);
  });

  test('takes dead letters along: redriving one whose event is gone says so', async () => {
    await makeDay(10);
    const { deliveryIds } = await store('acme', 10, {
      status: 'failed',
      deliveries: [{ status: 'dead', reason: 'timeout', attempts: 2 }],
    });
    await prune();
    const letters = new DeadLetterService({ database: db.database });
    expect(unwrap(await letters.redrive('acme', deliveryIds)).expired).toEqual(deliveryIds);
  });

  test('can run in several processes at once', async () => {
    const suffix = await makeDay(35);
    await store('acme', 35);
    for (let i = 0; i < 5; i++) await store('acme', 40);
    const reports = await Promise.all([prune(), prune(), prune()]);
    const dropped = new Set(reports.flatMap((report) => report.droppedPartitions));
    expect([...dropped].sort()).toEqual(dailyTables.map((table) => `${table}_${suffix}`).sort());
    expect(reports.reduce((sum, report) => sum + report.deletedRows.executions, 0)).toBe(5);
    expect(await counts()).toEqual(each(0));
  });

  test('refuses numbers of days that would remove everything', async () => {
    await expect(prune({ defaultDays: 0 })).rejects.toThrow('the retention is not valid: defaultDays');
    await expect(prune({ days: 3 } as PruneOptions)).rejects.toThrow('unknown field "days"');
  });
});
