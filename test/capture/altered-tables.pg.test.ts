import { describe, expect, test } from 'vitest';
import { useTestDatabase } from '../support/test-database.ts';
import { capture, eventsOf, hostSession } from './host-table.ts';

const db = useTestDatabase();

/** Types a column may have, with two values of each. */
const values: Readonly<Record<string, readonly [string, string]>> = {
  int2: ['1', '2'],
  int4: ['1', '2'],
  int8: ['9007199254740992', '9007199254740993'],
  numeric: ['1.5', 'NaN'],
  float4: ['1', '-Infinity'],
  float8: ['1', '2'],
  money: ['1', '2'],
  bool: ['true', 'false'],
  text: ['a', 'b'],
  varchar: ['a', 'b'],
  'char(3)': ['a', 'b'],
  '"char"': ['a', 'b'],
  name: ['a', 'b'],
  uuid: ['00000000-0000-0000-0000-000000000001', '00000000-0000-0000-0000-000000000002'],
  json: ['{"a":1}', '"\\u0000"'],
  jsonb: ['{"a":1}', '[]'],
  xml: ['<a/>', '<b/>'],
  point: ['(1,2)', '(2,3)'],
  date: ['2026-01-01', 'infinity'],
  time: ['10:00', '11:00'],
  timetz: ['10:00+01', '11:00+01'],
  timestamp: ['2026-01-01', '2026-01-02'],
  timestamptz: ['2026-01-01', '2026-01-02'],
  interval: ['1 day', '2 days'],
  bytea: ['\\x00', '\\x01'],
  'bit(3)': ['101', '111'],
  inet: ['10.0.0.1', '10.0.0.2'],
  oid: ['1', '2'],
  regclass: ['pg_class', 'pg_type'],
  tsvector: ['a', 'b'],
  int4range: ['[1,2)', '[2,3)'],
  'int4[]': ['{1}', '{2}'],
  'text[]': ['{a}', '{b}'],
  mood: ['sad', 'glad'],
  email: ['a@b', 'c@d'],
  address: ['(x,1)', '(y,2)'],
};
const types = Object.keys(values);

describe('a captured table that is altered while a session goes on writing', () => {
  test('never makes a write fail, whatever type its columns get, and sees what changed', {
    timeout: 60_000,
  }, async () => {
    const { run } = await hostSession(db);
    await run(
      `create type mood as enum ('sad', 'glad'); create domain email as text check (value like '%@%');
       create type address as (street text, number int)`,
    );
    await run(
      `create table things (id int primary key, tenant_id text, ${types.map((type, i) => `c${i} ${type}`).join(', ')})`,
    );
    await capture(db, { table: 'things' });
    await run("insert into things (id, tenant_id) values (0, 't'); update things set id = 1");
    for (const [turn, type] of types.entries()) {
      const [before, after] = values[type] as readonly [string, string];
      await run(`alter table things ${types.map((_, i) => `drop column c${i}, add column c${i} ${type}`).join(', ')}`);
      await run(`insert into things values (${turn + 2}, 't', ${types.map(() => `'${before}'`).join(', ')})`);
      await run(`update things set ${types.map((_, i) => `c${i} = '${after}'`).join(', ')} where id = ${turn + 2}`);
      const events = await eventsOf(db, 'things');
      expect(events.at(-1), type).toMatchObject({
        id: String(turn + 2),
        operation: 'update',
        changed: types.map((_, i) => `c${i}`),
      });
    }
  });

  test('goes on after the tenant column is renamed: without a tenant, until it is installed again', async () => {
    const { run } = await hostSession(db);
    await run('create table accounts (id int primary key, tenant_id text, name text)');
    await capture(db, { table: 'accounts' });
    await run("insert into accounts values (1, 't', 'a'); update accounts set name = 'b'");
    await run('alter table accounts rename tenant_id to owner');
    await run(
      "insert into accounts values (2, 't', 'a'); update accounts set name = 'c'; delete from accounts where id = 1",
    );
    const after = (await eventsOf(db, 'accounts')).slice(2);
    expect(after.map(({ tenant, operation }) => [tenant, operation])).toEqual([
      ['', 'insert'],
      ['', 'update'],
      ['', 'update'],
      ['', 'delete'],
    ]);
    expect(after[0]?.payload).toEqual({ id: 2, owner: 't', name: 'a' });
    await capture(db, { table: 'accounts', tenantColumn: 'owner' });
    await run("insert into accounts values (3, 't', 'a')");
    expect((await eventsOf(db, 'accounts')).at(-1)?.tenant).toBe('t');
  });

  test('goes on after a key column is dropped: without that part of the key', async () => {
    const { run } = await hostSession(db);
    await run('create table lines (dead int, order_id int, line int, tenant_id text, primary key (order_id, line))');
    await run('alter table lines drop column dead');
    await capture(db, { table: 'lines' });
    await run("insert into lines values (1, 2, 't'); update lines set line = 3");
    await run('alter table lines drop column order_id');
    await run("insert into lines values (4, 't'); update lines set line = 5 where line = 4; delete from lines");
    expect((await eventsOf(db, 'lines')).map(({ id }) => id)).toEqual([
      ...['[1, 2]', '[1, 3]', '[null, 4]', '[null, 5]'],
      ...['[null, 3]', '[null, 5]'],
    ]);
  });

  test('carries columns added later in the rows, also when nothing else changed', async () => {
    const { run } = await hostSession(db);
    await run('create table users (id int primary key, tenant_id text, amount numeric)');
    await capture(db, { table: 'users' });
    await run("insert into users values (1, 't', 1.0); update users set amount = 2");
    await run('alter table users add column nick text');
    await run("update users set nick = 'x'; update users set nick = 'x'; update users set amount = 2.0");
    const updates = (await eventsOf(db, 'users')).slice(2);
    expect(updates).toHaveLength(1);
    expect(updates[0]).toMatchObject({ changed: [], previous: { nick: null }, payload: { nick: 'x' } });
    await capture(db, { table: 'users' });
    await run("update users set nick = 'y'");
    expect((await eventsOf(db, 'users')).at(-1)?.changed).toEqual(['nick']);
  });

  test('never shows a column added to, or renamed on, a table with excluded columns before it is installed again', async () => {
    const { run } = await hostSession(db);
    await run('create table patients (id int primary key, tenant_id text, name text, diagnosis text)');
    await capture(db, { table: 'patients', exclude: ['diagnosis'] });
    await run("insert into patients values (1, 't', 'Ann', 'secret')");
    await run('alter table patients rename diagnosis to finding');
    await run("alter table patients add column history text default 'secret'");
    await run(
      "insert into patients values (2, 't', 'Bob', 'secret'); update patients set name = 'Cid', finding = 'secret 2'",
    );
    const events = await eventsOf(db, 'patients');
    expect(events).toHaveLength(4);
    expect(JSON.stringify(events)).not.toContain('secret');
  });

  test('goes on after every column but one is dropped', async () => {
    const { run } = await hostSession(db);
    await run('create table shrinking (id int primary key, tenant_id text, a text, b text)');
    await capture(db, { table: 'shrinking' });
    await run("insert into shrinking values (1, 't', 'a', 'b')");
    await run('alter table shrinking drop column id, drop column tenant_id, drop column a');
    await run("insert into shrinking values ('c'); update shrinking set b = 'd'; delete from shrinking");
    const events = await eventsOf(db, 'shrinking');
    expect(events.slice(1).map(({ operation, changed }) => [operation, changed])).toEqual([
      ['insert', null],
      ['update', ['b']],
      ['update', ['b']],
      ['delete', null],
      ['delete', null],
    ]);
  });

  test('goes on after the table is renamed and moved to another schema', async () => {
    const { run } = await hostSession(db);
    await run('create schema archive; create table old_name (id int primary key, tenant_id text)');
    await capture(db, { table: 'old_name' });
    await run("insert into old_name values (1, 't')");
    await run('alter table old_name rename to new_name; alter table new_name set schema archive');
    await run("insert into archive.new_name values (2, 't'); update archive.new_name set id = 3 where id = 2");
    expect((await eventsOf(db, 'old_name')).map(({ id }) => id)).toEqual(['1', '2', '3']);
  });

  test.each([{ exclude: [] as string[] }, { exclude: ['note'] }])(
    'goes on after a column is replaced by a generated one, which PostgreSQL 18 computes only when it is read (excluded: $exclude)',
    async ({ exclude }) => {
      const { run } = await hostSession(db);
      const { rows } = await run("select current_setting('server_version_num')::int >= 180000 as virtual");
      const table = `baskets_${exclude.length}`;
      await run(`create table ${table} (id int primary key, tenant_id text, price numeric, total numeric, note text)`);
      await capture(db, { table, entityType: table, exclude });
      await run(`insert into ${table} values (1, 't', 2, 3); update ${table} set price = 3`);
      const total = `numeric generated always as (price * 2) ${rows[0].virtual ? 'virtual' : 'stored'}`;
      await run(`alter table ${table} drop column total, add column total ${total}`);
      await run(`insert into ${table} values (2, 't', 2)`);
      await run(`update ${table} set price = 4 where id = 2; delete from ${table} where id = 1`);
      const events = (await eventsOf(db, table)).slice(2);
      expect(events.map(({ id, tenant, operation }) => `${operation} ${tenant} ${id}`)).toEqual([
        'insert t 2',
        'update t 2',
        'delete t 1',
      ]);
      if (exclude.length === 0) expect(events[1]).toMatchObject({ payload: { price: 4 }, previous: { price: 2 } });
      await capture(db, { table, entityType: table, exclude });
      await run(`update ${table} set price = 5 where id = 2`);
      expect((await eventsOf(db, table)).at(-1)?.changed).toContain('price');
    },
  );
});
