import { describe, expect, type TestContext, test } from 'vitest';
import { unwrap } from '../../src/model/result.ts';
import { createTocsin, type Tocsin } from '../../src/tocsin.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { PostgresCluster } from '../support/postgres-cluster.ts';
import { SmallDisk } from '../support/small-disk.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';
import { WriterLedger } from '../support/writer-ledger.ts';
import { useWorkerConfig } from './worker-config.ts';

const config = useWorkerConfig();
const tenantId = 'acme';

type Place = { readonly cluster: PostgresCluster; readonly onTestFinished: TestContext['onTestFinished'] };
type Scene = { readonly tocsin: Tocsin; readonly worker: WorkerProcess; readonly ledger: WriterLedger };

/** A database of a server of its own, in a tablespace if one is given, whose orders ann is told of, and a worker. */
async function makeScene({ cluster, onTestFinished }: Place, tablespace = 'pg_default'): Promise<Scene> {
  const admin = await createTocsin({ databaseUrl: cluster.url() });
  await admin.database.pool.query(`create database shop tablespace ${tablespace}`);
  await admin.close();
  const tocsin = await createTocsin({ databaseUrl: cluster.url('shop') });
  onTestFinished(() => tocsin.close());
  await tocsin.migrate();
  unwrap(await tocsin.directory.putUsers(tenantId, [{ id: 'ann' }]));
  await tocsin.database.pool.query('create table orders (id int primary key, tenant_id text)');
  unwrap(await tocsin.capture.install({ table: 'orders', entityType: 'order', tenantColumn: 'tenant_id' }));
  unwrap(
    await tocsin.workflows.createWorkflow(tenantId, {
      name: 'orders',
      status: 'active',
      triggers: [{ entityType: 'order', operation: 'insert' }],
      actions: [{ type: 'notification', title: 'order', message: 'order' }],
      recipients: [{ type: 'user', id: 'ann' }],
    }),
  );
  const worker = await WorkerProcess.start(cluster.url('shop'), { args: config.args });
  onTestFinished(() => worker.kill());
  return { tocsin, worker, ledger: new WriterLedger() };
}

async function startCluster({ onTestFinished }: TestContext): Promise<Place> {
  const cluster = await PostgresCluster.start();
  onTestFinished(() => cluster.remove());
  return { cluster, onTestFinished };
}

async function order({ tocsin, ledger }: Scene, id: number): Promise<void> {
  await tocsin.database.pool.query('insert into orders values ($1, $2)', [id, tenantId]);
  ledger.note({ tenantId, entityType: 'order', entityId: String(id), operation: 'insert' }, 'committed');
}

async function ask({ worker }: Scene, path: string): Promise<{ status: number; body: string }> {
  const answer = await fetch(`http://127.0.0.1:${worker.httpPort}${path}`);
  return { status: answer.status, body: await answer.text() };
}

/** Says what is the matter once, shows it in /healthz, and does not ask again and again. */
async function expectToWait(scene: Scene, sentence: string): Promise<void> {
  const isShown = async () => (await ask(scene, '/healthz')).body.includes(sentence);
  await until(`/healthz says: ${sentence}`, isShown, 60_000);
  expect((await ask(scene, '/healthz')).status).toBe(503);
  const errors = async () => {
    const counts = (await ask(scene, '/metrics')).body.matchAll(/^tocsin_errors_total\{loop="match"\} (\d+)/gm);
    return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
  };
  // The waits grow to seconds: were they not, each lane would ask ten times a second.
  const [before, since] = [await errors(), performance.now()];
  await until('eight seconds have passed', async () => performance.now() - since > 8_000, 30_000);
  expect((await errors()) - before).toBeLessThan(40);
  expect(scene.worker.log.filter((line) => line.includes(sentence))).toHaveLength(1);
}

/** Goes on by itself, with the same process, and loses nothing. */
async function expectToResume(scene: Scene): Promise<void> {
  const { tocsin, worker, ledger } = scene;
  const isWell = async () => (await ask(scene, '/healthz')).status === 200;
  await until('the worker is well', isWell, 120_000);
  await until('everything is matched', async () => (await tocsin.listener.backlog()).events === 0, 60_000);
  expect(await brokenInvariants(tocsin.database, { ledger, isDrained: true, isSteady: true })).toEqual([]);
  expect(await worker.terminate()).toBe(0);
}

// Each has a server of its own and mostly waits.
describe.concurrent('a database that takes no writes', () => {
  test('F24: the disk of the database is full: the worker says that it waits, and resumes when there is space', {
    timeout: 300_000,
  }, async (context) => {
    const place = await startCluster(context);
    const { cluster, onTestFinished } = place;
    const disk = SmallDisk.tryMount(96, cluster.dataDir);
    if (disk) onTestFinished(() => disk.unmount());
    if (disk) {
      const admin = await createTocsin({ databaseUrl: cluster.url() });
      await admin.database.pool.query(`create tablespace small location '${disk.path}'`);
      await admin.close();
    }
    const scene = await makeScene(place, disk ? 'small' : 'pg_default');
    await order(scene, 1);
    const { makeSpace } = disk ? await fillDisk(scene) : await refuseHistory(scene);
    await expectToWait(scene, 'the disk of the database is full');
    await makeSpace();
    await expectToResume(scene);
  });

  test('F25: the database is read-only: the worker says that it waits, and resumes when it is not', {
    timeout: 300_000,
  }, async (context) => {
    const scene = await makeScene(await startCluster(context));
    const { pool } = scene.tocsin.database;
    await order(scene, 1);
    const setReadOnly = async (value: 'on' | 'off') => {
      await pool.query(`begin read write; alter database shop set default_transaction_read_only = ${value}; commit`);
      await pool.query(
        'select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()',
        ['shop'],
      );
    };
    await setReadOnly('on');
    await expectToWait(scene, 'the database takes no writes');
    await setReadOnly('off');
    await pool.query('set default_transaction_read_only = off');
    await order(scene, 2);
    await expectToResume(scene);
  });
});

/** Fills the disk to the last block while orders come in, until one of them finds no space. */
async function fillDisk(scene: Scene): Promise<{ makeSpace: () => Promise<unknown> }> {
  const { pool } = scene.tocsin.database;
  await pool.query('create table filler (bytes text)');
  for (let bytes = 4_000_000; bytes >= 500; ) {
    const filled = pool.query(
      'insert into filler select repeat(md5(n::text), 15) from generate_series(1, $1::int / 500) n',
      [bytes],
    );
    await filled.catch(() => {
      bytes /= 2;
    });
  }
  for (let id = 2; ; id++) {
    // Whether a worker or a writer finds the disk full first: the writer's rollback is a rollback.
    const isWritten = await order(scene, id).then(
      () => true,
      () => false,
    );
    if (!isWritten || id > 20_000) return { makeSpace: () => pool.query('drop table filler') };
  }
}

/** Where no small disk can be made: the history refuses rows as a full disk does. */
async function refuseHistory(scene: Scene): Promise<{ makeSpace: () => Promise<unknown> }> {
  const { pool } = scene.tocsin.database;
  await pool.query(
    `create function full_disk() returns trigger language plpgsql as
       $$ begin raise exception 'could not extend file: No space left on device' using errcode = '53100'; end $$;
     create trigger full_disk before insert on tocsin.event_history for each row execute function full_disk()`,
  );
  await order(scene, 2);
  return { makeSpace: () => pool.query('drop trigger full_disk on tocsin.event_history') };
}
