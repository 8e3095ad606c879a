import { randomUUID } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { useTestDatabase } from '../support/test-database.ts';
import { capture, eventsOf, hostSession } from './host-table.ts';

const db = useTestDatabase();

describe('a captured table', () => {
  test('stores an insert with the row, its tenant and key, and nothing of a transaction that is rolled back', async () => {
    const { run } = await hostSession(db);
    await run('create table orders (id bigint primary key, tenant_id uuid, total numeric, note text)');
    await capture(db, { table: 'orders' });
    const tenant = randomUUID();
    await run('insert into orders values (9007199254740993, $1, 10.50, null)', [tenant]);
    await run('begin; insert into orders values (2, null, 1, null); rollback');
    const [event, ...others] = await eventsOf(db, 'orders');
    expect(others).toEqual([]);
    expect(event).toMatchObject({ tenant, id: '9007199254740993', operation: 'insert', previous: null, changed: null });
    const { rows } = await run('select payload::text as text from tocsin.events');
    expect(rows[0].text).toBe(`{"id":9007199254740993,"tenant_id":"${tenant}","total":10.50,"note":null}`);
  });

  test('stores an update with both rows and the names of the columns that differ', async () => {
    const { run } = await hostSession(db);
    await run('create table invoices (id int primary key, tenant_id text, total numeric, note text)');
    await capture(db, { table: 'invoices' });
    await run("insert into invoices values (1, 't', 10, null), (2, 't', 20, 'x')");
    await run(
      "update invoices set total = total + 1, note = null where id = 2; update invoices set note = 'n' where id = 1",
    );
    const updates = (await eventsOf(db, 'invoices')).filter(({ operation }) => operation === 'update');
    expect(updates).toEqual([
      {
        tenant: 't',
        id: '2',
        operation: 'update',
        payload: { id: 2, tenant_id: 't', total: 21, note: null },
        previous: { id: 2, tenant_id: 't', total: 20, note: 'x' },
        changed: ['total', 'note'],
        actor: null,
        trace: null,
      },
      expect.objectContaining({ id: '1', changed: ['note'] }),
    ]);
  });

  test('shows a tenant that takes a row over nothing of the tenant that had it', async () => {
    const { run } = await hostSession(db);
    await run('create table leads (id int primary key, tenant_id text, secret text)');
    await capture(db, { table: 'leads' });
    await run("insert into leads values (1, 'seller', 'ours'); update leads set tenant_id = 'buyer', secret = 'new'");
    await run("update leads set secret = 'newer'");
    const [, moved, kept] = await eventsOf(db, 'leads');
    expect(moved).toMatchObject({ tenant: 'buyer', previous: null, changed: ['tenant_id', 'secret'] });
    expect(kept).toMatchObject({ tenant: 'buyer', previous: { secret: 'new' } });
  });

  test('stores a delete with the row as it last was', async () => {
    const { run } = await hostSession(db);
    await run('create table coupons (id int primary key, tenant_id text, code text)');
    await capture(db, { table: 'coupons' });
    await run("insert into coupons values (1, 't', 'a'), (2, 't', 'b'); delete from coupons where id = 2");
    expect((await eventsOf(db, 'coupons')).at(-1)).toMatchObject({
      tenant: 't',
      id: '2',
      operation: 'delete',
      payload: null,
      previous: { id: 2, tenant_id: 't', code: 'b' },
      changed: null,
    });
  });

  test('stores nothing for an update that changes nothing, also where equality is coarser than the bytes', async () => {
    const { run } = await hostSession(db);
    await run(
      `create table prices (id int primary key, tenant_id text, amount numeric, ratio float8, waits interval, code char(5), data jsonb)`,
    );
    await capture(db, { table: 'prices' });
    await run(`insert into prices values (1, 't', 1.0, 0, '1 day', 'a', '{"a": 1.0}')`);
    await run(`update prices set amount = 1.00, ratio = '-0', waits = '24 hours', code = 'a  ', data = '{"a":1.00}'`);
    await run('update prices set id = id; update prices set id = 7 where false');
    expect(await eventsOf(db, 'prices')).toHaveLength(1);
  });

  test('tells null from a value and compares types that have no equality', async () => {
    const { run } = await hostSession(db);
    await run(
      'create table shapes (id int primary key, tenant_id text, doc json, place point, markup xml, tags text[])',
    );
    await capture(db, { table: 'shapes' });
    await run(`insert into shapes values (1, 't', '{"a":1}', '(1,2)', '<a/>', '{a}')`);
    await run(`update shapes set doc = '{"a":1}', place = '(1,2)', tags = '{a}'`);
    await run(`update shapes set doc = '{"a": 1}', place = null, markup = '<b/>', tags = '{a,b}'`);
    const updates = (await eventsOf(db, 'shapes')).filter(({ operation }) => operation === 'update');
    expect(updates.map(({ changed }) => changed)).toEqual([['doc', 'place', 'markup', 'tags']]);
  });

  test.each([
    ['an escaped NUL in json', `'"\\u0000"'::json`],
    ['half of a surrogate pair in json', `'"\\ud800"'::json`],
    ['a number that no double holds', `'1e400'::json`],
    ['deep nesting', `(repeat('[', 5000) || repeat(']', 5000))::json`],
    ['a megabyte of text', `to_json(repeat('x', 1000000))`],
  ])('never makes a write fail: %s', async (_what, value) => {
    const { run } = await hostSession(db);
    const table = `odd_${randomUUID().replaceAll('-', '')}`;
    await run(`create table ${table} (id int primary key, tenant_id text, doc json)`);
    await capture(db, { table, entityType: table });
    await run(`insert into ${table} values (1, 't', ${value}), (2, 't', null)`);
    await run(`update ${table} set doc = ${value} where id = 2`);
    await run(`delete from ${table}`);
    const { rows } = await run(
      `select operation, length(coalesce(payload, previous)::text) as size from tocsin.events where entity_type = $1 order by position`,
      [table],
    );
    expect(rows.map(({ operation }) => operation)).toEqual(['insert', 'insert', 'update', 'delete', 'delete']);
    expect(rows[3].size).toBeGreaterThan(30);
  });

  test('stores NaN, infinity and other values that JSON has no words for', async () => {
    const { run } = await hostSession(db);
    await run(
      'create table oddities (id int primary key, tenant_id text, n numeric, f float8, d date, b bytea, r int4range)',
    );
    await capture(db, { table: 'oddities' });
    await run(`insert into oddities values (1, 't', 'NaN', '-Infinity', 'infinity', '\\x00ff', '[1,5)')`);
    const [event] = await eventsOf(db, 'oddities');
    expect(event?.payload).toEqual({
      id: 1,
      tenant_id: 't',
      n: 'NaN',
      f: '-Infinity',
      d: 'infinity',
      b: '\\x00ff',
      r: '[1,5)',
    });
  });

  test('stores a row above 16 MiB as its key and tenant', async () => {
    const { run } = await hostSession(db);
    await run('create table files (id int primary key, tenant_id text, content bytea)');
    await capture(db, { table: 'files' });
    await run(`insert into files values (1, 't', convert_to(repeat('x', 17 * 1024 * 1024), 'UTF8'))`);
    await run(`update files set content = 'small'`);
    const [inserted, updated] = await eventsOf(db, 'files');
    expect(inserted).toMatchObject({ tenant: 't', id: '1', payload: { id: 1, tenant_id: 't' } });
    expect(updated).toMatchObject({
      changed: ['content'],
      previous: { id: 1, tenant_id: 't' },
      payload: { id: 1, tenant_id: 't', content: '\\x736d616c6c' },
    });
    expect(Object.keys(inserted?.payload ?? {})).toEqual(['id', 'tenant_id']);
  });

  test('gives a row without a tenant the empty tenant', async () => {
    const { run } = await hostSession(db);
    await run('create table strays (id int primary key, tenant_id text)');
    await capture(db, { table: 'strays' });
    await run(
      "insert into strays values (1, null); update strays set tenant_id = 't'; update strays set tenant_id = null",
    );
    expect((await eventsOf(db, 'strays')).map(({ tenant }) => tenant)).toEqual(['', 't', '']);
  });

  test('gives every row the constant tenant, quotes and all', async () => {
    const { run } = await hostSession(db);
    await run('create table settings (id int primary key, value text)');
    const tenant = `o'hara\\'$$ "x"`;
    await capture(db, { table: 'settings', tenant });
    await run("insert into settings values (1, 'a'); update settings set value = 'b'; delete from settings");
    expect((await eventsOf(db, 'settings')).map((event) => event.tenant)).toEqual([tenant, tenant, tenant]);
  });

  test.each([
    { key: 'primary key (id)', ids: ['1', '2'] },
    { key: 'primary key (code, id)', ids: ['["a", 1]', '["b\\"", 2]'] },
    { key: 'check (true)', ids: ['', ''] },
  ])('names the record by its key: $key', async ({ key, ids }) => {
    const { run } = await hostSession(db);
    const table = `keys_${randomUUID().replaceAll('-', '')}`;
    await run(`create table ${table} (tenant_id text, id bigint, code text, ${key})`);
    await capture(db, { table, entityType: table });
    await run(`insert into ${table} values ('t', 1, 'a'), ('t', 2, 'b"')`);
    expect((await eventsOf(db, table)).map(({ id }) => id)).toEqual(ids);
  });

  test('takes actor and trace context from the session, and forgets them with the transaction', async () => {
    const { run } = await hostSession(db);
    await run('create table notes (id int primary key, tenant_id text)');
    await capture(db, { table: 'notes' });
    await run("insert into notes values (1, 't')");
    await run('begin');
    await run(
      "select set_config('tocsin.actor', 'ann', true), set_config('tocsin.trace_context', '00-ab-cd-01', true)",
    );
    await run("insert into notes values (2, 't')");
    await run('commit');
    await run("insert into notes values (3, 't')");
    // A worker holds those of a whole batch.
    for (const setting of ['actor', 'trace_context'])
      await run(`select set_config('tocsin.${setting}', repeat('ü', 1000000), false)`);
    await run("insert into notes values (4, 't')");
    expect((await eventsOf(db, 'notes')).map(({ actor, trace }) => [actor, trace])).toEqual([
      [null, null],
      ['ann', '00-ab-cd-01'],
      [null, null],
      ['ü'.repeat(255), 'ü'.repeat(255)],
    ]);
  });

  test('leaves out excluded columns, and a change of nothing else', async () => {
    const { run } = await hostSession(db);
    await run('create table cards (id int primary key, number text, tenant_id text, name text)');
    await capture(db, { table: 'cards', exclude: ['number'] });
    await run("insert into cards values (1, '4111', 't', 'Ann')");
    await run("update cards set number = '4222'");
    await run("update cards set number = '4333', name = 'Bob'");
    await run('delete from cards');
    const events = await eventsOf(db, 'cards');
    expect(events.map(({ operation, changed }) => [operation, changed])).toEqual([
      ['insert', null],
      ['update', ['name']],
      ['delete', null],
    ]);
    expect(JSON.stringify(events)).not.toMatch(/number|4\d{3}/);
    expect(events[1]?.payload).toEqual({ id: 1, tenant_id: 't', name: 'Bob' });
    expect(events[1]?.previous).toEqual({ id: 1, tenant_id: 't', name: 'Ann' });
  });

  test('captures only the operations asked for', async () => {
    const { run } = await hostSession(db);
    await run('create table logs (id int primary key, tenant_id text)');
    await capture(db, { table: 'logs', operations: ['delete'] });
    await run("insert into logs values (1, 't'); update logs set id = 2; delete from logs");
    expect((await eventsOf(db, 'logs')).map(({ operation }) => operation)).toEqual(['delete']);
  });

  test('works with columns whose names are words of SQL, of plpgsql or of our own statements', async () => {
    const { run } = await hostSession(db);
    const names = [
      ...['id', 'tenant_id', 'n', 'o', 'row', 'ordinal', 'known', 'missing', 'present', 'captured', 'nothing', 'whole'],
      ...[
        'changed',
        'names',
        'c0',
        'c1',
        's',
        'new_rows',
        'old_rows',
        'found',
        'new',
        'old',
        'tg_op',
        'tg_relid',
        'select',
      ],
      ...[
        'user',
        'Order',
        'we"ird',
        "it's",
        'back\\slash',
        '$1',
        '$$',
        'ü',
        'x'.repeat(63),
        'json',
        'tocsin',
        'events',
        'r',
        'k',
      ],
    ];
    const quote = (name: string) => `"${name.replaceAll('"', '""')}"`;
    const columns = names.slice(2).map((name) => `${quote(name)} text`);
    for (const exclude of [[], ['user']]) {
      const table = `words_${exclude.length}`;
      await run(`create table ${table} (id int primary key, tenant_id text, ${columns.join(', ')})`);
      await capture(db, { table, entityType: table, exclude });
      await run(
        `insert into ${table} values (1, 't', ${names
          .slice(2)
          .map(() => `'a'`)
          .join(', ')})`,
      );
      await run(
        `update ${table} set ${names
          .slice(2)
          .map((name) => `${quote(name)} = 'b'`)
          .join(', ')}`,
      );
      for (const name of names.slice(2))
        await run(`alter table ${table} rename ${quote(name)} to ${quote(`${name.slice(0, 60)}_2`)}`);
      await run(`update ${table} set id = 2`);
      const kept = names.filter((name) => !exclude.includes(name));
      const events = await eventsOf(db, table);
      expect(events.map(({ id, tenant }) => [id, tenant])).toEqual([
        ['1', 't'],
        ['1', 't'],
        ['2', 't'],
      ]);
      expect(Object.keys(events[0]?.payload ?? {}).toSorted()).toEqual(kept.toSorted());
      expect(events[1]?.changed).toEqual(kept.slice(2));
    }
  });
});
