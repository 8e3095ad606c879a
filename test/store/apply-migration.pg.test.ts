import pg from 'pg';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { migrate, pendingMigrations } from '../../src/store/migrate.ts';
import { nextMigrations } from '../support/extra-migrations.ts';
import { createTestDatabase, type TestDatabase } from '../support/test-database.ts';

let db: TestDatabase;

beforeEach(async () => {
  const made = await createTestDatabase();
  db = made;
  onTestFinished(() => made.drop());
});

const query = async (text: string) => (await db.database.pool.query(text)).rows;
const addColumn = 'alter table tocsin.workflows add column next text;';
/** For locks that somebody holds for as long as the test likes. */
const impatient = { lockTimeoutMs: 100, patienceMs: 1_000 };

/** A transaction of somebody else's that ran this and stays open until the test ends, or until it is told. */
async function openTransaction(statement: string): Promise<{ pid: number; end: () => Promise<void> }> {
  const client = new pg.Client({ connectionString: db.url, application_name: 'nightly report' });
  client.on('error', () => undefined);
  await client.connect();
  onTestFinished(() => client.end());
  await client.query('begin');
  await client.query(statement);
  const { rows } = await client.query('select pg_backend_pid() as pid');
  return { pid: rows[0].pid, end: async () => void (await client.query('rollback')) };
}

describe('migrate, of tables that are in use', () => {
  test('names who has a lock that it does not get, and for how long, and leaves nothing half done', async () => {
    const { pid, end } = await openTransaction('select from tocsin.workflows');
    const migrationsFolder = await nextMigrations({
      '9000_two': `create table tocsin.next (id int);--> statement-breakpoint\n${addColumn}`,
    });
    const said: string[] = [];
    const options = {
      migrationsFolder,
      ...impatient,
      patienceMs: 2_500,
      onWait: (message: string) => said.push(message),
    };
    const refusal = await migrate(db.database, options).catch((error: Error) => error);
    const blame = new RegExp(
      `tocsin\\.workflows is locked by pid ${pid} \\(nightly report, idle in transaction, in a transaction for \\d+ s: select`,
    );
    expect(refusal).toMatchObject({ code: 'timeout', message: expect.stringMatching(blame) });
    expect(said.length).toBeGreaterThan(0);
    expect(said[0]).toMatch(blame);
    expect(await query("select to_regclass('tocsin.next') as next")).toEqual([{ next: null }]);
    await end();
    expect(await migrate(db.database, options)).toBe(1);
  });

  test('waits for all of its locks together no longer than for one', async () => {
    const migrationsFolder = await nextMigrations({
      '9000_slow': [
        'create table tocsin.next (left_to_wait text)',
        'select pg_sleep(0.5)',
        "insert into tocsin.next values (current_setting('lock_timeout'))",
        'select pg_sleep(1.6)',
        "insert into tocsin.next values (current_setting('lock_timeout'))",
      ].join(';--> statement-breakpoint\n'),
    });
    expect(await migrate(db.database, { migrationsFolder, lockTimeoutMs: 2_000 })).toBe(1);
    const [first, last] = await query(
      "select left_to_wait::interval < interval '1.5 seconds' as less, left_to_wait from tocsin.next",
    );
    expect([first?.less, last?.left_to_wait]).toEqual([true, '50ms']);
  });

  test('takes as long as it takes, also where other statements may not', async () => {
    const { database } = db;
    const name = new URL(db.url).pathname.slice(1);
    await query(`alter database ${name} set statement_timeout = '200ms'`);
    const hasty = { ...database, connectionConfig: { ...database.connectionConfig, query_timeout: 200 } };
    const migrationsFolder = await nextMigrations({ '9000_slow': 'select pg_sleep(0.5)' });
    expect(await migrate(hasty, { migrationsFolder })).toBe(1);
  });

  test('comes through when the lock is free for a moment only', async () => {
    const { end } = await openTransaction('select from tocsin.workflows');
    const migrationsFolder = await nextMigrations({ '9000_column': addColumn });
    const waits = Promise.withResolvers<void>();
    const done = migrate(db.database, { migrationsFolder, lockTimeoutMs: 100, onWait: () => waits.resolve() });
    await waits.promise;
    await end();
    expect(await done).toBe(1);
  });

  test('waits for another process that migrates, and says which when it takes too long', async () => {
    const { pid } = await openTransaction('select pg_advisory_lock(7461637369)');
    const said: string[] = [];
    const refusal = await migrate(db.database, { ...impatient, onWait: (message) => said.push(message) }).catch(
      (error: Error) => error,
    );
    expect(refusal).toMatchObject({
      code: 'timeout',
      message: expect.stringContaining(`another process migrates: pid ${pid}`),
    });
    expect(said).toHaveLength(1);
  });

  test('applies each once when several start at once, indexes included', async () => {
    const migrationsFolder = await nextMigrations({
      '9000_column': addColumn,
      '9001_index': 'create index concurrently "workflows_next" on "tocsin"."workflows" using btree ("next");',
      '9002_index': 'create index concurrently "deliveries_next" on "tocsin"."deliveries" using btree ("reason");',
    });
    const applied = await Promise.all(Array.from({ length: 4 }, () => migrate(db.database, { migrationsFolder })));
    expect(applied.sort()).toEqual([0, 0, 0, 3]);
    expect(await pendingMigrations(db.database)).toBe(-3);
  });

  test('keeps what stands when a later one fails, and goes on from there', async () => {
    const broken = { '9000_column': addColumn, '9001_broken': 'alter table tocsin.nothing add column next text;' };
    await expect(migrate(db.database, { migrationsFolder: await nextMigrations(broken) })).rejects.toThrow(/nothing/);
    const mended = { ...broken, '9001_broken': 'create table tocsin.next (id int);' };
    expect(await migrate(db.database, { migrationsFolder: await nextMigrations(mended) })).toBe(1);
  });

  test('refuses a migration that would build an index beside writers in the middle of something else', async () => {
    const mixed = `${addColumn}--> statement-breakpoint\ncreate index concurrently "x" on "tocsin"."workflows" ("next");`;
    const migrationsFolder = await nextMigrations({ '9000_mixed': mixed });
    await expect(migrate(db.database, { migrationsFolder })).rejects.toThrow(/make two of it/);
    expect(await pendingMigrations(db.database)).toBe(0);
  });
});

describe('buildIndex', () => {
  const isValid = async (name: string) =>
    (await query(`select indisvalid from pg_index where indexrelid = to_regclass('tocsin.${name}')`))[0]?.indisvalid;

  test('gives a partitioned table its index partition by partition; later partitions have it too', async () => {
    const migrationsFolder = await nextMigrations({
      '9000_index':
        'CREATE INDEX CONCURRENTLY "deliveries_next" ON "tocsin"."deliveries" USING btree ("tenant_id","reason") WHERE status = \'dead\';',
    });
    expect(await migrate(db.database, { migrationsFolder })).toBe(1);
    await query('select tocsin.ensure_partitions(9)');
    expect(await isValid('deliveries_next')).toBe(true);
    const [counts] = await query(
      `select (select count(*)::int from pg_inherits where inhparent = 'tocsin.deliveries'::regclass) as partitions,
         (select count(*)::int from pg_inherits where inhparent = 'tocsin.deliveries_next'::regclass) as indexes`,
    );
    expect(counts?.indexes).toBe(counts?.partitions);
  });

  test.each([
    ['a table', 'workflows'],
    ['a partitioned table', 'deliveries'],
  ])('builds anew what a process died over, of %s', async (_what, table) => {
    const [partition] = await query("select 'deliveries_' || to_char(now() at time zone 'utc', 'YYYYMMDD') as name");
    const written = table === 'deliveries' ? partition?.name : table;
    const { pid, end } = await openTransaction(`lock table tocsin.${written} in row exclusive mode`);
    const migrationsFolder = await nextMigrations({
      '9000_index': `create index concurrently "${table}_next" on "tocsin"."${table}" ("tenant_id");`,
    });
    const refusal = await migrate(db.database, { migrationsFolder, ...impatient }).catch((error: Error) => error);
    expect(refusal).toMatchObject({ code: 'timeout', message: expect.stringContaining(`pid ${pid} (nightly report`) });
    await end();
    expect(await migrate(db.database, { migrationsFolder })).toBe(1);
    expect(await isValid(`${table}_next`)).toBe(true);
    expect(await query('select from pg_index where not indisvalid')).toEqual([]);
  });

  test('drops one beside the writers', async () => {
    const migrationsFolder = await nextMigrations({
      '9000_drop': 'drop index concurrently if exists tocsin.tenants_changed;',
    });
    expect(await migrate(db.database, { migrationsFolder })).toBe(1);
    expect(await isValid('tenants_changed')).toBeUndefined();
  });
});
