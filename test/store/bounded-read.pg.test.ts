import { sql } from 'drizzle-orm';
import { describe, expect, test } from 'vitest';
import { boundedRead, sqlState } from '../../src/store/bounded-read.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();

describe('boundedRead', () => {
  test('answers what was read, and null when the time was up', async () => {
    const read = (seconds: number) =>
      boundedRead(db.database, 50, async (tx) => (await tx.execute(sql`select pg_sleep(${seconds})`)).rows.length);
    expect(await read(0)).toBe(1);
    expect(await read(5)).toBeNull();
  });

  test('leaves other faults and later statements alone', async () => {
    const failing = boundedRead(db.database, 50, (tx) => tx.execute(sql`select 1 / 0`));
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
