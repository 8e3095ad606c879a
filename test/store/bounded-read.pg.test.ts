import { sql } from 'drizzle-orm';
import { describe, expect, test } from 'vitest';
import { ok } from '../../src/model/result.ts';
import { boundedRead, sqlState } from '../../src/store/bounded-read.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();

describe('boundedRead', () => {
  test.each([null, 'acme'])(
    'answers what was read of tenant %s, and a remedy when the time was up',
    async (tenantId) => {
      const bounds = { tenantId, timeoutMs: 50, remedy: 'ask for less' };
      const read = (seconds: number) =>
        boundedRead(db.database, bounds, async (tx) =>
          ok((await tx.execute(sql`select pg_sleep(${seconds})`)).rows.length),
        );
      expect(await read(0)).toEqual(ok(1));
      expect(await read(5)).toMatchObject({
        error: { code: 'timeout', message: 'the search took too long: ask for less' },
      });
    },
  );

  test('leaves other faults and later statements alone', async () => {
    const bounds = { tenantId: 'acme', timeoutMs: 50, remedy: 'ask for less' };
    const failing = boundedRead(db.database, bounds, async (tx) => ok(await tx.execute(sql`select 1 / 0`)));
    await expect(failing).rejects.toSatisfy((error) => sqlState(error) === '22012');
    const { rows } = await db.database.pool.query('show statement_timeout');
    expect(rows).toEqual([{ statement_timeout: '0' }]);
  });
});

describe('sqlState', () => {
  test('is the code of PostgreSQL, however deep it lies', () => {
    const error = Object.assign(new Error('x'), { code: '23505' });
    expect(sqlState(new Error('outer', { cause: new Error('inner', { cause: error }) }))).toBe('23505');
    expect(sqlState(new Error('x'))).toBeUndefined();
    expect(sqlState('x')).toBeUndefined();
  });
});
