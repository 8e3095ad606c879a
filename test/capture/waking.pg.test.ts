import type pg from 'pg';
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

  test('does not fail when the NOTIFY queue is full, and leaves the event to the poll', {
    timeout: 60_000,
  }, async () => {
    const server = await startEmbeddedPostgres({ settings: { max_notify_queue_pages: '64', fsync: 'off' } });
    onTestFinished(() => server.stop());
    const database = openDatabase({ databaseUrl: server.connectionString });
    onTestFinished(() => database.close());
    await migrate(database);
    const own = { url: server.connectionString, database };
    const { run } = await hostSession(own);
    await run('create table full_house (id int primary key, tenant_id text)');
    await capture(own, { table: 'full_house' });
    const stuck = await hostSession(own);
    await stuck.run('listen anything');
    await stuck.run('begin; select 1');
    const drain = await hostSession(own);
    await drain.run('select pg_advisory_lock($1)', [idleLockKey]);
    const fill = "select pg_notify('anything', i || repeat('x', 7000)) from generate_series(1, 40) i";
    const filled = async (): Promise<string | undefined> => {
      for (let i = 0; i < 20; i++) {
        const code = await run(fill).then(
          () => undefined,
          (error: pg.DatabaseError) => error.code,
        );
        if (code !== undefined) return code;
      }
      return undefined;
    };
    expect(await filled()).toBe('54000');
    await run("insert into full_house values (1, 't'); update full_house set id = 2; delete from full_house");
    expect(await eventsOf(own, 'full_house')).toHaveLength(3);
  });
});
