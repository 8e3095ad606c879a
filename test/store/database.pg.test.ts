import { sql } from 'drizzle-orm';
import { describe, expect, test } from 'vitest';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();

describe('Database.transaction', () => {
  test('rejects when its connection is cut, and the process and the pool go on', async () => {
    const cut = db.database.transaction(async (tx, client) => {
      const { rows } = await client.query('select pg_backend_pid() as pid');
      await db.database.pool.query('select pg_terminate_backend($1)', [rows[0].pid]);
      await tx.execute(sql`select 1`);
    });
    await expect(cut).rejects.toThrow();
    expect((await db.database.pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  });

  test('rolls back what rejects', async () => {
    await db.database.pool.query('create table things (id int)');
    const failed = db.database.transaction(async (tx) => {
      await tx.execute(sql`insert into things values (1)`);
      throw new Error('no');
    });
    await expect(failed).rejects.toThrow('no');
    expect((await db.database.pool.query('select * from things')).rows).toEqual([]);
  });
});
