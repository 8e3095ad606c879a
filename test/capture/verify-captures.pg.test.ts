import { describe, expect, test } from 'vitest';
import { captureProblem, captureProblems } from '../../src/capture/capture-problem.ts';
import { verifyCaptures } from '../../src/capture/verify-captures.ts';
import { err, unwrap } from '../../src/model/result.ts';
import { captureFunctionName } from '../../src/store/capture-triggers.ts';
import { useTestDatabase } from '../support/test-database.ts';
import { capture, hostSession } from './host-table.ts';

const db = useTestDatabase();

async function problems(table: string): Promise<string[]> {
  const [report] = unwrap(await verifyCaptures(db.database, { table }));
  return (report?.problems ?? []).map(({ code, subject }) => `${code} ${subject}`);
}

/** A table with capture, on which nothing is wrong. */
async function healthy(table: string, definition = 'id int primary key, tenant_id text, n int, note text') {
  const { run } = await hostSession(db);
  await run(`create table ${table} (${definition})`);
  await capture(db, { table, entityType: table });
  expect(await problems(table)).toEqual([]);
  return { run, functionName: captureFunctionName({ schemaName: 'public', tableName: table }, 'update') };
}

describe('verifyCaptures', () => {
  test('reports every capture, and one by its name', async () => {
    await healthy('alpha');
    await healthy('beta');
    const reports = unwrap(await verifyCaptures(db.database));
    expect(reports.map(({ table }) => table)).toEqual(expect.arrayContaining(['public.alpha', 'public.beta']));
    expect(unwrap(await verifyCaptures(db.database, { table: 'PUBLIC.beta' }))).toMatchObject([
      { table: 'public.beta' },
    ]);
    expect(await verifyCaptures(db.database, { table: 'public.alpa' })).toMatchObject(
      err({ code: 'not_found', message: 'public.alpa is not captured: did you mean public.alpha?' }),
    );
  });

  test('says which of two tables of one name it could be', async () => {
    const { run } = await healthy('ambiguous');
    await run('create schema elsewhere; create table elsewhere.ambiguous (id int primary key, tenant_id text)');
    await capture(db, { table: 'elsewhere.ambiguous', entityType: 'another' });
    expect(await verifyCaptures(db.database, { table: 'ambiguous' })).toMatchObject(
      err({ message: 'ambiguous may be elsewhere.ambiguous or public.ambiguous: write its schema' }),
    );
  });

  test('finds a table that is gone, and one that was renamed', async () => {
    const { run } = await healthy('gone');
    await run('drop table gone');
    expect(await problems('gone')).toEqual(['table_missing public.gone']);
    await healthy('walks');
    await run('alter table walks rename to "Runs"');
    expect(await problems('walks')).toEqual(['table_renamed public."Runs"']);
  });

  test('finds triggers that are gone, disabled or not as made, and installing again repairs them', async () => {
    const { run } = await healthy('broken');
    await run('drop trigger tocsin_capture_insert on broken');
    await run('alter table broken disable trigger tocsin_capture_update');
    await run('alter trigger tocsin_capture_delete on broken rename to mine');
    expect(await problems('broken')).toEqual([
      'trigger_missing tocsin_capture_insert',
      'trigger_disabled tocsin_capture_update',
      'trigger_changed tocsin_capture_delete',
    ]);
    await capture(db, { table: 'broken', entityType: 'broken' });
    expect(await problems('broken')).toEqual([]);
    const { rows } = await run("select tgname from pg_trigger where tgrelid = 'broken'::regclass order by 1");
    expect(rows.map(({ tgname }) => tgname)).toEqual(
      ['insert', 'update', 'delete'].map((word) => `tocsin_capture_${word}`).toSorted(),
    );
  });

  test('finds triggers that fire for replicated changes only', async () => {
    const { run } = await healthy('replicated');
    await run('alter table replicated enable replica trigger tocsin_capture_insert');
    expect(await problems('replicated')).toEqual(['trigger_disabled tocsin_capture_insert']);
  });

  test('finds functions that are gone, changed, or lost their rights', async () => {
    const { run, functionName } = await healthy('hollow');
    await run(
      `create or replace function tocsin.${functionName}() returns trigger language plpgsql as 'begin return null; end'`,
    );
    expect(await problems('hollow')).toEqual([`function_changed ${functionName}`, `function_rights ${functionName}`]);
    await run(`drop function tocsin.${functionName}() cascade`);
    expect(await problems('hollow')).toEqual([
      `function_missing ${functionName}`,
      'trigger_missing tocsin_capture_update',
    ]);
    await capture(db, { table: 'hollow', entityType: 'hollow' });
    await run(`alter function tocsin.${functionName}() security invoker`);
    expect(await problems('hollow')).toEqual([`function_rights ${functionName}`]);
    await capture(db, { table: 'hollow', entityType: 'hollow' });
    await run('drop role if exists powerless; create role powerless; grant create on schema tocsin to powerless');
    await run(`alter function tocsin.${functionName}() owner to powerless`);
    expect(await problems('hollow')).toEqual([`function_rights ${functionName}`, `owner_cannot_write ${functionName}`]);
    await run(
      `alter function tocsin.${functionName}() owner to postgres; drop owned by powerless; drop role powerless`,
    );
    expect(await problems('hollow')).toEqual([`function_rights ${functionName}`]);
    await capture(db, { table: 'hollow', entityType: 'hollow' });
    expect(await problems('hollow')).toEqual([]);
  });

  test('finds columns that were added, renamed, dropped or got another type, and another key', async () => {
    const { run } = await healthy('drifting', 'id int primary key, tenant_id text, a text, b numeric(5, 2), c text');
    await run('alter table drifting add column d text, alter column b type numeric(9, 2)');
    await run('alter table drifting rename c to e; alter table drifting alter column a type varchar(10)');
    expect(await problems('drifting')).toEqual([
      'column_type_changed a',
      'column_renamed_or_dropped c',
      'column_added e',
      'column_added d',
    ]);
    await run('alter table drifting drop constraint drifting_pkey; alter table drifting drop column tenant_id');
    expect(await problems('drifting')).toEqual(
      expect.arrayContaining(['tenant_column_missing tenant_id', 'key_changed (id)']),
    );
  });

  test('does not ask for a new column that is excluded', async () => {
    const { run } = await hostSession(db);
    await run('create table shy (id int primary key, tenant_id text, card text)');
    await capture(db, { table: 'shy', exclude: ['card'] });
    await run('alter table shy drop column card; alter table shy add column card int');
    expect(await problems('shy')).toEqual([]);
  });

  test('finds partitions without triggers, and tables that are no partitions any more', async () => {
    const { run } = await hostSession(db);
    await run('create table split (id int primary key, tenant_id text) partition by range (id)');
    await run('create table split_1 partition of split for values from (0) to (10)');
    await capture(db, { table: 'split' });
    await run('create table split_2 partition of split for values from (10) to (20)');
    expect(await problems('split')).toEqual(['partition_without_trigger public.split_2']);
    await capture(db, { table: 'split' });
    await run('alter table split detach partition split_1');
    expect(await problems('split')).toEqual(['trigger_elsewhere public.split_1']);
    await capture(db, { table: 'split' });
    expect(await problems('split')).toEqual([]);
    const { rows } = await run("select 1 from pg_trigger where tgrelid = 'split_1'::regclass");
    expect(rows).toEqual([]);
  });
});

describe('captureProblem', () => {
  test('says what it is about in its sentence', () => {
    expect(captureProblem('column_added', "$& it's").message).toContain("The column $& it's is new");
    for (const sentence of Object.values(captureProblems)) expect(sentence).toMatch(/^(The|What) .*[.]$/);
  });
});
