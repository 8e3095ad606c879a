import { sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/node-postgres';
import pg from 'pg';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { WorkflowError } from '../../src/errors.ts';
import { err, ok, unwrap } from '../../src/model/result.ts';
import { type Database, type Orm, openDatabase } from '../../src/store/database.ts';
import { withTenant } from '../../src/store/with-tenant.ts';
import { useTestDatabase } from '../support/test-database.ts';
import { until } from '../support/until.ts';

const db = useTestDatabase();

beforeAll(async () => {
  await db.database.pool.query(
    "insert into tocsin.directory_users (tenant_id, id) select 'tenant-' || i % 7, 'user-' || i from generate_series(1, 70) i",
  );
});

/** Who the statements run as, and whose rows they see. */
async function seen(orm: Orm): Promise<{ role: string; tenant: string | null; tenants: string[] }> {
  const result = await orm.execute<{ role: string; tenant: string | null; tenants: string[] }>(sql`
    select current_user as role, current_setting('tocsin.tenant_id', true) as tenant,
      array(select distinct tenant_id from tocsin.directory_users order by 1) as tenants`);
  return result.rows[0] as { role: string; tenant: string | null; tenants: string[] };
}

const all = Array.from({ length: 7 }, (_, index) => `tenant-${index}`);
const bound = (tenant: string) => ({ role: 'tocsin_service', tenant, tenants: [tenant] });

/** A transaction of the host; rolled back when the test ends. */
async function hostTransaction(): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: db.url });
  await client.connect();
  onTestFinished(() => client.end());
  await client.query('begin');
  return client;
}

describe('withTenant', () => {
  test('shows the work the rows of its tenant and no others, although no statement names it', async () => {
    expect(unwrap(await withTenant(db.database, { tenantId: 'tenant-3' }, async (orm) => ok(await seen(orm))))).toEqual(
      bound('tenant-3'),
    );
    expect((await seen(db.database.orm)).tenants).toEqual(all);
  });

  test('runs its own transaction once more when a deadlock ended it', async () => {
    const host = await hostTransaction();
    await host.query("set local deadlock_timeout = '1min'");
    const touch = (id: string) => sql`update tocsin.directory_users set name = 'x' where id = ${id}`;
    await host.query("update tocsin.directory_users set name = 'y' where id = 'user-9'");
    const { rows } = await host.query('select pg_backend_pid() as pid');
    const isWaiting = async () => {
      const locks = await db.database.pool.query('select from pg_locks where pid = $1 and not granted', [rows[0].pid]);
      return locks.rowCount === 1;
    };
    let runs = 0;
    let waiting: Promise<unknown> = Promise.resolve();
    const answer = await withTenant(db.database, { tenantId: 'tenant-2' }, async (orm) => {
      runs += 1;
      await orm.execute(touch('user-2'));
      if (runs === 1) {
        waiting = host
          .query("update tocsin.directory_users set name = 'y' where id = 'user-2'")
          .then(() => host.query('rollback'));
        // Whoever waits last finds the deadlock, and is ended.
        await until('the host waits for the row', isWaiting);
      }
      await orm.execute(touch('user-9'));
      return ok(runs);
    });
    await waiting;
    expect(unwrap(answer)).toBe(2);
  });

  test('takes every tenant id literally', async () => {
    for (const tenantId of ["o'hara", '\\', "\\'; reset role; --", '$1', 'ünï😀', ' ']) {
      const answer = await withTenant(db.database, { tenantId }, async (orm) => ok(await seen(orm)));
      expect(unwrap(answer)).toEqual({ role: 'tocsin_service', tenant: tenantId, tenants: [] });
    }
  });

  test.each([
    ['', 'is empty'],
    ['a\u0000b', 'holds a NUL character or half of a surrogate pair, which PostgreSQL cannot store'],
    ['a\ud800', 'holds a NUL character or half of a surrogate pair, which PostgreSQL cannot store'],
    ['x'.repeat(256), 'is longer than 255 characters'],
    [undefined as unknown as string, 'is not a text'],
  ])('refuses %j as a tenant id and runs nothing', async (tenantId, message) => {
    const answer = await withTenant(db.database, { tenantId }, () => Promise.reject(new Error('was run')));
    expect(answer).toMatchObject({
      error: { code: 'invalid', message: `the tenant is not valid: tenantId: ${message}` },
    });
  });

  test('commits what was written, also with a refusal, and rolls back when the work throws', async () => {
    const write = (id: string, answer: () => ReturnType<typeof ok<null>> | ReturnType<typeof err<WorkflowError>>) =>
      withTenant(db.database, { tenantId: 'writes' }, async (orm) => {
        await orm.execute(sql`insert into tocsin.directory_users (tenant_id, id) values ('writes', ${id})`);
        return answer();
      });
    await write('kept', () => ok(null));
    await write('refused', () => err(new WorkflowError('conflict', 'no')));
    const thrown = write('gone', () => {
      throw new Error('fault');
    });
    await expect(thrown).rejects.toThrow('fault');
    const { rows } = await db.database.pool.query(
      "select id from tocsin.directory_users where tenant_id = 'writes' order by id",
    );
    expect(rows).toEqual([{ id: 'kept' }, { id: 'refused' }]);
    await db.database.pool.query("delete from tocsin.directory_users where tenant_id = 'writes'");
  });

  test('ends a statement that takes longer than it may', async () => {
    const slow = withTenant(db.database, { tenantId: 'tenant-1', statementTimeoutMs: 20 }, async (orm) =>
      ok(await orm.execute(sql`select pg_sleep(10)`)),
    );
    await expect(slow).rejects.toMatchObject({ cause: { code: '57014' } });
  });

  test('leaks nothing over 400 interleaved transactions that fail in every way, on few connections', async () => {
    const database = openDatabase({ databaseUrl: db.url, poolSize: 4 });
    onTestFinished(() => database.close());
    const one = (tenantId: string, way: number) =>
      withTenant(database, { tenantId }, async (orm) => {
        expect(await seen(orm)).toEqual(bound(tenantId));
        if (way === 1) throw new Error('the work failed');
        if (way === 2) await orm.execute(sql`select 1 / 0`);
        if (way === 3)
          await orm.execute(sql`insert into tocsin.directory_users (tenant_id, id) values ('tenant-x', 'x')`);
        if (way === 4) return err(new WorkflowError('conflict', 'no'));
        expect(await seen(orm)).toEqual(bound(tenantId));
        return ok(null);
      });
    const runs = Array.from({ length: 400 }, (_, index) => one(`tenant-${index % 7}`, index % 5));
    const ways = (await Promise.allSettled(runs)).map((run) =>
      run.status === 'rejected' ? String(run.reason.cause?.code ?? run.reason.message) : String(run.value.ok),
    );
    expect(new Set(ways)).toEqual(new Set(['true', 'false', 'the work failed', '22012', '42501']));
    const afterwards = await Promise.all(Array.from({ length: 16 }, () => seen(database.orm)));
    for (const { role, tenant, tenants } of afterwards)
      expect([role, tenant ?? '', tenants]).toEqual(['postgres', '', all]);
  });
});

describe("withTenant in the caller's transaction", () => {
  const inside = (database: Database, tx: pg.ClientBase | Orm, tenantId: string) =>
    withTenant(database, { tenantId, tx }, async (orm) => ok(await seen(orm)));

  test('binds the work and puts role and tenant back, of a pg client and of drizzle', async () => {
    const client = await hostTransaction();
    await client.query("set local role pg_monitor; set local tocsin.tenant_id = 'of the host'");
    expect(unwrap(await inside(db.database, client, 'tenant-1'))).toEqual(bound('tenant-1'));
    const before = await client.query("select current_user, current_setting('tocsin.tenant_id') as tenant");
    expect(before.rows).toEqual([{ current_user: 'pg_monitor', tenant: 'of the host' }]);
    await db.database.orm.transaction(async (tx) => {
      expect(unwrap(await inside(db.database, tx, 'tenant-2'))).toEqual(bound('tenant-2'));
      expect(await seen(tx)).toMatchObject({ role: 'postgres', tenants: all });
    });
  });

  test('goes with it', async () => {
    const client = await hostTransaction();
    await withTenant(db.database, { tenantId: 'undone', tx: client }, async (orm) =>
      ok(await orm.execute(sql`insert into tocsin.directory_users (tenant_id, id) values ('undone', 'u')`)),
    );
    await client.query('rollback');
    expect((await seen(db.database.orm)).tenants).toEqual(all);
  });

  test('can be nested, in the same tenant and another, to any depth', async () => {
    const client = await hostTransaction();
    const answer = await withTenant(db.database, { tenantId: 'tenant-1', tx: client }, async (outer) => {
      const other = await withTenant(db.database, { tenantId: 'tenant-2', tx: outer }, async (middle) => {
        const same = unwrap(await inside(db.database, middle, 'tenant-2'));
        return ok([same, await seen(middle)]);
      });
      return ok([...unwrap(other), await seen(outer)]);
    });
    expect(unwrap(answer)).toEqual([bound('tenant-2'), bound('tenant-2'), bound('tenant-1')]);
    expect(await seen(drizzle(client) as unknown as Orm)).toMatchObject({ role: 'postgres', tenants: all });
  });

  test('takes calls made at once one after the other, each as its own tenant', async () => {
    const client = await hostTransaction();
    const answers = await Promise.all(all.map((tenantId) => inside(db.database, client, tenantId)));
    expect(answers.map(unwrap)).toEqual(all.map(bound));
    expect(await seen(drizzle(client) as unknown as Orm)).toMatchObject({ role: 'postgres', tenants: all });
  });

  test('puts them back when the work throws; the transaction goes on', async () => {
    const client = await hostTransaction();
    const thrown = withTenant(db.database, { tenantId: 'tenant-1', tx: client }, () =>
      Promise.reject(new Error('fault')),
    );
    await expect(thrown).rejects.toThrow('fault');
    expect(await seen(drizzle(client) as unknown as Orm)).toMatchObject({ role: 'postgres', tenants: all });
  });

  test('leaves them as they were after a statement failed and the host rolls back to its savepoint', async () => {
    const client = await hostTransaction();
    await client.query("set local role pg_monitor; set local tocsin.tenant_id = 'of the host'; savepoint here");
    const broken = withTenant(db.database, { tenantId: 'tenant-1', tx: client }, async (orm) =>
      ok(await orm.execute(sql`select 1 / 0`)),
    );
    await expect(broken).rejects.toMatchObject({ cause: { code: '22012' } });
    await client.query('rollback to savepoint here');
    const { rows } = await client.query("select current_user, current_setting('tocsin.tenant_id') as tenant");
    expect(rows).toEqual([{ current_user: 'pg_monitor', tenant: 'of the host' }]);
  });
});
