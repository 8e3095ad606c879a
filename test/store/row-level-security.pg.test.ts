import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { idleLockKey } from '../../src/model/wake-up.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();

type Column = { readonly name: string; readonly type: string; readonly isNeeded: boolean };
type Table = { readonly name: string; readonly isPartition: boolean; readonly columns: readonly Column[] };

/** Every table with a tenant, from the catalog: a table of tomorrow is among them. */
let tables: readonly Table[];
let parents: readonly Table[];

beforeAll(async () => {
  const { rows } = await db.database.pool.query<Table>(
    `select c.oid::regclass::text as name, c.relispartition as "isPartition",
       (select json_agg(json_build_object(
           'name', a.attname,
           'type', format_type(a.atttypid, null),
           'isNeeded', a.attnotnull and not a.atthasdef)
         order by a.attnum)
        from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns
     from pg_class c
     where c.relnamespace = 'tocsin'::regnamespace
       and c.relkind in ('r', 'p')
       and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped)
     order by c.oid`,
  );
  tables = rows;
  parents = rows.filter(({ isPartition }) => !isPartition);
  for (const table of parents) for (const tenant of ['a', 'b']) await insertRow(db.database.pool, table, tenant);
});

/** Values for columns with a closed list. */
const words: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  'tocsin.deliveries': { status: 'pending' },
  'tocsin.executions': { status: 'pending' },
  'tocsin.endpoints': { state: 'open' },
  'tocsin.directory_memberships': { kind: 'role' },
  'tocsin.preferences': { source: 'host' },
  'tocsin.suppressions': { reason: 'host' },
  'tocsin.workflows': { status: 'draft' },
};

function writeValue(table: Table, { name, type }: Column, tenant: string): unknown {
  if (name === 'tenant_id') return tenant;
  const word = words[table.name]?.[name];
  if (word !== undefined) return word;
  if (type === 'uuid') return randomUUID();
  if (type === 'bytea') return Buffer.from('x');
  if (type === 'boolean') return true;
  if (/json/.test(type)) return '{}';
  if (/int/.test(type)) return 1;
  if (/timestamp/.test(type)) return '2026-11-01T00:00:00Z';
  return 'x';
}

/** A row of the tenant, whatever it would refer to. */
async function insertRow(runner: Pick<pg.Pool, 'query'>, table: Table, tenant: string): Promise<void> {
  const needed = table.columns.filter(({ name, isNeeded }) => isNeeded || name === 'tenant_id');
  const names = needed.map(({ name }) => name).join(', ');
  const places = needed.map((_, index) => `$${index + 1}`).join(', ');
  const client = runner instanceof pg.Pool ? await runner.connect() : null;
  try {
    if (client) await client.query('set session_replication_role = replica');
    const values = needed.map((column) => writeValue(table, column, tenant));
    await (client ?? runner).query(`insert into ${table.name} (${names}) values (${places})`, values);
  } finally {
    await client?.query('set session_replication_role = default');
    client?.release();
  }
}

/** A connection that acts as a role, bound to a tenant if one is given; what it writes is undone. */
async function actAs(role: string, tenant?: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: db.url });
  await client.connect();
  onTestFinished(() => client.end());
  await client.query(`begin; set local role ${role}`);
  if (tenant !== undefined) await client.query(`set local tocsin.tenant_id = ${pg.escapeLiteral(tenant)}`);
  return client;
}

/** How many rows a statement found or changed; or the code it was refused with. */
async function outcome(client: pg.Client, statement: () => Promise<unknown>): Promise<number | string> {
  await client.query('savepoint here');
  try {
    return ((await statement()) as pg.QueryResult | undefined)?.rowCount ?? 0;
  } catch (error) {
    return (error as pg.DatabaseError).code ?? 'fault';
  } finally {
    await client.query('rollback to savepoint here');
  }
}

const notAllowed = '42501';

describe('every table with a tenant', () => {
  test('has row level security that holds for its owner too, a policy for the worker and, if no partition, for the service', async () => {
    const { rows } = await db.database.pool.query(
      `select c.oid::regclass::text as name, c.relrowsecurity and c.relforcerowsecurity as held,
         array(select polname::text from pg_policy p where p.polrelid = c.oid and polname in ('service', 'worker') order by 1) as policies
       from pg_class c
       where c.oid::regclass::text = any ($1)
       order by c.oid`,
      [tables.map(({ name }) => name)],
    );
    expect(rows.length).toBeGreaterThan(40);
    expect(rows).toEqual(
      tables.map(({ name, isPartition }) => ({
        name,
        held: true,
        policies: isPartition ? ['worker'] : ['service', 'worker'],
      })),
    );
  });

  test('shows the service nothing while no tenant is set, nor for an empty one', async () => {
    for (const tenant of [undefined, '', 'nobody']) {
      const client = await actAs('tocsin_service', tenant);
      for (const { name } of parents) {
        const found = await outcome(client, () => client.query(`select from ${name}`));
        expect([0, notAllowed], `${name} for ${tenant}`).toContain(found);
      }
    }
  });

  test('shows the service the rows of its tenant and lets it touch no others', async () => {
    const client = await actAs('tocsin_service', 'a');
    for (const table of parents) {
      const { name } = table;
      const own = await outcome(client, () => client.query(`select from ${name} where tenant_id = 'a'`));
      if (name !== 'tocsin.event_keys') expect(own, `${name} of a`).toBe(1);
      const all = await outcome(client, () => client.query(`select from ${name}`));
      expect(all, `all of ${name}`).toBe(own);
      const changes = table.columns.map(
        (column) => `update ${name} set ${column.name} = ${column.name} where tenant_id = 'b'`,
      );
      for (const change of [
        ...changes,
        `delete from ${name} where tenant_id = 'b'`,
        `delete from ${name} where tenant_id <> 'a'`,
      ]) {
        expect([0, notAllowed], change).toContain(await outcome(client, () => client.query(change)));
      }
      expect(await outcome(client, () => insertRow(client, table, 'b')), `insert of b into ${name}`).toBe(notAllowed);
      const given = `update ${name} set tenant_id = 'b'`;
      expect(await outcome(client, () => client.query(given)), given).toBe(notAllowed);
    }
  });

  test('can be reached by the service through no partition', async () => {
    const client = await actAs('tocsin_service', 'a');
    for (const { name, isPartition } of tables) {
      if (!isPartition) continue;
      for (const statement of [`select from ${name}`, `delete from ${name}`, `truncate ${name}`]) {
        expect(await outcome(client, () => client.query(statement)), statement).toBe(notAllowed);
      }
    }
  });

  test('shows all tenants to the worker, which cannot write definitions, secrets or people', async () => {
    const client = await actAs('tocsin_worker');
    const readOnly = [
      'saved_queries',
      'templates',
      'secrets',
      'directory_users',
      'directory_memberships',
      'tenants',
      'workflow_versions',
    ];
    for (const { name } of parents) {
      const found = await outcome(client, () => client.query(`select tenant_id from ${name}`));
      if (name === 'tocsin.notifications') expect(found).toBe(notAllowed);
      else expect(found, name).toBe(2);
    }
    for (const table of parents.filter(({ name }) => readOnly.includes(name.replace('tocsin.', '')))) {
      expect(await outcome(client, () => insertRow(client, table, 'a')), `insert into ${table.name}`).toBe(notAllowed);
      for (const statement of [
        `update ${table.name} set tenant_id = tenant_id`,
        `delete from ${table.name}`,
        `truncate ${table.name}`,
      ]) {
        expect(await outcome(client, () => client.query(statement)), statement).toBe(notAllowed);
      }
    }
    for (const column of ['definition', 'published_version', 'name', 'tenant_id', 'deleted_at']) {
      const statement = `update tocsin.workflows set ${column} = ${column}`;
      expect(await outcome(client, () => client.query(statement)), statement).toBe(notAllowed);
    }
  });

  test('holds no version of a workflow that is not the tenant’s own', async () => {
    const client = await actAs('tocsin_service', 'a');
    const { rows } = await db.database.pool.query("select id from tocsin.workflows where tenant_id = 'b'");
    const squat = () =>
      client.query(
        "insert into tocsin.workflow_versions (workflow_id, version, tenant_id, definition) values ($1, 99, 'a', '{}')",
        [rows[0].id],
      );
    expect(await outcome(client, squat)).toBe(notAllowed);
  });

  test('keeps quotas and sender domains out of the reach of tenants', async () => {
    const client = await actAs('tocsin_service', 'a');
    const set = (column: string, value: string) =>
      outcome(client, () => client.query(`update tocsin.tenants set ${column} = ${value} where tenant_id = 'a'`));
    expect(await set('retention_days', '3')).toBe(1);
    for (const column of [
      'events_per_minute',
      'deliveries_per_minute',
      'max_workflows',
      'max_recipients',
      'max_payload_bytes',
    ]) {
      expect(await set(column, '1000000'), column).toBe(notAllowed);
    }
    expect(await set('sender_domains', "'{bank.example}'")).toBe(notAllowed);
  });

  test('moves the version of the definitions on and never back, whoever tries', async () => {
    const client = await actAs('tocsin_service', 'a');
    const move = (by: number) =>
      outcome(client, () => client.query('update tocsin.definitions_version set version = version + $1', [by]));
    expect(await move(1)).toBe(1);
    expect(await move(-1)).toBe('55000');
    expect(await move(0)).toBe(1);
  });
});

describe('schema tocsin', () => {
  test('grants nothing to everybody', async () => {
    const { rows } = await db.database.pool.query(
      `select 'schema' as kind, nspname::text as name from pg_namespace, aclexplode(nspacl) g where nspname = 'tocsin' and g.grantee = 0
       union all
       select 'table', c.oid::regclass::text from pg_class c, aclexplode(c.relacl) g
       where c.relnamespace = 'tocsin'::regnamespace and g.grantee = 0
       union all
       select 'function', p.oid::regprocedure::text
       from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
       where p.pronamespace = 'tocsin'::regnamespace and g.grantee = 0`,
    );
    expect(rows).toEqual([]);
  });

  test('has no function with the rights of its owner and a search path of the caller', async () => {
    const { rows } = await db.database.pool.query(
      `select p.oid::regprocedure::text as name, p.proconfig as settings, p.prosecdef as "ofOwner"
       from pg_proc p
       where p.pronamespace = 'tocsin'::regnamespace and p.prosecdef`,
    );
    expect(rows.length).toBeGreaterThanOrEqual(3);
    for (const { name, settings } of rows) expect(settings, name).toEqual(['search_path=pg_catalog, pg_temp']);
  });

  test('has no table without a tenant but these, which are of all', async () => {
    const { rows } = await db.database.pool.query(
      `select c.relname as name
       from pg_class c
       where c.relnamespace = 'tocsin'::regnamespace
         and c.relkind in ('r', 'p', 'm', 'v', 'f')
         and not exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped)
       order by 1`,
    );
    const names = rows.map(({ name }) => name);
    expect(names).toEqual(['captures', 'definitions_version', 'entity_types', 'migrations', 'workers']);
  });

  test('lets nobody create in it, and the roles have what they are granted and no way to each other', async () => {
    const { rows } = await db.database.pool.query(
      `select rolname as role, rolcanlogin or rolsuper or rolbypassrls or rolcreaterole as "isMore",
         has_schema_privilege(oid, 'tocsin', 'create') as creates, has_schema_privilege(oid, 'tocsin', 'usage') as uses,
         (select count(*)::int from pg_auth_members m where m.member = r.oid) as memberships
       from pg_roles r
       where rolname like 'tocsin\\_%'
       order by 1`,
    );
    const plain = { isMore: false, creates: false, memberships: 0 };
    expect(rows).toEqual([
      { role: 'tocsin_capture', uses: true, ...plain },
      { role: 'tocsin_query', uses: false, ...plain },
      { role: 'tocsin_service', uses: true, ...plain },
      { role: 'tocsin_worker', uses: true, ...plain },
    ]);
  });

  test('lets the owner of trigger functions read nothing of events and write nothing else', async () => {
    const client = await actAs('tocsin_capture');
    for (const table of parents) {
      for (const statement of [
        `delete from ${table.name}`,
        `update ${table.name} set tenant_id = tenant_id`,
        `truncate ${table.name}`,
      ]) {
        expect(await outcome(client, () => client.query(statement)), statement).toBe(notAllowed);
      }
      const isRead = ['tocsin.event_keys', 'tocsin.subscriptions', 'tocsin.tenants'].includes(table.name);
      const read = await outcome(client, () => client.query(`select from ${table.name}`));
      expect(read, table.name).toBe(isRead ? 2 : notAllowed);
      const isWritten = ['tocsin.events', 'tocsin.event_keys'].includes(table.name);
      const written = await outcome(client, () => insertRow(client, table, 'c'));
      expect(written, table.name).toBe(isWritten ? 0 : notAllowed);
    }
  });

  test('drops only partitions of days, and asks who it is', async () => {
    const worker = await actAs('tocsin_worker');
    const drop = (name: string) => outcome(worker, () => worker.query('select tocsin.drop_partition($1, 250)', [name]));
    for (const name of ['secrets', 'executions', 'executions_default', 'events_0', 'captures', 'deliveries_id_pk']) {
      expect(await drop(name), name).toBe('22023');
    }
    for (const name of ['executions_20200101', "x'; drop table tocsin.secrets; --"]) expect(await drop(name)).toBe(1);
    await worker.query('commit');
    const { rows } = await db.database.pool.query("select to_regclass('tocsin.secrets') is not null as stands");
    expect(rows).toEqual([{ stands: true }]);
    const service = await actAs('tocsin_service', 'a');
    for (const call of [
      "tocsin.drop_partition('executions_20200101', 250)",
      'tocsin.ensure_partitions(3)',
      "tocsin.isolate_table('tocsin.secrets')",
    ]) {
      expect(await outcome(service, () => service.query(`select ${call}`)), call).toBe(notAllowed);
    }
  });

  test('wakes with the lock that drains hold', async () => {
    const { rows } = await db.database.pool.query(
      "select prosrc from pg_proc where oid = 'tocsin.dispatch_event'::regproc",
    );
    expect(rows[0].prosrc).toContain(`pg_try_advisory_xact_lock_shared(${idleLockKey})`);
  });

  test('isolates partitions that are made later', async () => {
    await db.database.pool.query('select tocsin.ensure_partitions(9)');
    const { rows } = await db.database.pool.query(
      `select relname from pg_class
       where relnamespace = 'tocsin'::regnamespace and relispartition and relkind = 'r'
         and not (relrowsecurity and relforcerowsecurity)`,
    );
    expect(rows).toEqual([]);
  });
});
