import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { LeasedWork } from '../../src/engine/leased-work.ts';
import { QuotaBook } from '../../src/engine/quota-book.ts';
import { unlimited } from '../../src/model/quota.ts';
import { withFixedPlans } from '../../src/store/fixed-plans.ts';
import { claimDeliveries, claimDeliveriesInTurn } from '../../src/store/pending-deliveries.ts';
import { claimExecutions } from '../../src/store/pending-executions.ts';
import { type Queue, readFirstDue, tenantsInLine } from '../../src/store/tenants-in-line.ts';
import { entriesRead } from '../support/entries-read.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();
const sql = (text: string, values: unknown[] = []) => db.database.pool.query(text, values);

/** Adds pending rows that were due so many seconds ago. */
async function add(
  queue: Queue,
  { tenantId, count, secondsAgo }: { tenantId: string; count: number; secondsAgo: number },
) {
  const given = [count, tenantId, secondsAgo];
  const dueAt = "now() - $3::int * interval '1 second'";
  if (queue === 'executions') {
    await sql(
      `insert into tocsin.executions (id, tenant_id, workflow_id, workflow_version, event_id, status, due_at)
       select tocsin.new_id(), $2, gen_random_uuid(), 1, gen_random_uuid(), 'pending', ${dueAt} from generate_series(1, $1::int)`,
      given,
    );
  } else {
    await sql(
      `insert into tocsin.deliveries (id, tenant_id, execution_id, action_id, action_type, status, due_at)
       select tocsin.new_id(), $2, gen_random_uuid(), 'a', 'webhook', 'pending', ${dueAt} from generate_series(1, $1::int)`,
      given,
    );
  }
}

/** 5,000 rows that were due and are done, and dead entries of theirs in every index, as long as the test runs. */
async function leaveDeadRows(queue: Queue): Promise<void> {
  await sql('delete from tocsin.deliveries');
  await sql('delete from tocsin.executions');
  await add(queue, { tenantId: 'acme', count: 5_000, secondsAgo: 600 });
  const forgotten = await db.database.pool.connect();
  await forgotten.query('begin isolation level repeatable read');
  await forgotten.query('select 1');
  onTestFinished(async () => {
    await forgotten.query('rollback');
    forgotten.release();
  });
  await sql(`update tocsin.${queue} set status = '${queue === 'executions' ? 'success' : 'delivered'}'`);
}

const served = { leaseMs: 600_000, actionTypes: ['webhook'], queues: null };
const acme = { tenantIds: ['acme'], limits: [10], fresh: { limit: 5, without: ['acme'] } };

describe.each(['deliveries', 'executions'] as const)(
  'claims of %s behind dead rows that an old snapshot keeps',
  (queue) => {
    test('read none of them when they begin at the first row that is due', async () => {
      await leaveDeadRows(queue);
      await add(queue, { tenantId: 'acme', count: 10, secondsAgo: 10 });
      await withFixedPlans(db.database, async (runner) => {
        const { first, now } = await readFirstDue(runner, { queue, dueAfter: 0n });
        const dueAfter = (first ?? 0n) - 1n;
        expect(Number(now - (first ?? 0n)) / 1e6).toBeCloseTo(10, -1);
        const table = `tocsin.${queue}`;
        const looks = [
          () => readFirstDue(runner, { queue, dueAfter }),
          () =>
            queue === 'deliveries'
              ? claimDeliveriesInTurn(runner, { ...served, dueAfter, turn: acme })
              : claimExecutions(runner, { leaseMs: 1_000, dueAfter, limit: 5 }),
          () =>
            queue === 'deliveries'
              ? claimDeliveries(runner, { ...served, dueAfter, limit: 10 })
              : claimExecutions(runner, { leaseMs: 1_000, dueAfter, limit: 10 }),
        ];
        for (const look of looks) expect(await entriesRead(runner, table, look)).toBeLessThan(200);
        const line = await tenantsInLine(runner, { queue, after: '', dueAfter, limit: 5 });
        expect(line.map(({ tenantId }) => tenantId)).toEqual(['acme']);
      });
    });
  },
);

describe('LeasedWork', () => {
  test('claims what becomes visible below where its claims begin, while looks from the start are costly', async () => {
    await leaveDeadRows('deliveries');
    await add('deliveries', { tenantId: 'acme', count: 1, secondsAgo: -3_600 });
    const work = new LeasedWork({
      database: db.database,
      quotas: new QuotaBook(db.database.pool, unlimited),
      leaseMs: 600_000,
      usageWindowMs: 60_000,
      definitions: { left: [], version: async () => null },
      costlyLookMs: 0,
    });
    const claim = () => work.claimDeliveries({ limit: 10, queues: null, actionTypes: ['webhook'], held: [] });
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => {
      vi.useRealTimers();
    });
    for (let look = 0; look < 3; look++) {
      expect(await claim()).toEqual([]);
      vi.advanceTimersByTime(6_000);
    }
    expect(await claim()).toEqual([]);
    await add('deliveries', { tenantId: 'late', count: 1, secondsAgo: 60 });
    expect(await claim()).toEqual([]);
    vi.advanceTimersByTime(60_000);
    expect((await claim()).map(({ tenantId }) => tenantId)).toEqual(['late']);
  });
});
