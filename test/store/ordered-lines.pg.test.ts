import { randomUUID } from 'node:crypto';
import { beforeEach, describe, expect, test } from 'vitest';
import { cancelExecution } from '../../src/store/cancel-execution.ts';
import type { Runner } from '../../src/store/connection.ts';
import { withFixedPlans } from '../../src/store/fixed-plans.ts';
import { parkBehindOthers } from '../../src/store/ordered-lines.ts';
import { type ClaimedDelivery, claimDeliveries, parkBlockedDeliveries } from '../../src/store/pending-deliveries.ts';
import { type AttemptRecord, recordAttempts } from '../../src/store/record-attempts.ts';
import { type NewDelivery, writePlans } from '../../src/store/write-plan.ts';
import { entriesRead } from '../support/entries-read.ts';
import { useTestDatabase } from '../support/test-database.ts';
import { until } from '../support/until.ts';

const db = useTestDatabase();

beforeEach(async () => {
  await db.database.pool.query('delete from tocsin.deliveries');
});

/** Plans deliveries of a line, as the engine does. */
async function plan(runner: Runner, tenantId: string, positions: readonly number[]): Promise<readonly NewDelivery[]> {
  const { rows } = await runner.query<{ id: string; executionId: string }>(
    'select tocsin.new_id() as id, tocsin.new_id() as "executionId" from generate_series(1, $1::int)',
    [positions.length],
  );
  const planned = positions.map(
    (position, index): NewDelivery => ({
      id: rows[index]?.id ?? '',
      executionId: rows[index]?.executionId ?? '',
      tenantId,
      actionId: 'a',
      actionType: 'webhook',
      recipientId: '',
      recipient: null,
      queue: 'default',
      status: 'pending',
      reason: null,
      place: { key: 'order 1', position: String(position) },
    }),
  );
  const deliveries = await parkBehindOthers(runner, planned);
  await writePlans(runner, { executions: [], deliveries, notifications: [] });
  return planned;
}

/** How long the open ones of a line are put off, seconds, in their order. */
async function waits(tenantId: string): Promise<number[]> {
  const { rows } = await db.database.pool.query<{ wait: number }>(
    `select greatest(0, round(extract(epoch from due_at - now()) / 60) * 60)::int as wait
     from tocsin.deliveries
     where tenant_id = $1 and status = 'pending'
     order by ordering_position`,
    [tenantId],
  );
  return rows.map(({ wait }) => wait);
}

const claim = (limit = 10) =>
  claimDeliveries(db.database.pool, { limit, leaseMs: 600_000, actionTypes: ['webhook'], queues: null });

const delivered = ({ id, tenantId, executionId, leaseToken, attempts }: ClaimedDelivery): AttemptRecord => ({
  deliveryId: id,
  tenantId,
  executionId,
  actionType: 'webhook',
  leaseToken,
  attempt: attempts,
  outcome: 'delivered',
  reason: null,
  detail: null,
  startedAtMs: Date.now(),
  durationMs: 1,
  next: 'delivered',
  delayMs: 0,
  notification: null,
  isOrdered: true,
  bounces: [],
});

const newTenant = () => `t-${randomUUID()}`;

describe('deliveries of a line', () => {
  test('are put off as they are planned: the next ones for a minute, the others for an hour', async () => {
    const tenant = newTenant();
    await plan(db.database.pool, tenant, [1, 2, 3, 4, 5, 6, 7]);
    await plan(db.database.pool, tenant, [8, 9]);
    expect(await waits(tenant)).toEqual([0, 60, 60, 60, 60, 3_600, 3_600, 3_600, 3_600]);
    await plan(db.database.pool, newTenant(), [10]);
    expect((await claim()).map(({ tenantId }) => tenantId)).toHaveLength(2);
  });

  test('each that is closed wakes the next one, and brings one more to those that wait a minute', async () => {
    const tenant = newTenant();
    const planned = await plan(db.database.pool, tenant, [1, 2, 3, 4, 5, 6, 7]);
    for (const { id } of planned.slice(0, 2)) {
      const claimed = await claim();
      expect(claimed.map((delivery) => delivery.id)).toEqual([id]);
      await recordAttempts(db.database.pool, claimed.map(delivered));
    }
    expect(await waits(tenant)).toEqual([0, 60, 60, 60, 60]);
  });

  test('one that is cancelled wakes the next one', async () => {
    const tenant = newTenant();
    const [first] = await plan(db.database.pool, tenant, [1, 2, 3]);
    await db.database.pool.query(
      `insert into tocsin.executions (id, tenant_id, workflow_id, workflow_version, event_id, status, deliveries_open)
       values ($1, $2, gen_random_uuid(), 1, gen_random_uuid(), 'running', 1)`,
      [first?.executionId, tenant],
    );
    await db.database.transaction((orm) => cancelExecution(orm, { tenantId: tenant, id: first?.executionId ?? '' }));
    expect(await waits(tenant)).toEqual([0, 60]);
  });

  test('one that is planned while the one before is being closed does not sleep', async () => {
    const tenant = newTenant();
    await plan(db.database.pool, tenant, [1]);
    const claimed = await claim();
    await db.database.transaction(async (_tx, closing) => {
      await recordAttempts(closing, claimed.map(delivered));
      await plan(db.database.pool, tenant, [2]);
      expect(await waits(tenant)).toContain(0);
    });
    expect(await waits(tenant)).toEqual([0]);
  });

  test('one that is closed while the next is being planned waits for it, and wakes it', async () => {
    const tenant = newTenant();
    await plan(db.database.pool, tenant, [1]);
    const claimed = await claim();
    let recorded: Promise<void> | undefined;
    await db.database.transaction(async (_tx, planning) => {
      await plan(planning, tenant, [2]);
      recorded = recordAttempts(db.database.pool, claimed.map(delivered));
      await until('it waits for the planning', async () => {
        const { rows } = await db.database.pool.query(
          "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        );
        return rows.length > 0;
      });
    });
    await recorded;
    expect(await waits(tenant)).toEqual([0]);
  });

  test('if nobody wakes it, the next one is due within a minute, and one that is blocked then is put off again', async () => {
    const tenant = newTenant();
    await plan(db.database.pool, tenant, [1, 2, 3, 4, 5, 6, 7]);
    // As if the minute were over, and the first one had gone without a word.
    await db.database.pool.query(
      "update tocsin.deliveries set status = 'cancelled', reason = 'x' where tenant_id = $1 and ordering_position = 1",
      [tenant],
    );
    await db.database.pool.query(
      "update tocsin.deliveries set due_at = due_at - interval '61 seconds' where tenant_id = $1 and status = 'pending'",
      [tenant],
    );
    await parkBlockedDeliveries(db.database.pool, { limit: 100 });
    expect((await claim()).map(({ tenantId }) => tenantId)).toEqual([tenant]);
    expect((await waits(tenant)).slice(1)).toEqual([0, 60, 60, 3_540, 3_540]);
  });

  test('one that is woken just while it is put off again does not sleep', async () => {
    const tenant = newTenant();
    const [first] = await plan(db.database.pool, tenant, [1, 2]);
    await db.database.pool.query(
      "update tocsin.deliveries set due_at = now() - interval '1 second' where tenant_id = $1",
      [tenant],
    );
    // Closed and the next one woken after the statement that puts it off began, and before it came to that one.
    const runner = {
      query: async (statement: { name: string }) => {
        const result = await db.database.pool.query(statement as never);
        if (statement.name === 'tocsin_park_deliveries')
          await db.database.pool.query("update tocsin.deliveries set status = 'delivered' where id = $1", [first?.id]);
        return result;
      },
    };
    await parkBlockedDeliveries(runner as unknown as Runner, { limit: 100 });
    expect(await claim()).toHaveLength(1);
  });

  test('one that was tried before sleeps no longer than a minute behind others that are redriven', async () => {
    const tenant = newTenant();
    await plan(db.database.pool, tenant, [1, 2, 3, 4, 5, 6]);
    for (let n = 0; n < 5; n++) {
      const dead = (await claim()).map(
        (delivery) => ({ ...delivered(delivery), outcome: 'failed', next: 'dead' }) as const,
      );
      await recordAttempts(db.database.pool, dead);
    }
    const retried = (await claim()).map(
      (delivery) => ({ ...delivered(delivery), outcome: 'retry', next: 'pending' }) as const,
    );
    await recordAttempts(db.database.pool, retried);
    await db.database.pool.query(
      `update tocsin.deliveries set status = 'pending', due_at = now(), attempts_base = attempts
       where tenant_id = $1 and status = 'dead'`,
      [tenant],
    );
    await parkBlockedDeliveries(db.database.pool, { limit: 100 });
    expect((await waits(tenant)).at(-1)).toBeLessThanOrEqual(60);
  });

  test('a claim reads no more for 20,000 that stand in line than for a few', async () => {
    const tenant = newTenant();
    await plan(
      db.database.pool,
      tenant,
      Array.from({ length: 20_000 }, (_, n) => n),
    );
    await withFixedPlans(db.database, async (runner) => {
      const read = await entriesRead(runner, 'tocsin.deliveries', async () => {
        const claimed = await claimDeliveries(runner, {
          limit: 50,
          leaseMs: 600_000,
          actionTypes: ['webhook'],
          queues: null,
        });
        expect(claimed).toHaveLength(1);
      });
      expect(read).toBeLessThan(100);
    });
  });
});
