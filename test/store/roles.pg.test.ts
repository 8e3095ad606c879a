import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { DomainEvent } from '../../src/capture/domain-event.ts';
import { unwrap } from '../../src/model/result.ts';
import { startEmbeddedPostgres } from '../../src/runtime/embedded-postgres.ts';
import { WebhookReceiver } from '../../src/testing/webhook-receiver.ts';
import { createTocsin, type Tocsin, type TocsinOptions } from '../../src/tocsin.ts';
import { readBlocks, readme } from '../docs/read-readme.ts';
import { useLogin } from '../support/logins.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';
import { until } from '../support/until.ts';

const secretsKey = Buffer.alloc(32, 7).toString('base64');
const host = useTestTocsin({ secretsKey });

class OrderPlaced extends DomainEvent {
  readonly id: string;

  constructor(id: string, options: { tenantId?: string; idempotencyKey?: string } = {}) {
    super({ tenantId: 'acme', ...options });
    this.id = id;
  }
}

/** Tocsin with a login of its own, closed when the test ends. */
async function tocsinAs(databaseUrl: string, options: Partial<TocsinOptions> = {}): Promise<Tocsin> {
  const tocsin = await createTocsin({ databaseUrl, secretsKey, webhooks: { allowHosts: ['127.0.0.1'] }, ...options });
  onTestFinished(() => tocsin.close());
  return tocsin;
}

async function session(databaseUrl: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  onTestFinished(() => client.end());
  return client;
}

const count = async (sql: string) =>
  Number((await host.sql(`select count(*)::int as count from ${sql}`)).rows[0]?.count);

beforeAll(async () => {
  unwrap(await host.tocsin.directory.putUser('acme', { id: 'ann', email: 'ann@example.com' }));
  unwrap(await host.tocsin.directory.addToRole('acme', 'admin', 'ann'));
  unwrap(await host.tocsin.secrets.setSecret('acme', 'api_key', 'sesame open'));
});

describe('a login that is a member of tocsin_worker only', () => {
  test('runs a whole worker: matches, executes, looks up, delivers, records, gives up', async () => {
    const receiver = await WebhookReceiver.start();
    onTestFinished(() => receiver.close());
    unwrap(
      await host.tocsin.savedQueries.createSavedQuery('acme', {
        name: 'big',
        entityType: 'order',
        filter: { field: 'total', operator: 'gt', value: 1000 },
        parameters: [],
      }),
    );
    await host.publish('acme', {
      name: 'told and posted',
      triggers: [{ entityType: 'order', operation: 'insert' }],
      conditions: [{ type: 'query_match', query: 'big', expect: 'none' }],
      actions: [
        { type: 'notification', title: 'New', message: 'Order {{ payload.id }}' },
        {
          type: 'webhook',
          url: `${receiver.url}/hook`,
          headers: { authorization: '{{ secret.api_key }}' },
          payload: { id: '{{ payload.id }}' },
        },
      ],
      recipients: [{ type: 'role', id: 'admin' }],
    });
    const url = await useLogin(host.url, { roles: ['tocsin_worker'], grants: ['grant select on orders to $login'] });
    const worker = await tocsinAs(url, { webhooks: { allowHosts: ['127.0.0.1'], ports: [receiver.port] } });
    await worker.listener.start();
    await host.sql("insert into orders (tenant_id, total) values ('acme', 7)");
    await receiver.received(1);
    await until(
      'the execution is a success',
      async () => (await count("tocsin.executions where status = 'success'")) === 1,
    );
    expect(await count("tocsin.notifications where tenant_id = 'acme'")).toBe(1);
    expect(await count("tocsin.delivery_attempts where outcome = 'delivered'")).toBe(1);
    expect(receiver.requests[0]?.headers.authorization).toBe('sesame open');
    await worker.listener.stop();
    expect((await worker.metrics.render()).body).not.toMatch(/tocsin_errors_total\{.*\} [1-9]/);
  });

  test('makes and drops partitions, prunes and redrives', async () => {
    const url = await useLogin(host.url, { roles: ['tocsin_worker'] });
    const worker = await tocsinAs(url);
    await host.sql(
      `insert into tocsin.events (tenant_id, source, entity_type, operation) select '', 'db', 'order', 'insert' from generate_series(1, 3)`,
    );
    while (await worker.listener.runOnce());
    expect(await count('tocsin.event_history where failure is not null')).toBe(3);
    expect(unwrap(await worker.deadLetters.list(null)).items).toHaveLength(3);
    expect(unwrap(await worker.deadLetters.redrive(null, { all: true }))).toMatchObject({ events: 3 });
    while (await worker.listener.runOnce());
    expect((await worker.database.pool.query('select tocsin.ensure_partitions(20) > 0 as made')).rows).toEqual([
      { made: true },
    ]);
    const later = new Date(Date.now() + 40 * 86_400_000);
    expect((await worker.retention.prune({ now: later, dryRun: true })).droppedPartitions.length).toBeGreaterThan(0);
    const report = await worker.retention.prune({ now: later });
    expect(report.droppedPartitions.length).toBeGreaterThan(0);
    expect(await count('tocsin.event_history')).toBe(0);
    await host.sql('select tocsin.ensure_partitions(3)');
  });

  test('truncates drained segments of the outbox', async () => {
    const url = await useLogin(host.url, { roles: ['tocsin_worker'] });
    const client = await session(url);
    await client.query(
      'begin; lock table tocsin.events_0 in access exclusive mode nowait; truncate tocsin.events_0; commit',
    );
  });

  test('lets the doctor look at everything', async () => {
    const url = await useLogin(host.url, { roles: ['tocsin_worker'] });
    const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
    const { stdout } = await promisify(execFile)(process.execPath, [main, 'doctor', '--json', '--database', url], {
      env: { ...process.env, TOCSIN_SECRETS_KEY: secretsKey },
    }).catch((error: { stdout: string }) => error);
    const { findings } = JSON.parse(stdout) as { findings: { check: string; state: string; says: string }[] };
    expect(findings.filter(({ state }) => state === 'broken')).toEqual([]);
    expect(findings.map(({ check }) => check)).toEqual(
      expect.arrayContaining(['connection', 'migrations', 'capture public.orders', 'workers', 'lag', 'dead letters']),
    );
  });

  test('cannot act as a tenant', async () => {
    const worker = await tocsinAs(await useLogin(host.url, { roles: ['tocsin_worker'] }));
    await expect(worker.workflows.listWorkflows('acme')).rejects.toMatchObject({ code: '42501' });
  });
});

describe('a login that is a member of tocsin_service only', () => {
  test('does what administrators do, each tenant for itself', async () => {
    const app = await tocsinAs(await useLogin(host.url, { roles: ['tocsin_service'] }));
    const created = unwrap(
      await app.workflows.createWorkflow('acme', {
        name: 'by the app',
        status: 'active',
        triggers: [{ entityType: 'order', operation: 'update' }],
        actions: [{ type: 'notification', title: 'x', message: 'y' }],
        recipients: [{ type: 'user', id: 'ann' }],
      }),
    );
    unwrap(await app.workflows.updateWorkflow('acme', created.id, { description: 'changed' }));
    unwrap(await app.workflows.deactivateWorkflow('acme', created.id));
    expect(unwrap(await app.workflows.listVersions('acme', created.id)).items.length).toBeGreaterThan(0);
    unwrap(await app.workflows.deleteWorkflow('acme', created.id));
    unwrap(await app.templates.setTemplate('acme', { name: 'mail', html: '<p>hi</p>' }));
    unwrap(await app.templates.deleteTemplate('acme', 'mail'));
    unwrap(await app.secrets.setSecret('acme', 'other', 'open sesame'));
    unwrap(await app.secrets.deleteSecret('acme', 'other'));
    unwrap(await app.directory.putUser('acme', { id: 'bob' }));
    unwrap(await app.directory.setGroups('acme', 'bob', ['sales']));
    expect(await app.directory.groupsOf('acme', 'bob')).toEqual(['sales']);
    expect(unwrap(await app.directory.membersOf('acme', { group: 'sales' })).items).toHaveLength(1);
    unwrap(await app.directory.removeUser('acme', 'bob'));
    unwrap(await app.retention.setRetention('acme', 12));
    expect(unwrap(await app.retention.getRetention('acme')).days).toBe(12);
    unwrap(await app.retention.setRetention('acme', null));
    const inbox = unwrap(await app.inbox.list('acme', 'ann'));
    for (const { id } of inbox.items) unwrap(await app.inbox.markRead('acme', 'ann', id));
    unwrap(await app.workflows.getExecutionLogs('acme', {}));
    unwrap(await app.deadLetters.redrive('acme', { all: true }));
    expect(unwrap(await app.workflows.listWorkflows('globex')).items).toEqual([]);
    await expect(app.database.pool.query('select tocsin.ensure_partitions(3)')).rejects.toThrow(/permission denied/);
  });

  test('stores domain events, in its own transaction and in the host’s', async () => {
    const url = await useLogin(host.url, { roles: ['tocsin_service'] });
    const app = await tocsinAs(url);
    const stored = unwrap(await app.events.dispatch(new OrderPlaced('1', { idempotencyKey: 'once' })));
    expect(unwrap(await app.events.dispatch(new OrderPlaced('1', { idempotencyKey: 'once' })))).toEqual({
      eventId: stored.eventId,
      duplicate: true,
    });
    const tx = await session(url);
    await tx.query('begin');
    unwrap(await app.events.dispatch(new OrderPlaced('2'), { tx }));
    await tx.query('commit');
    expect(await count("tocsin.events where source = 'domain' and entity_id in ('1', '2')")).toBe(2);
  });

  test('cannot store an event of a tenant that its transaction is not bound to', async () => {
    const url = await useLogin(host.url, { roles: ['tocsin_service'] });
    const app = await tocsinAs(url);
    const tx = await session(url);
    await tx.query("begin; set local role tocsin_service; set local tocsin.tenant_id = 'globex'");
    await expect(app.events.dispatch(new OrderPlaced('3'), { tx })).rejects.toMatchObject({ cause: { code: '42501' } });
  });
});

describe('a login of the host', () => {
  test('with nothing but the right to dispatch dispatches, and reads and writes nothing', async () => {
    const url = await useLogin(host.url, {
      grants: ['grant usage on schema tocsin to $login', 'grant execute on function tocsin.dispatch_event to $login'],
    });
    const app = await tocsinAs(url);
    expect(unwrap(await app.events.dispatch(new OrderPlaced('4', { idempotencyKey: 'four' }))).duplicate).toBe(false);
    const client = await session(url);
    for (const statement of [
      'select from tocsin.events',
      'select from tocsin.event_keys',
      'delete from tocsin.events',
    ]) {
      await expect(client.query(statement)).rejects.toThrow(/permission denied/);
    }
  });

  test('with rights on its own table only is captured, and can neither read, write nor call anything of ours', async () => {
    const url = await useLogin(host.url, { grants: ['grant select, insert, update, delete on orders to $login'] });
    const client = await session(url);
    const before = await count("tocsin.events where tenant_id = 'acme' and source = 'db'");
    await client.query("set tocsin.actor = 'ann'; set tocsin.causation = 'a chain'");
    await client.query("insert into orders (tenant_id, total) values ('acme', 1)");
    expect(await count("tocsin.events where tenant_id = 'acme' and source = 'db'")).toBe(before + 1);
    const { rows } = await host.sql('select actor, causation from tocsin.events order by position desc limit 1');
    expect(rows).toEqual([{ actor: 'ann', causation: 'a chain' }]);
    const { rows: functions } = await host.sql(
      "select proname from pg_proc where pronamespace = 'tocsin'::regnamespace and prorettype = 'trigger'::regtype and proname like 'capture_%'",
    );
    expect(functions.length).toBeGreaterThanOrEqual(3);
    const { rows: rights } = await host.sql(
      `select has_schema_privilege('tocsin_capture', 'tocsin', 'create') as creates,
         array(
           select p.proname::text
           from pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) g
           where p.pronamespace = 'tocsin'::regnamespace and g.grantee = 0) as "ofEverybody"`,
    );
    expect(rights).toEqual([{ creates: false, ofEverybody: [] }]);
    for (const statement of [
      'select from tocsin.events',
      "insert into tocsin.events (tenant_id, source, entity_type, operation) values ('b', 'db', 'x', 'insert')",
      'select tocsin.wake_up()',
      "select nextval('tocsin.event_position')",
      'set role tocsin_capture',
      ...functions.map(
        ({ proname }) => `create trigger mine after insert on orders execute function tocsin.${proname}()`,
      ),
    ]) {
      await expect(client.query(statement), statement).rejects.toThrow(/permission denied|must be owner/);
    }
  });
});

describe('the option savedQueries.role', () => {
  test('lets saved queries read what that role is granted, whatever the login may read', async () => {
    unwrap(
      await host.tocsin.savedQueries.createSavedQuery('globex', {
        name: 'any',
        entityType: 'order',
        filter: { field: 'total', operator: 'gt', value: 0 },
        parameters: [],
      }),
    );
    await host.publish('globex', {
      name: 'asks',
      triggers: [{ entityType: 'order', operation: 'insert' }],
      conditions: [{ type: 'query_match', query: 'any' }],
      actions: [{ type: 'notification', title: 'x', message: 'y' }],
      recipients: [{ type: 'user', id: 'gus' }],
    });
    unwrap(await host.tocsin.directory.putUser('globex', { id: 'gus' }));
    const tocsin = await tocsinAs(host.url, { savedQueries: { role: 'tocsin_query' } });
    const decided = async () => {
      await host.sql("insert into orders (tenant_id, total) values ('globex', 5)");
      while (await tocsin.listener.runOnce());
      const { items } = unwrap(await tocsin.workflows.getExecutionLogs('globex', {}));
      return items[0]?.status;
    };
    expect(await decided()).not.toBe('success');
    await host.sql('grant select on orders to tocsin_query');
    expect(await decided()).toBe('success');
    await host.sql('revoke select on orders from tocsin_query');
  });
});

describe('the grants that README shows', () => {
  test('let each login do its part', async () => {
    const grants = readBlocks(readme).find(({ source }) => source === 'grants')?.text ?? '';
    const logins = ['shop_app', 'shop_worker', 'shop_batch'];
    await host.sql(logins.map((login) => `create role ${login} login;`).join(' '));
    onTestFinished(async () => {
      await host.sql(logins.map((login) => `drop owned by ${login}; drop role ${login};`).join(' '));
      await host.sql('drop table customers; revoke select on orders from tocsin_query');
    });
    await host.sql('create table customers (id int)');
    await host.sql(grants);
    const [app, worker, batch] = await Promise.all(
      logins.map((login) =>
        tocsinAs(host.url.replace('postgres@', `${login}@`), { savedQueries: { role: 'tocsin_query' } }),
      ),
    );
    unwrap(await (app as Tocsin).workflows.listWorkflows('acme'));
    unwrap(await (batch as Tocsin).events.dispatch(new OrderPlaced('5')));
    expect(await (worker as Tocsin).listener.runOnce()).toBe(true);
  });
});

describe('migrate', () => {
  test('as a login that may not create roles says what a superuser has to run; then one login does everything', async () => {
    const server = await startEmbeddedPostgres();
    onTestFinished(() => server.stop());
    const admin = await session(server.connectionString);
    await admin.query('create role owner login');
    await admin.query('create database product owner owner');
    const url = server.connectionString.replace('postgres@', 'owner@').replace(/postgres$/, 'product');
    const product = await tocsinAs(url);
    const refusal = await product.migrate().catch((error: Error) => error);
    expect(refusal).toMatchObject({ code: 'not_allowed' });
    const remedy = /once, then migrate again: (.*;)$/.exec((refusal as Error).message)?.[1];
    await admin.query(remedy as string);
    expect(await product.migrate()).toBeGreaterThan(0);
    await product.database.pool.query('create table orders (id int primary key, tenant_id text, total int)');
    unwrap(await product.capture.install({ table: 'orders', entityType: 'order', tenantColumn: 'tenant_id' }));
    expect(unwrap(await product.capture.verify())[0]?.problems).toEqual([]);
    unwrap(await product.directory.putUser('acme', { id: 'ann' }));
    unwrap(
      await product.workflows.createWorkflow('acme', {
        name: 'one login',
        status: 'active',
        triggers: [{ entityType: 'order', operation: 'insert' }],
        actions: [{ type: 'notification', title: 'x', message: 'y' }],
        recipients: [{ type: 'user', id: 'ann' }],
      }),
    );
    await product.database.pool.query("insert into orders values (1, 'acme', 5)");
    while (await product.listener.runOnce());
    expect(unwrap(await product.inbox.list('acme', 'ann')).items).toHaveLength(1);
    expect(unwrap(await product.inbox.list('globex', 'ann')).items).toHaveLength(0);
    const later = new Date(Date.now() + 400 * 86_400_000);
    expect((await product.retention.prune({ now: later })).droppedPartitions.length).toBeGreaterThan(0);
    await product.database.pool.query('select tocsin.ensure_partitions(3)');
    await admin.query('revoke tocsin_worker from owner');
    const blind = product.retention.prune({ now: later });
    await expect(blind).rejects.toMatchObject({
      cause: { message: expect.stringContaining('grant tocsin_worker to owner') },
    });
  });
});
