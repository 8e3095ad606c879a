import { randomUUID } from 'node:crypto';
import type pg from 'pg';
import { describe, expect, test } from 'vitest';
import type { Runner } from '../../src/store/connection.ts';
import { ormOf } from '../../src/store/database.ts';
import { type DeadLetterSelection, redriveDeliveries } from '../../src/store/dead-letters.ts';
import { withFixedPlans } from '../../src/store/fixed-plans.ts';
import { renewDeliveryLeases } from '../../src/store/pending-deliveries.ts';
import { type AttemptRecord, recordAttempts } from '../../src/store/record-attempts.ts';
import { type StoredExecution, storeExecution } from '../support/stored-execution.ts';
import { useTestDatabase } from '../support/test-database.ts';
import { until } from '../support/until.ts';

const testDatabase = useTestDatabase();

type Planner = { readonly mode: string; readonly without: readonly string[] };

/** Ways to join that the planner may choose, depending on what it knows of the tables. */
const planners: readonly Planner[] = [
  [],
  ['enable_hashagg'],
  ['enable_hashagg', 'enable_indexscan'],
  ['enable_hashagg', 'enable_seqscan', 'enable_bitmapscan'],
  ['enable_hashagg', 'enable_hashjoin', 'enable_nestloop'],
  ['enable_hashagg', 'enable_hashjoin', 'enable_mergejoin'],
  // As `withFixedPlans`.
  ['enable_seqscan', 'enable_bitmapscan', 'enable_hashjoin', 'enable_mergejoin'],
].flatMap((without) => ['force_generic_plan', 'force_custom_plan'].map((mode) => ({ mode, without })));

const leaseToken = randomUUID();
const anyDeadLetter: DeadLetterSelection = {
  tenantId: 'acme',
  kind: 'delivery',
  workflowId: null,
  reason: null,
  since: null,
  before: null,
  ids: null,
};

describe('recordAttempts', () => {
  test.each(planners)('counts what it records while the executions change, $mode, off: $without', async (planner) => {
    const executions = await storeLeased(3);
    await withClients(planner, async (first, second) => {
      await first.query('begin');
      await recordAttempts(first, recordsOf(executions, 0));
      const recording = recordAttempts(second, recordsOf(executions, 1));
      await isBlocked(second);
      await first.query('commit');
      await recording;
    });
    expect(await countersOf(executions)).toEqual(
      executions.map(() => ({ open: 0, done: 2, failed: 0, status: 'success' })),
    );
  });

  test.each(planners.slice(0, 4))(
    'reopens what is redriven while the executions change, $mode, off: $without',
    async (planner) => {
      const executions = await storeLeased(3);
      await recordAttempts(testDatabase.database.pool, recordsOf(executions, 0, { outcome: 'failed', next: 'dead' }));
      await withClients(planner, async (first, second) => {
        await first.query('begin');
        await recordAttempts(first, recordsOf(executions, 1));
        const redriving = redriveDeliveries(
          ormOf(testDatabase.database, second),
          { ...anyDeadLetter, ids: executions.map(({ deliveryIds }) => deliveryIds[0] as string) },
          { limit: 10, at: null },
        );
        await isBlocked(second);
        await first.query('commit');
        expect(await redriving).toHaveLength(3);
      });
      expect(await countersOf(executions)).toEqual(
        executions.map(() => ({ open: 1, done: 1, failed: 0, status: 'running' })),
      );
    },
  );

  test('reads the deliveries it records and no others, however many wait, also when none did as it was planned', async () => {
    const { pool } = testDatabase.database;
    await pool.query('analyze tocsin.deliveries, tocsin.executions');
    const executions = await storeLeased(150);
    const recorded = executions.slice(0, 20);
    const read = await withFixedPlans(testDatabase.database, async (runner) => {
      const before = await deliveriesRead(runner);
      await recordAttempts(runner, recordsOf(recorded, 0));
      return (await deliveriesRead(runner)) - before;
    });
    expect(read).toBe(recorded.length);
  });
});

describe('renewDeliveryLeases', () => {
  test('waits for no delivery whose outcome is being recorded', async () => {
    const [execution] = (await storeLeased(1)) as [StoredExecution];
    await withClients({ mode: 'auto', without: [] }, async (first, second) => {
      await first.query('begin');
      await recordAttempts(first, recordsOf([execution], 0));
      await renewDeliveryLeases(second, {
        ids: execution.deliveryIds,
        leaseTokens: execution.deliveryIds.map(() => leaseToken),
        leaseMs: 3_600_000,
      });
      await first.query('commit');
    });
    const { rows } = await testDatabase.database.pool.query(
      `select status, due_at > now() + interval '30 minutes' as is_renewed
       from tocsin.deliveries
       where execution_id = $1
       order by status`,
      [execution.executionId],
    );
    expect(rows).toEqual([
      { status: 'delivered', is_renewed: false },
      { status: 'pending', is_renewed: true },
    ]);
  });
});

/** How many rows of deliveries the session has read of late. */
async function deliveriesRead(runner: Runner): Promise<number> {
  const { rows } = await runner.query<{ rows: number }>(
    `select sum(seq_tup_read + idx_tup_fetch)::int as rows
     from pg_stat_xact_user_tables
     where relname like 'deliveries%'`,
  );
  return rows[0]?.rows ?? 0;
}

/** Running executions with two deliveries each, leased. */
async function storeLeased(count: number): Promise<StoredExecution[]> {
  const { pool } = testDatabase.database;
  const executions = [];
  for (let n = 0; n < count; n++) {
    executions.push(
      await storeExecution(pool, {
        tenantId: 'acme',
        workflowId: randomUUID(),
        status: 'running',
        deliveries: ['ann', 'ben'].map((recipientId) => ({ recipientId, status: 'pending' })),
      }),
    );
  }
  await pool.query('update tocsin.deliveries set lease_token = $1, attempts = 1 where id = any($2)', [
    leaseToken,
    executions.flatMap(({ deliveryIds }) => deliveryIds),
  ]);
  return executions;
}

/** One attempt of the same delivery of each. */
function recordsOf(
  executions: readonly StoredExecution[],
  place: number,
  came: Pick<AttemptRecord, 'outcome' | 'next'> = { outcome: 'delivered', next: 'delivered' },
): AttemptRecord[] {
  return executions.map(({ executionId, deliveryIds }) => ({
    deliveryId: deliveryIds[place] as string,
    tenantId: 'acme',
    executionId,
    actionType: 'webhook',
    leaseToken,
    attempt: 1,
    ...came,
    reason: came.outcome === 'delivered' ? null : 'http_status',
    detail: null,
    startedAtMs: Date.now(),
    durationMs: 1,
    delayMs: 0,
    notification: null,
    isOrdered: false,
    bounces: [],
  }));
}

async function withClients(
  { mode, without }: Planner,
  work: (first: pg.PoolClient, second: pg.PoolClient) => Promise<void>,
): Promise<void> {
  const { pool } = testDatabase.database;
  const [first, second] = [await pool.connect(), await pool.connect()];
  try {
    await second.query(`set plan_cache_mode = ${mode}`);
    for (const setting of without) await second.query(`set ${setting} = off`);
    await work(first, second);
  } finally {
    first.release(true);
    second.release(true);
  }
}

async function isBlocked(client: pg.PoolClient): Promise<void> {
  const { processID } = client as unknown as { processID: number };
  await until('a session waits for a lock', async () => {
    const { rows } = await testDatabase.database.pool.query<{ by: number[] }>('select pg_blocking_pids($1) as by', [
      processID,
    ]);
    return rows[0]?.by.length !== 0;
  });
}

async function countersOf(executions: readonly StoredExecution[]): Promise<unknown[]> {
  const { rows } = await testDatabase.database.pool.query(
    `select deliveries_open as open, deliveries_done as done, deliveries_failed as failed, status
     from tocsin.executions
     where id = any($1)`,
    [executions.map(({ executionId }) => executionId)],
  );
  return rows;
}
