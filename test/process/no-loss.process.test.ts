import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { unwrap } from '../../src/model/result.ts';
import { readBacklog } from '../../src/store/health.ts';
import { createTocsin } from '../../src/tocsin.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { useTestDatabase } from '../support/test-database.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const db = useTestDatabase();

const writers = 8;
const changesEach = 5_000;
const kills = 3;

type Change = { readonly id: number; readonly operation: 'insert' | 'update' | 'delete' };

describe('a worker that is killed while eight writers write', () => {
  test(`matches exactly the committed of ${writers * changesEach} changes, and tells nobody twice`, {
    timeout: 300_000,
  }, async () => {
    const tocsin = await createTocsin({ databaseUrl: db.url });
    await db.database.pool.query('create table items (id int primary key, tenant text not null, note text)');
    unwrap(await tocsin.capture.install({ table: 'items', entityType: 'item', tenantColumn: 'tenant' }));
    unwrap(await tocsin.directory.putUsers('t1', [{ id: 'ann' }]));
    unwrap(
      await tocsin.workflows.createWorkflow('t1', {
        name: 'every change',
        status: 'active',
        triggers: ['insert', 'update', 'delete'].map((operation) => ({ entityType: 'item', operation })),
        actions: [{ type: 'notification', title: '{{ event.operation }}', message: '{{ event.entity_id }}' }],
        recipients: [{ type: 'user', id: 'ann' }],
      }),
    );

    let done = 0;
    const killer = killWorkers(() => done / (writers * changesEach));
    const committed = (
      await Promise.all(Array.from({ length: writers }, (_, index) => write(index, () => done++)))
    ).flat();
    const last = await killer;
    await until('everything is matched', async () => (await readBacklog(db.database.pool)).events === 0, 120_000);
    expect(await last.terminate()).toBe(0);

    const { rows } = await db.database.pool.query<{ change: string }>(
      "select entity_id || ' ' || operation as change from tocsin.event_history",
    );
    expect(countAll(rows.map(({ change }) => change))).toEqual(
      countAll(committed.map(({ id, operation }) => `${id} ${operation}`)),
    );
    const counts = await db.database.pool.query(
      `select (select count(*)::int from tocsin.executions where status = 'success') as executions,
           (select count(*)::int from tocsin.notifications) as notifications`,
    );
    expect(counts.rows[0]).toEqual({ executions: committed.length, notifications: committed.length });
    expect(await brokenInvariants(db.database)).toEqual([]);
    await tocsin.close();
  });
});

/** Keeps one worker running and kills it at even parts of the way; answers the last one. */
async function killWorkers(progress: () => number): Promise<WorkerProcess> {
  let worker = await WorkerProcess.start(db.url);
  for (let kill = 1; kill <= kills; kill++) {
    await until(`${kill} of ${kills} kills`, async () => progress() >= kill / (kills + 1), 240_000);
    await worker.kill();
    worker = await WorkerProcess.start(db.url);
  }
  return worker;
}

/** One writer with rows of its own: six inserts, three updates and a delete in ten, each tenth transaction rolled back. */
async function write(writer: number, wrote: () => void): Promise<Change[]> {
  const client = new pg.Client({ connectionString: db.url });
  await client.connect();
  const committed: Change[] = [];
  const alive: number[] = [];
  for (let n = 0; n < changesEach; n++) {
    const isRolledBack = n % 10 === 7;
    const turn = n % 10;
    const operation = turn < 6 || alive.length === 0 ? 'insert' : turn === 9 ? 'delete' : 'update';
    const id = operation === 'insert' ? writer * changesEach + n : (alive.at(-1) as number);
    const statement = {
      insert: `insert into items values (${id}, 't1', 'n${n}')`,
      update: `update items set note = 'n${n}' where id = ${id}`,
      delete: `delete from items where id = ${id}`,
    }[operation];
    await client.query(`begin; ${statement}; ${isRolledBack ? 'rollback' : 'commit'}`);
    wrote();
    if (isRolledBack) continue;
    if (operation === 'insert') alive.push(id);
    if (operation === 'delete') alive.pop();
    committed.push({ id, operation });
  }
  await client.end();
  return committed;
}

function countAll(words: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const word of words.toSorted()) counts.set(word, (counts.get(word) ?? 0) + 1);
  return counts;
}
