import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { migrate } from '../../src/store/migrate.ts';
import { WebhookReceiver } from '../../src/testing/webhook-receiver.ts';
import { nextMigrations } from '../support/extra-migrations.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { newTenant, orderNotification, orderWorkflow } from '../support/orders-workflows.ts';
import { TableLock } from '../support/table-lock.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';
import { WriterLedger } from '../support/writer-ledger.ts';
import { newRelease } from './new-release.config.ts';

const t = useTestTocsin({ ...newRelease, worker: {} });
const configOf = (file: string) => ['--config', fileURLToPath(new URL(file, import.meta.url))];
const oldWorker = () => startWorker('old-release.config.ts');
const newWorker = () => startWorker('new-release.config.ts');
const ledger = new WriterLedger();
const workers: WorkerProcess[] = [];
let receiver: WebhookReceiver;

beforeAll(async () => {
  receiver = await WebhookReceiver.start();
});
afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.kill()));
});
afterAll(() => receiver.close());

async function startWorker(file: string): Promise<WorkerProcess> {
  const worker = await WorkerProcess.start(t.url, { args: configOf(file) });
  workers.push(worker);
  return worker;
}

async function order(tenant: string, sql: typeof t.sql = t.sql): Promise<void> {
  const { rows } = await sql('insert into orders (tenant_id, total) values ($1, 100) returning id', [tenant]);
  const entityId = String(rows[0]?.id);
  ledger.note({ tenantId: tenant, entityType: 'order', entityId, operation: 'insert' }, 'committed');
}

const count = async (from: string, tenant: string) =>
  Number((await t.sql(`select count(*) as n from ${from} and tenant_id = $1`, [tenant])).rows[0]?.n);
const hits = (path: string) => receiver.requests.filter((request) => request.path === path);

/** What both releases can run, and what only the new one can; each tells ann and ben, or calls once. */
async function publishAll(tenant: string): Promise<{ plain: string; onlyNew: string[] }> {
  const url = (action: string) => `${receiver.url}/${tenant}/${action}`;
  const paysWell = { type: 'pays_well', above: 50 };
  const plain = await t.publish(tenant, orderWorkflow({ name: 'plain' }));
  const onlyNew = [
    orderWorkflow({ name: 'condition', conditions: [paysWell] }),
    orderWorkflow({
      name: 'condition within another',
      conditions: [
        { type: 'composite', any: [paysWell, { type: 'field_value', field: 'status', operator: 'eq', value: 'x' }] },
      ],
    }),
    orderWorkflow({ name: 'condition of an action', actions: [{ ...orderNotification, conditions: [paysWell] }] }),
    orderWorkflow({ name: 'recipient', recipients: [{ type: 'on_duty' }] }),
    orderWorkflow({ name: 'action', actions: [{ type: 'page', url: url('page') }] }),
    orderWorkflow({ name: 'action that takes more', actions: [{ type: 'sms', url: url('sms'), isUrgent: true }] }),
  ];
  return { plain, onlyNew: await Promise.all(onlyNew.map((workflow) => t.publish(tenant, workflow))) };
}

/** Nothing is open any more. What a worker of the old release could not do is looked at again at once. */
async function allDone(tenant: string): Promise<void> {
  await until(
    'nothing is open',
    async () => {
      await t.sql(
        "update tocsin.deliveries set due_at = now() where tenant_id = $1 and status = 'pending' and reason = 'unknown_handler' and lease_token is null",
        [tenant],
      );
      const isOpen = await t.sql(
        `select from tocsin.events where tenant_id = $1
         union all
         select from tocsin.executions where tenant_id = $1 and status in ('pending', 'running')`,
        [tenant],
      );
      return isOpen.rows.length === 0;
    },
    60_000,
  );
}

async function expectAllTold(tenant: string, orders: number): Promise<void> {
  const { rows } = await t.sql(
    'select status, reason, attempts > 1 as again, count(*)::int as n from tocsin.executions where tenant_id = $1 group by 1, 2, 3',
    [tenant],
  );
  expect(rows).toEqual([{ status: 'success', reason: null, again: false, n: orders * 7 }]);
  expect(await count('tocsin.notifications where true', tenant)).toBe(orders * 5 * 2);
  for (const action of ['page', 'sms']) {
    const ids = hits(`/${tenant}/${action}`).map(({ headers }) => headers['webhook-id']);
    expect(ids).toHaveLength(orders * 2);
    expect(new Set(ids).size).toBe(ids.length);
  }
  expect(await count("tocsin.deliveries where status = 'delivered' and attempts > 1", tenant)).toBe(0);
  expect(await brokenInvariants(t.database, { ledger, isDrained: true, isSteady: true })).toEqual([]);
}

describe('two versions of the worker', () => {
  test('F33: both at once: what the old one does not know it leaves to the new one, uncounted', {
    timeout: 120_000,
  }, async () => {
    const tenant = await newTenant(t);
    await publishAll(tenant);
    const [old] = await Promise.all([oldWorker(), newWorker()]);
    for (let i = 0; i < 40; i++) await order(tenant);
    await allDone(tenant);
    expect(old?.log.join('\n')).toContain('condition type \\"pays_well\\"');
    await expectAllTold(tenant, 40);
  });

  test('F33: the old one alone for a while, restarted and killed: what it does not know waits, and the new one does it', {
    timeout: 120_000,
  }, async () => {
    const tenant = await newTenant(t);
    const { plain } = await publishAll(tenant);
    const first = await oldWorker();
    for (let i = 0; i < 5; i++) await order(tenant);
    const plainDone = (orders: number) =>
      until(
        'the plain workflow ran',
        async () =>
          (await count(`tocsin.executions where status = 'success' and workflow_id = '${plain}'`, tenant)) === orders,
        30_000,
      );
    await plainDone(5);
    await first.kill();
    await oldWorker();
    await order(tenant);
    await plainDone(6);
    const waits = async () =>
      (
        await t.sql(
          'select distinct status, attempts, lease_token from tocsin.executions where tenant_id = $1 and workflow_id <> $2',
          [tenant, plain],
        )
      ).rows;
    // What it met is given back, uncounted.
    await until('nothing is leased', async () => (await waits()).every((row) => row.lease_token === null), 30_000);
    expect(await waits()).toEqual([{ status: 'pending', attempts: 0, lease_token: null }]);
    // As if it had been so for more than a minute.
    await t.sql(
      `update tocsin.executions set reason = 'unknown_handler', due_at = now() + interval '1 hour'
       where tenant_id = $1 and status = 'pending'`,
      [tenant],
    );
    await newWorker();
    await allDone(tenant);
    await expectAllTold(tenant, 6);
  });

  test('F33: an engine that is older than the schema and than a definition runs what it knows', {
    timeout: 120_000,
  }, async () => {
    const tenant = await newTenant(t);
    const plain = await t.publish(tenant, orderWorkflow({}));
    const newer = await t.publish(tenant, orderWorkflow({}));
    // Published again by a version that knows a setting which holds messages back.
    await t.sql(
      `with moved as (
         update tocsin.definitions_version set version = version + 1 returning version
       ), published as (
         insert into tocsin.workflow_versions (workflow_id, version, tenant_id, definition)
         select workflow_id, 2, tenant_id, jsonb_set(definition, '{settings,quietHours}', '"22-6"')
         from tocsin.workflow_versions
         where workflow_id = $1
       )
       update tocsin.workflows set published_version = 2, changed_at_version = moved.version from moved where id = $1`,
      [newer],
    );
    await migrate(t.database, {
      migrationsFolder: await nextMigrations({
        '9000_executions': 'alter table tocsin.executions add column next text;',
        '9001_deliveries': 'alter table tocsin.deliveries add column next text;',
        '9002_next': 'create table tocsin.next (id int);',
      }),
    });
    const worker = await oldWorker();
    await order(tenant);
    await until(
      'the plain workflow ran',
      async () =>
        (await count(`tocsin.executions where status = 'success' and workflow_id = '${plain}'`, tenant)) === 1,
      30_000,
    );
    expect(worker.log.join('\n')).toContain('settings.quietHours');
    expect(
      await count(`tocsin.executions where status = 'pending' and attempts = 0 and workflow_id = '${newer}'`, tenant),
    ).toBe(1);
    expect(await worker.terminate()).toBe(0);
    expect(await brokenInvariants(t.database, { ledger })).toEqual([]);
    await t.sql(
      "update tocsin.executions set status = 'cancelled', completed_at = now() where tenant_id = $1 and status = 'pending'",
      [tenant],
    );
  });
});

/** Writers that insert orders one after the other, each on a connection of its own. */
class Writers {
  written = 0;
  readonly #stopping = new AbortController();
  readonly #done: Promise<unknown>;

  constructor(tenant: string, { writers }: { writers: number }) {
    this.#done = Promise.all(Array.from({ length: writers }, () => this.#write(tenant)));
  }

  /** Resolves when so many more are committed. */
  async more(orders: number): Promise<void> {
    const enough = this.written + orders;
    await until('writers go on', async () => this.written >= enough, 30_000);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#done;
  }

  async #write(tenant: string): Promise<void> {
    const client = new pg.Client({ connectionString: t.url });
    await client.connect();
    try {
      while (!this.#stopping.signal.aborted) {
        await order(tenant, (text, values) => client.query(text, values));
        this.written += 1;
        await wait(5);
      }
    } finally {
      await client.end();
    }
  }
}

describe('migrations under load', () => {
  test('F34: writers and workers of the version before go on, also while a transaction keeps the migration from its lock', {
    timeout: 120_000,
  }, async () => {
    const tenant = await newTenant(t);
    await t.publish(
      tenant,
      orderWorkflow({ actions: [orderNotification, { type: 'sms', url: `${receiver.url}/${tenant}` }] }),
    );
    const worker = await oldWorker();
    const writers = new Writers(tenant, { writers: 3 });
    onTestFinished(() => writers.stop());
    await writers.more(20);

    const migrationsFolder = await nextMigrations({
      '9100_events': 'alter table tocsin.events add column newer text;',
      '9101_history': 'alter table tocsin.event_history add column newer text;',
      '9102_deliveries': 'alter table tocsin.deliveries add column newer int not null default 0;',
      '9103_executions': 'alter table tocsin.executions add column newer int not null default 0;',
      '9104_table': 'create table tocsin.newer (id int);',
      '9105_index':
        'create index concurrently "deliveries_newer" on "tocsin"."deliveries" ("newer") where status = \'pending\';',
    });
    // A writer that keeps its transaction open.
    const open = new pg.Client({ connectionString: t.url, application_name: 'forgotten' });
    await open.connect();
    await open.query('begin');
    await order(tenant, (text, values) => open.query(text, values));
    const said: string[] = [];
    const done = migrate(t.database, { migrationsFolder, lockTimeoutMs: 500, onWait: (message) => said.push(message) });
    for (const tries of [1, 2, 3]) {
      await until('it tries in vain', async () => said.length >= tries, 30_000);
      await writers.more(3);
    }
    expect(said[0]).toMatch(/tocsin\.events is locked by pid \d+ \(forgotten, idle in transaction/);
    await open.query('commit');
    await open.end();
    expect(await done).toBe(6);

    await writers.more(20);
    // One that starts on the schema of the next version works too.
    const late = await oldWorker();
    await worker.terminate();
    await writers.more(20);
    await writers.stop();
    await allDone(tenant);
    expect(late.exit).toBeNull();
    for (const { log } of [worker, late]) expect(log.filter((line) => line.includes('"level":50'))).toEqual([]);
    expect(await count("tocsin.executions where status = 'success'", tenant)).toBe(writers.written + 1);
    expect(await brokenInvariants(t.database, { ledger, isSteady: true })).toEqual([]);
  });

  test.each([
    ['that waits for a lock', 9200, 'alter table tocsin.templates add column again text;'],
    ['that builds an index', 9300, 'create index concurrently "templates_again" on "tocsin"."templates" ("name");'],
  ])(
    'F34: a migrate %s is killed: its session ends, and the next one completes',
    { timeout: 60_000 },
    async (_where, number, statement) => {
      const migrationsFolder = await nextMigrations({
        [`${number}_before`]: `create table tocsin.before_${number} (id int);`,
        [`${number + 1}_midst`]: statement,
        [`${number + 2}_after`]: `create table tocsin.after_${number} (id int);`,
      });
      const lock = await TableLock.take(t.url, 'tocsin.templates', 'row exclusive');
      const script = `
      const { migrate } = await import(process.argv[1]);
      const { openDatabase } = await import(process.argv[2]);
      await migrate(openDatabase({ databaseUrl: process.argv[3] }), { migrationsFolder: process.argv[4] });`;
      const modules = ['migrate', 'database'].map(
        (name) => new URL(`../../src/store/${name}.ts`, import.meta.url).href,
      );
      const args = ['--input-type=module', '--eval', script, ...modules, t.url, migrationsFolder];
      const process_ = spawn(process.execPath, args, { stdio: 'inherit' });
      const sessions = async (waiting: string) =>
        (
          await t.sql(
            `select from pg_stat_activity where datname = current_database() and application_name = 'tocsin migrate' and ${waiting}`,
          )
        ).rows.length;
      await until('it waits', async () => (await sessions("wait_event_type = 'Lock'")) === 1, 30_000);
      process_.kill('SIGKILL');
      await once(process_, 'exit');
      await until('its session ends', async () => (await sessions('true')) === 0, 20_000);
      await lock.release();
      const stands = async () =>
        (
          await t.sql(
            `select to_regclass('tocsin.before_${number}') as before, to_regclass('tocsin.after_${number}') as after`,
          )
        ).rows[0];
      expect(await stands()).toEqual({ before: `tocsin.before_${number}`, after: null });
      expect(await migrate(t.database, { migrationsFolder })).toBe(2);
      expect(await stands()).toEqual({ before: `tocsin.before_${number}`, after: `tocsin.after_${number}` });
      expect((await t.sql('select from pg_index where not indisvalid')).rows).toEqual([]);
    },
  );
});
