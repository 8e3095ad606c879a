import { describe, expect, onTestFinished, test } from 'vitest';
import { idleLockKey, wakeUpChannel } from '../../src/model/wake-up.ts';
import { startEmbeddedPostgres } from '../../src/runtime/embedded-postgres.ts';
import { openDatabase } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';
import { useTestDatabase } from '../support/test-database.ts';
import { capture, eventsOf, hostSession } from './host-table.ts';

const db = useTestDatabase();

/** How many notifications a session hears while `work` runs; it marks the end itself. */
async function heard(work: () => Promise<unknown>): Promise<number> {
  const listener = await hostSession(db);
  await listener.run(`listen ${wakeUpChannel}`);
  let count = 0;
  const ended = new Promise<void>((resolve) => {
    listener.client.on('notification', ({ payload }) => {
      if (payload === 'end') resolve();
      else count += 1;
    });
  });
  await work();
  await listener.run(`notify ${wakeUpChannel}, 'end'`);
  await ended;
  return count;
}

describe('a captured write', () => {
  test('notifies only while a drain says that it sleeps, once per transaction, and not for what is rolled back', async () => {
    const { run } = await hostSession(db);
    await run('create table bells (id int primary key, tenant_id text)');
    await capture(db, { table: 'bells' });
    const drain = await hostSession(db);
    const write = async (id: number) => {
      await run(
        `begin; insert into bells values (${id}, 't'); update bells set id = ${id + 1}; delete from bells; commit`,
      );
      await run("begin; insert into bells values (0, 't'); rollback");
      await run("update bells set tenant_id = 'x'");
    };
    expect(await heard(() => write(1))).toBe(0);
    await drain.run('select pg_advisory_lock($1)', [idleLockKey]);
    expect(await heard(() => write(10))).toBe(1);
    await drain.run('select pg_advisory_unlock($1)', [idleLockKey]);
    expect(await heard(() => write(20))).toBe(0);
  });

  test('keeps a drain from falling asleep until it is committed', async () => {
    const { run } = await hostSession(db);
    await run('create table doors (id int primary key, tenant_id text)');
    await capture(db, { table: 'doors' });
    const drain = await hostSession(db);
    const fallsAsleep = async () => {
      const { rows } = await drain.run('select pg_try_advisory_lock($1) as asleep', [idleLockKey]);
      if (rows[0].asleep) await drain.run('select pg_advisory_unlock($1)', [idleLockKey]);
      return rows[0].asleep;
    };
    await run("begin; insert into doors values (1, 't')");
    expect(await fallsAsleep()).toBe(false);
    await run('commit');
    expect(await fallsAsleep()).toBe(true);
  });

  test('does not fail when the NOTIFY queue is full, nor when it is prepared, and leaves the event to the poll', async () => {
    const server = await startEmbeddedPostgres({
      settings: { max_notify_queue_pages: '64', max_prepared_transactions: '2', fsync: 'off' },
    });
    onTestFinished(() => server.stop());
    const database = openDatabase({ databaseUrl: server.connectionString });
    onTestFinished(() => database.close());
    await migrate(database);
    const own = { url: server.connectionString, database };
    const { run } = await hostSession(own);
    await run('create table full_house (id int primary key, tenant_id text)');
    await capture(own, { table: 'full_house' });
    const drain = await hostSession(own);
    await drain.run('select pg_advisory_lock($1)', [idleLockKey]);

    await run("set tocsin.notify = 'off'; begin; insert into full_house values (0, 't'); prepare transaction 'p'");
    await run("commit prepared 'p'");
    await run('reset tocsin.notify');
    expect(await eventsOf(own, 'full_house')).toHaveLength(1);

    const stuck = await hostSession(own);
    await stuck.run('listen anything');
    await stuck.run('begin; select 1');
    await expect(
      (async () => {
        for (;;) await run("select pg_notify('anything', i || repeat('x', 7000)) from generate_series(1, 20) i");
      })(),
    ).rejects.toMatchObject({ code: '54000' });
    await run("insert into full_house values (1, 't'); update full_house set id = id + 2; delete from full_house");
    expect(await eventsOf(own, 'full_house')).toHaveLength(6);
  });
});
