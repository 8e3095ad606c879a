import { describe, expect, test } from 'vitest';
import type { CaptureOptions } from '../../src/capture/capture-options.ts';
import { installCapture } from '../../src/capture/install-capture.ts';
import { verifyCaptures } from '../../src/capture/verify-captures.ts';
import type { WorkflowError } from '../../src/errors.ts';
import { err, unwrap } from '../../src/model/result.ts';
import { captureFunctionName } from '../../src/store/capture-triggers.ts';
import { openDatabase } from '../../src/store/database.ts';
import { loadEntityTypes, upsertEntityType } from '../../src/store/entity-types.ts';
import { useTestDatabase } from '../support/test-database.ts';
import { capture, eventsOf, hostSession } from './host-table.ts';

const db = useTestDatabase();

async function refusal(options: CaptureOptions): Promise<WorkflowError> {
  const result = await installCapture(db.database, options);
  if (result.ok) throw new Error('it was not refused');
  return result.error;
}

describe('installCapture', () => {
  test('answers what it installed', async () => {
    const { run } = await hostSession(db);
    await run('create schema if not exists sales');
    await run(
      'create table sales."Order Lines" (id int, "Line" int, tenant_id text, note text, primary key ("Line", id))',
    );
    const options = { table: 'Sales."Order Lines"', entityType: 'order_line', exclude: ['note'] };
    expect(await capture(db, { ...options, operations: ['delete', 'insert'] })).toEqual({
      id: expect.any(String),
      schemaName: 'sales',
      tableName: 'Order Lines',
      table: 'sales."Order Lines"',
      entityType: 'order_line',
      tenantColumn: 'tenant_id',
      tenant: null,
      excluded: ['note'],
      keyColumns: ['Line', 'id'],
      columns: [
        { name: 'id', type: 'int4' },
        { name: 'Line', type: 'int4' },
        { name: 'tenant_id', type: 'text' },
      ],
      operations: ['insert', 'delete'],
      onlyWhenSubscribed: false,
      installedAt: expect.any(Date),
    });
    await run(`insert into sales."Order Lines" values (1, 2, 't', 'x')`);
    expect(await eventsOf(db, 'order_line')).toHaveLength(1);
  });

  test('registers the entity type with the fields that workflows may read', async () => {
    const { run } = await hostSession(db);
    await run("create domain short as varchar(10); create domain shorter as short; create type state as enum ('a')");
    await run('create type place as (street text)');
    await run(
      `create table everything (id bigint primary key, tenant_id uuid not null, n numeric(10, 2), f float4, b bool, d date,
         t timestamptz, c time, j jsonb, a int[], s shorter not null, e state, p place, r int4range, x bytea, card text)`,
    );
    await capture(db, { table: 'everything', entityType: 'thing', exclude: ['card'] });
    const [thing] = await loadEntityTypes(db.database.orm, ['thing']);
    expect(thing).toMatchObject({
      operations: ['insert', 'update', 'delete'],
      table: { schema: 'public', table: 'everything', tenantColumn: 'tenant_id', tenantConstant: null },
    });
    expect(thing?.fields.map(({ name, type, nullable }) => `${name} ${type}${nullable ? '?' : ''}`)).toEqual([
      ...['id number', 'tenant_id uuid', 'n number?', 'f number?', 'b boolean?', 'd date?', 't timestamp?', 'c time?'],
      ...['j json?', 'a array?', 's text', 'e text?', 'p json?', 'r other?', 'x other?'],
    ]);
  });

  test('keeps what the host said of the entity type beyond the table', async () => {
    const { run } = await hostSession(db);
    await upsertEntityType(db.database.orm, {
      name: 'invoice',
      fields: [
        { name: 'id', type: 'text', nullable: true },
        { name: 'refunded', type: 'number', nullable: true },
      ],
      operations: ['refunded'],
      table: null,
    });
    await run('create table invoices (id int primary key, tenant_id text, gone text)');
    await capture(db, { table: 'invoices', entityType: 'invoice' });
    await run('alter table invoices drop column gone');
    await capture(db, { table: 'invoices', entityType: 'invoice', operations: ['update'] });
    const [invoice] = await loadEntityTypes(db.database.orm, ['invoice']);
    expect(invoice?.operations).toEqual(['update', 'refunded']);
    expect(invoice?.fields.map(({ name, type }) => `${name} ${type}`)).toEqual([
      'id number',
      'tenant_id text',
      'refunded number',
    ]);
  });

  test('installed twice is installed once, and the second time locks nothing', async () => {
    const { run } = await hostSession(db);
    await run('create table twice (id int primary key, tenant_id text)');
    const first = await capture(db, { table: 'twice' });
    await run("begin; insert into twice values (1, 't')");
    const second = await capture(db, { table: 'twice' });
    await run('commit');
    expect(second.id).toBe(first.id);
    expect(await eventsOf(db, 'twice')).toHaveLength(1);
  });

  test('brings an installed capture up to date: operations, columns, tenant, entity type', async () => {
    const { run } = await hostSession(db);
    await run('create table evolving (id int primary key, tenant_id text, a text, b text)');
    await capture(db, { table: 'evolving', entityType: 'before' });
    await capture(db, { table: 'evolving', entityType: 'after', tenant: 'x', exclude: ['a'], operations: ['insert'] });
    await run("insert into evolving values (1, 't', 'a', 'b'); update evolving set b = 'c'; delete from evolving");
    expect(await eventsOf(db, 'before')).toEqual([]);
    expect(await eventsOf(db, 'after')).toMatchObject([{ tenant: 'x', payload: { id: 1, tenant_id: 't', b: 'b' } }]);
    expect(await loadEntityTypes(db.database.orm, ['before'])).toEqual([]);
    const { rows } = await run("select count(*)::int from pg_trigger where tgrelid = 'evolving'::regclass");
    expect(rows[0].count).toBe(1);
    expect(unwrap(await verifyCaptures(db.database, { table: 'evolving' }))).toMatchObject([{ problems: [] }]);
  });

  test('replaces the function of an earlier version, which captured until then, beside open writers', async () => {
    const { run } = await hostSession(db);
    await run('create table older (id int primary key, tenant_id text, a text)');
    await capture(db, { table: 'older' });
    const functionName = captureFunctionName({ schemaName: 'public', tableName: 'older' }, 'update');
    await run(
      `create or replace function tocsin.${functionName}() returns trigger
         language plpgsql
         security definer
         set search_path = pg_catalog, pg_temp
         as $$
         begin
           insert into tocsin.events (tenant_id, source, entity_type, entity_id, operation, payload)
           select tenant_id, 'db', 'older', id::text, 'update', to_json(n) from new_rows n;
           return null;
         end $$`,
    );
    expect(unwrap(await verifyCaptures(db.database, { table: 'older' }))).toMatchObject([
      { problems: [{ code: 'function_changed', subject: functionName }] },
    ]);
    await run("insert into older values (1, 't', 'a')");
    await run("begin; update older set a = 'b'");
    await capture(db, { table: 'older' });
    await run('commit');
    await run("update older set a = 'c'");
    expect(unwrap(await verifyCaptures(db.database, { table: 'older' }))).toMatchObject([{ problems: [] }]);
    expect(await eventsOf(db, 'older')).toMatchObject([
      { operation: 'insert' },
      { payload: { a: 'b' }, changed: null },
      { payload: { a: 'c' }, changed: ['a'] },
    ]);
  });

  test('installed by many processes at once is installed once', async () => {
    const { run } = await hostSession(db);
    await run('create table raced (id int primary key, tenant_id text)');
    const captures = await Promise.all(Array.from({ length: 5 }, () => capture(db, { table: 'raced' })));
    expect(new Set(captures.map(({ id }) => id)).size).toBe(1);
  });

  test('takes over the capture of a table that was renamed', async () => {
    const { run } = await hostSession(db);
    await run('create table early (id int primary key, tenant_id text)');
    await capture(db, { table: 'early', entityType: 'clock' });
    await run('alter table early rename to late');
    await capture(db, { table: 'late', entityType: 'clock' });
    await run("insert into late values (1, 't')");
    expect(await eventsOf(db, 'clock')).toHaveLength(1);
    expect(
      unwrap(await verifyCaptures(db.database)).filter(({ capture: { entityType } }) => entityType === 'clock'),
    ).toMatchObject([{ table: 'public.late', problems: [] }]);
  });

  test('lets go of a table that gave its name to another', async () => {
    const { run } = await hostSession(db);
    await run('create table ledger (id int primary key, tenant_id text)');
    await capture(db, { table: 'ledger' });
    await run('alter table ledger rename to ledger_old; create table ledger (id int primary key, tenant_id text)');
    await capture(db, { table: 'ledger' });
    await run("insert into ledger values (1, 't'); insert into ledger_old values (2, 't')");
    expect((await eventsOf(db, 'ledger')).map(({ id }) => id)).toEqual(['1']);
  });

  test('fails on a busy table after a second, says so and has changed nothing', async () => {
    const { run } = await hostSession(db);
    await run('create table busy (id int primary key, tenant_id text)');
    await run("begin; insert into busy values (1, 't')");
    const started = performance.now();
    expect(await refusal({ table: 'busy', entityType: 'busy', tenantColumn: 'tenant_id' })).toMatchObject({
      code: 'unavailable',
      message: 'busy is busy: its writers kept the lock for a second. Nothing was changed; try again',
    });
    expect(performance.now() - started).toBeLessThan(5_000);
    await run('commit');
    expect(await loadEntityTypes(db.database.orm, ['busy'])).toEqual([]);
    const { rows } = await run("select 1 from pg_proc where proname like 'capture_insert_busy%'");
    expect(rows).toEqual([]);
  });

  test('refuses unknown tables and columns, with what was probably meant', async () => {
    const { run } = await hostSession(db);
    await run('create table customers (id int primary key, tenant_id text, "Credit Card" text)');
    const options = { entityType: 'customer', tenantColumn: 'tenant_id' };
    expect((await refusal({ ...options, table: 'public.custmers' })).message).toBe(
      'there is no table public.custmers: did you mean public.customers?',
    );
    expect((await refusal({ ...options, table: 'custmers' })).message).toContain('did you mean public.customers?');
    expect((await refusal({ ...options, table: 'zzz.yyyyyyyyyyyyyyy' })).message).toContain('create it first');
    expect((await refusal({ ...options, table: 'a b' })).code).toBe('invalid');
    const wrong = await refusal({
      ...options,
      table: 'customers',
      tenantColumn: 'tenantid',
      exclude: ['id', 'credit card'],
    });
    expect(wrong.issues).toMatchObject([
      { path: 'exclude[1]', didYouMean: 'Credit Card' },
      { path: 'tenantColumn', didYouMean: 'tenant_id' },
      { path: 'exclude[0]', message: 'an event is filed under its key and its tenant: it cannot do without' },
    ]);
  });

  test('refuses options that do not fit, each with its place', async () => {
    const { run } = await hostSession(db);
    await run('create table plain (id int primary key, tenant_id text)');
    const table = 'plain';
    const places = async (options: Partial<CaptureOptions>) =>
      (await refusal({ table, entityType: 'plain', ...options })).issues.map(({ path }) => path);
    expect(await places({})).toEqual(['tenantColumn']);
    expect(await places({ tenantColumn: 'tenant_id', tenant: 't' })).toEqual(['tenantColumn']);
    expect(await places({ tenant: '' })).toEqual(['tenant']);
    expect(await places({ tenant: 't', entityType: 'a b' })).toEqual(['entityType']);
    expect(await places({ tenant: 't', operations: [] })).toEqual(['operations']);
    expect(await places({ tenant: 't', operations: ['inserts' as never] })).toEqual(['operations[0]']);
  });

  test('refuses what cannot be captured: views, partitions, our own tables', async () => {
    const { run } = await hostSession(db);
    await run('create table base (id int primary key, tenant_id text) partition by range (id)');
    await run('create table base_1 partition of base default; create view looks as select * from base');
    const message = async (table: string) => (await refusal({ table, entityType: 'x', tenant: 't' })).message;
    expect(await message('looks')).toContain('is a view');
    expect(await message('base_1')).toContain('is a partition');
    expect(await message('tocsin.events')).toContain("is one of Tocsin's own");
  });

  test('refuses an entity type that another table has', async () => {
    const { run } = await hostSession(db);
    await run('create table one (id int primary key); create table two (id int primary key)');
    await capture(db, { table: 'one', entityType: 'number', tenant: 't' });
    expect(await refusal({ table: 'two', entityType: 'number', tenant: 't' })).toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('is captured from public.one already'),
    });
  });

  test('says which right is missing, and that the schema is', async () => {
    const { run } = await hostSession(db);
    await run('create table guarded (id int primary key)');
    await run('drop role if exists guest; create role guest login; grant usage on schema tocsin to guest');
    await run('grant select on all tables in schema tocsin to guest');
    const url = new URL(db.url);
    url.username = 'guest';
    const guest = openDatabase({ databaseUrl: url.toString() });
    const result = await installCapture(guest, { table: 'guarded', entityType: 'guarded', tenant: 't' });
    await guest.close();
    await run('drop owned by guest; drop role guest');
    expect(result).toMatchObject(err({ code: 'not_allowed', message: expect.stringContaining('permission denied') }));

    await run('drop database if exists unmigrated with (force)');
    await run('create database unmigrated');
    url.username = 'postgres';
    url.pathname = '/unmigrated';
    const empty = openDatabase({ databaseUrl: url.toString() });
    const unmigrated = await installCapture(empty, { table: 'guarded', entityType: 'guarded', tenant: 't' });
    await empty.close();
    await run('drop database unmigrated');
    expect(unmigrated).toMatchObject(err({ code: 'not_migrated' }));
  });

  test('with onlyWhenSubscribed writes an event only while a workflow of the tenant listens', async () => {
    const { run } = await hostSession(db);
    await run('create table gated (id int primary key, tenant_id text)');
    await capture(db, { table: 'gated', onlyWhenSubscribed: true });
    const change = async () => {
      await run("insert into gated values (1, 'a'), (2, 'b'); update gated set id = id + 10; delete from gated");
      const events = await eventsOf(db, 'gated');
      await run("delete from tocsin.events where entity_type = 'gated'");
      return events.map(({ operation, tenant }) => `${operation} ${tenant}`);
    };
    expect(await change()).toEqual([]);
    await run(
      `insert into tocsin.subscriptions (entity_type, operation, tenant_id, workflow_id)
       values ('gated', 'update', 'b', gen_random_uuid()), ('gated', 'delete', 'a', gen_random_uuid()), ('other', 'insert', 'a', gen_random_uuid())`,
    );
    expect(await change()).toEqual(['update b', 'delete a']);
  });
});
