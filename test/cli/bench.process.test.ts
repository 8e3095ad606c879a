import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/runtime/embedded-postgres.ts';
import { type Database, openDatabase } from '../../src/store/database.ts';
import { until } from '../support/until.ts';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const run = promisify(execFile);
const timeoutMs = 120_000;

/** A server of its own: what is looked at is all of it. */
let postgres: EmbeddedPostgres;
let database: Database;

beforeAll(async () => {
  postgres = await startEmbeddedPostgres();
  database = openDatabase({ databaseUrl: postgres.connectionString });
  await database.pool.query('create table orders (id bigint primary key)');
}, timeoutMs);
afterAll(async () => {
  await database.close();
  await postgres.stop();
});

/** Everything that a benchmark could leave behind: databases, roles, schemas and tables. */
async function readServer(): Promise<unknown> {
  const { rows } = await database.pool.query(
    `select 'database' as kind, datname::text as name from pg_database
     union all
     select 'role', rolname::text from pg_roles
     union all
     select 'schema', nspname::text from pg_namespace where nspname not like 'pg\\_%'
     union all
     select 'table', schemaname || '.' || tablename from pg_tables where schemaname = 'public'
     order by 1, 2`,
  );
  return rows;
}

function bench(...args: string[]): [string, string[]] {
  return [process.execPath, [main, 'bench', '--database', postgres.connectionString, '--rounds', '1', ...args]];
}

describe('tocsin bench', { timeout: timeoutMs }, () => {
  test('measures, finds every answer right, and leaves the server as it was', async () => {
    const before = await readServer();
    const { stdout } = await run(...bench('--scale', '0.02', '--json'));
    const report = JSON.parse(stdout);
    expect(
      report.results.map(({ name, failure }: { name: string; failure: string | null }) => [name, failure]),
    ).toEqual([
      ['drain', null],
      ['latency', null],
    ]);
    expect(Object.keys(report.results[0].figures.Tocsin)).toEqual(
      expect.arrayContaining(['events/s', 'Node us/event', 'WAL B/event', 'round trips/batch']),
    );
    expect(await readServer()).toEqual(before);
  });

  test('drops what it made when it is stopped', async () => {
    const before = await readServer();
    const child = spawn(...bench('--scale', '5'), { stdio: 'ignore' });
    const exited = once(child, 'exit');
    await until(
      'it works in a scratch database',
      async () => {
        const { rows } = await database.pool.query(
          `select 1 from pg_stat_activity where datname like 'tocsin\\_bench\\_%' and query ilike '%order_events%'`,
        );
        return rows.length > 0;
      },
      60_000,
    );
    child.kill('SIGINT');
    expect(await exited).toEqual([130, null]);
    expect(await readServer()).toEqual(before);
  });

  test('refuses a login that may not create databases, rather than measure in one that holds data', async () => {
    await database.pool.query('create role shop login');
    const url = postgres.connectionString.replace('postgres@', 'shop@');
    const refused = run(process.execPath, [main, 'bench', '--database', url]);
    await expect(refused).rejects.toMatchObject({
      code: 5,
      stderr: expect.stringContaining('the login "shop" may not create a database'),
    });
    await database.pool.query('drop role shop');
  });
});
