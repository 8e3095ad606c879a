import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FairClaim, FairQueue, type QueueClaims } from '../../src/engine/fair-queue.ts';

type Row = { readonly tenantId: string; readonly n: number };

/** A queue in memory, in the order rows became due; tenants in `idle` have pending rows that are not due. */
function queueOf(rows: readonly Row[], idle: readonly string[] = []) {
  const waiting = [...rows];
  const calls = { inOrder: 0, inTurn: 0, tenants: 0 };
  const take = (isTaken: (row: Row) => boolean, limit: number): Row[] => {
    const taken = waiting.filter(isTaken).slice(0, limit);
    for (const row of taken) waiting.splice(waiting.indexOf(row), 1);
    return taken;
  };
  const claims: QueueClaims<Row> = {
    inOrder: async (limit) => {
      calls.inOrder += 1;
      return take(() => true, limit);
    },
    inTurn: async ({ tenantIds, limits }) => {
      calls.inTurn += 1;
      return tenantIds.flatMap((tenantId, index) => take((row) => row.tenantId === tenantId, limits[index] ?? 0));
    },
    tenantsAfter: async (after, limit) => {
      calls.tenants += 1;
      const tenants = [...new Set([...waiting.map(({ tenantId }) => tenantId), ...idle])].sort();
      return tenants
        .filter((tenantId) => tenantId > after)
        .slice(0, limit)
        .map((tenantId) => ({ tenantId, isDue: !idle.includes(tenantId) }));
    },
  };
  const fair = new FairQueue<Row>({ now: () => 0 });
  return { queue: { claim: (claim: FairClaim) => fair.claim(claim, claims) }, fair, waiting, calls };
}

const rowsOf = (tenantId: string, count: number): Row[] => Array.from({ length: count }, (_, n) => ({ tenantId, n }));
const countOf = (rows: readonly Row[], tenantId: string) => rows.filter((row) => row.tenantId === tenantId).length;

describe('FairQueue', () => {
  test('claims in the order rows became due while claims take what there is', async () => {
    const { queue, calls } = queueOf([...rowsOf('a', 3), ...rowsOf('b', 3)]);
    expect(await queue.claim({ limit: 10 })).toHaveLength(6);
    expect(await queue.claim({ limit: 10 })).toEqual([]);
    expect(calls).toEqual({ inOrder: 2, inTurn: 0, tenants: 0 });
  });

  test('gives others their turn once a tenant fills a claim', async () => {
    const { queue } = queueOf([...rowsOf('big', 1_000), ...rowsOf('small', 3)]);
    await queue.claim({ limit: 20 });
    const second = await queue.claim({ limit: 20 });
    expect(countOf(second, 'small')).toBe(3);
    expect(second).toHaveLength(20);
  });

  test('asks once per claim who else is in line, and nothing of nobody', async () => {
    const { queue, calls } = queueOf(rowsOf('big', 1_000));
    for (let claims = 0; claims < 5; claims++) expect(await queue.claim({ limit: 20 })).toHaveLength(20);
    expect(calls).toEqual({ inOrder: 1, inTurn: 4, tenants: 5 });
  });

  test('knows of whom something is left, once it has looked at all', async () => {
    const { queue, fair, waiting } = queueOf([...rowsOf('big', 40), ...rowsOf('some', 20), ...rowsOf('small', 3)]);
    expect(fair.stillInLine).toBeNull();
    await queue.claim({ limit: 20 });
    expect(fair.stillInLine).toEqual(new Set(['big', 'some', 'small']));
    await queue.claim({ limit: 20 });
    expect(fair.stillInLine).toEqual(new Set(['big', 'some']));
    while (waiting.length > 0) await queue.claim({ limit: 20 });
    await queue.claim({ limit: 20 });
    expect(fair.stillInLine).toEqual(new Set());
  });

  test('goes round all tenants, however many there are and whoever of them has nothing due', async () => {
    const idle = Array.from({ length: 500 }, (_, n) => `idle ${n}`);
    const { queue } = queueOf([...rowsOf('big', 5_000), ...rowsOf('small', 3)], idle);
    let claims = 0;
    let small = 0;
    while (small < 3) {
      const rows = await queue.claim({ limit: 20 });
      // The backlog takes the places that nobody else needs.
      expect(rows).toHaveLength(20);
      small += countOf(rows, 'small');
      claims += 1;
    }
    expect(claims).toBeLessThan(20);
  });

  test('also when rows are claimed one by one nobody waits for a backlog, and it goes on', async () => {
    const { queue, waiting } = queueOf(rowsOf('big', 1_000));
    const claimed: Row[] = [];
    for (let n = 0; n < 100; n++) {
      // Others always have something due.
      waiting.push(...rowsOf('small', 2));
      claimed.push(...(await queue.claim({ limit: 1 })));
    }
    expect(claimed).toHaveLength(100);
    expect(countOf(claimed, 'big')).toBeGreaterThanOrEqual(20);
    expect(countOf(claimed, 'small')).toBeGreaterThanOrEqual(40);
  });

  test('lets no tenant hold more than half of the places while others are there, and all of them when it is alone', async () => {
    const { queue } = queueOf([...rowsOf('big', 1_000), ...rowsOf('small', 1), ...rowsOf('big', 50)]);
    const first = await queue.claim({ limit: 10 });
    expect(countOf(first, 'big')).toBe(10);
    const second = await queue.claim({ limit: 10, held: first });
    expect(countOf(second, 'small')).toBe(1);
    const held = [...rowsOf('big', 6), ...rowsOf('small', 1)];
    const third = await queue.claim({ limit: 13, held });
    expect(countOf(third, 'big')).toBe(4);
    expect(await queue.claim({ limit: 10, held: rowsOf('big', 10) })).toEqual([]);
  });

  test('claims nothing of a tenant that may have no more, and no more than it may have', async () => {
    const { queue } = queueOf([...rowsOf('over', 50), ...rowsOf('other', 2), ...rowsOf('nearly', 50)]);
    const allowed = new Map([
      ['over', 0],
      ['nearly', 3],
    ]);
    const rows: Row[] = [];
    for (let n = 0; n < 5; n++) {
      const claimed = await queue.claim({ limit: 10, allowed });
      allowed.set('nearly', (allowed.get('nearly') ?? 0) - countOf(claimed, 'nearly'));
      rows.push(...claimed);
    }
    expect([countOf(rows, 'over'), countOf(rows, 'other'), countOf(rows, 'nearly')]).toEqual([0, 2, 3]);
  });

  test('claims everything in the end, each row once and never more than asked for', async () => {
    const backlog = fc.record({ tenant: fc.constantFrom('a', 'b', 'c', 'd'), count: fc.integer({ min: 0, max: 40 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(backlog, { maxLength: 8 }),
        fc.integer({ min: 1, max: 12 }),
        async (backlogs, limit) => {
          const rows = backlogs.flatMap(({ tenant, count }) => rowsOf(tenant, count));
          const { queue, waiting } = queueOf(rows);
          const claimed: Row[] = [];
          for (let empty = 0; empty < 3; ) {
            const batch = await queue.claim({ limit });
            expect(batch.length).toBeLessThanOrEqual(limit);
            empty = batch.length === 0 ? empty + 1 : 0;
            claimed.push(...batch);
          }
          expect(waiting).toEqual([]);
          expect(new Set(claimed).size).toBe(rows.length);
        },
      ),
    );
  });
});
