import { describe, expect, test } from 'vitest';
import { CaptureService } from '../../src/capture/capture-service.ts';
import { removeCapture } from '../../src/capture/remove-capture.ts';
import { err, unwrap } from '../../src/model/result.ts';
import { loadEntityTypes, upsertEntityType } from '../../src/store/entity-types.ts';
import { useTestDatabase } from '../support/test-database.ts';
import { capture, eventsOf, hostSession } from './host-table.ts';

const db = useTestDatabase();

describe('removeCapture', () => {
  test('takes triggers, functions and entity type away, and leaves the events', async () => {
    const { run } = await hostSession(db);
    await run('create table parts (id int primary key, tenant_id text) partition by range (id)');
    await run('create table parts_1 partition of parts default');
    const installed = await capture(db, { table: 'parts' });
    await run("insert into parts values (1, 't')");
    expect(unwrap(await removeCapture(db.database, 'public.parts'))).toEqual(installed);
    await run("insert into parts values (2, 't'); insert into parts_1 values (3, 't')");
    expect(await eventsOf(db, 'parts')).toHaveLength(1);
    const { rows } = await run(
      `select (select count(*)::int from pg_trigger where tgname like 'tocsin_capture%') as triggers,
         (select count(*)::int from pg_proc where proname like 'capture_%_parts_%') as functions`,
    );
    expect(rows[0]).toEqual({ triggers: 0, functions: 0 });
    expect(await loadEntityTypes(db.database.orm, ['parts'])).toEqual([]);
    expect(await new CaptureService(db.database).list()).toEqual([]);
  });

  test('removes the capture of a table that was renamed or dropped', async () => {
    const { run } = await hostSession(db);
    await run(
      'create table here (id int primary key, tenant_id text); create table lost (id int primary key, tenant_id text)',
    );
    await capture(db, { table: 'here' });
    await capture(db, { table: 'lost' });
    await run('alter table here rename to there; drop table lost');
    unwrap(await removeCapture(db.database, 'here'));
    unwrap(await removeCapture(db.database, 'lost'));
    await run("insert into there values (1, 't')");
    expect(await eventsOf(db, 'here')).toEqual([]);
  });

  test('leaves an entity type that has other operations', async () => {
    const { run } = await hostSession(db);
    await run('create table mixed (id int primary key, tenant_id text)');
    await upsertEntityType(db.database.orm, { name: 'mixed', fields: [], operations: ['refunded'], table: null });
    await capture(db, { table: 'mixed' });
    unwrap(await removeCapture(db.database, 'mixed'));
    expect(await loadEntityTypes(db.database.orm, ['mixed'])).toMatchObject([{ operations: ['refunded'] }]);
  });

  test('refuses a table that is not captured, and one that is busy', async () => {
    const { run } = await hostSession(db);
    await run('create table taken (id int primary key, tenant_id text)');
    await capture(db, { table: 'taken' });
    expect(await removeCapture(db.database, 'takn')).toMatchObject(
      err({ code: 'not_found', message: 'takn is not captured: did you mean public.taken?' }),
    );
    await run("begin; insert into taken values (1, 't')");
    expect(await removeCapture(db.database, 'taken')).toMatchObject(err({ code: 'unavailable' }));
    await run("commit; insert into taken values (2, 't')");
    expect(await eventsOf(db, 'taken')).toHaveLength(2);
  });
});
