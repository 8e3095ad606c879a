import { sql } from 'drizzle-orm';
import type { QueryConfig } from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Orm, openDatabase } from '../../src/store/database.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
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

  test('gives up a connection whose server takes no writes: the next one may lead to another', async () => {
    const database = openDatabase({ databaseUrl: db.url, poolSize: 1 });
    onTestFinished(() => database.close());
    const session = async () => (await database.pool.query('select pg_backend_pid() as pid')).rows[0].pid;
    const before = await session();
    await expect(database.transaction(() => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await session()).toBe(before);
    const write = (tx: Orm) => tx.execute(sql`create table nowhere ()`);
    await expect(database.transaction(write, { begin: 'begin read only' })).rejects.toThrow();
    expect(await session()).not.toBe(before);
  });

  test('gives up a connection that does not answer, without asking it for more', { timeout: 8_000 }, async () => {
    const proxy = await FaultProxy.start(db.url);
    onTestFinished(() => proxy.stop());
    const database = openDatabase({ databaseUrl: proxy.url, poolSize: 1 });
    const unanswered = database.transaction(async (_tx, client) => {
      proxy.hang('both', { onlyExisting: true });
      await client.query({ text: 'select 1', query_timeout: 100 } as QueryConfig);
    });
    await expect(unanswered).rejects.toThrow('timeout');
    expect((await database.pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
    proxy.cut();
    await database.close();
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
