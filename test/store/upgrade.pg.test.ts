import { randomUUID } from 'node:crypto';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { drizzle } from 'drizzle-orm/node-postgres';
import { migrate as applyMigrations } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { openDatabase } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';

const migrationsOf = fileURLToPath(new URL('../../migrations', import.meta.url));

async function run(url: string, ...statements: string[]): Promise<pg.QueryResult> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements.slice(0, -1)) await client.query(statement);
    return await client.query(statements.at(-1) ?? 'select');
  } finally {
    await client.end();
  }
}

/** A database of release 0.1.0 with a captured table, all of it owned by a login of the name it answers. */
async function installRelease1(attributes: string) {
  const admin = inject('serverUrl');
  const name = `old_${randomUUID().replaceAll('-', '').slice(0, 12)}`;
  const at = (login: string) => admin.replace('postgres@', `${login}@`).replace(/postgres$/, name);
  await run(admin, `create role ${name} login ${attributes}`, `create database ${name} owner ${name}`);
  onTestFinished(async () => {
    await run(admin, `drop database ${name} with (force)`, `drop owned by ${name}`, `drop role ${name}`);
  });
  await run(at('postgres'), `grant all on schema public to ${name}`);
  const folder = await mkdtemp(join(tmpdir(), 'tocsin-migrations-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  await cp(migrationsOf, folder, { recursive: true });
  const journal = join(folder, 'meta', '_journal.json');
  const { entries, ...rest } = JSON.parse(await readFile(journal, 'utf8'));
  await writeFile(journal, JSON.stringify({ ...rest, entries: entries.slice(0, 2) }));
  const client = new pg.Client({ connectionString: at(name) });
  await client.connect();
  await applyMigrations(drizzle(client), {
    migrationsFolder: folder,
    migrationsSchema: 'tocsin',
    migrationsTable: 'migrations',
  });
  await client.end();
  await run(
    at(name),
    'create table orders (id int)',
    `create function tocsin.capture_insert_orders_0() returns trigger
       language plpgsql
       security definer
       set search_path = pg_catalog, pg_temp
       as $$
       begin
         insert into tocsin.events (tenant_id, source, entity_type, entity_id, operation, payload)
         select 'acme', 'db', 'order', id::text, 'insert', to_json(n) from new_rows n;
         perform tocsin.wake_up();
         return null;
       end $$`,
    `create trigger tocsin_capture_insert after insert on orders
       referencing new table as new_rows for each statement execute function tocsin.capture_insert_orders_0()`,
    'insert into orders values (1)',
  );
  return { name, at };
}

async function migrateAs(url: string): Promise<number> {
  const database = openDatabase({ databaseUrl: url });
  return migrate(database).finally(() => database.close());
}

describe('migrate of a database of release 0.1.0', () => {
  test('by a superuser: what another login owns is captured, seen and maintained as before', async () => {
    const { name, at } = await installRelease1('inherit');
    expect(await migrateAs(at('postgres'))).toBeGreaterThan(0);
    await run(at(name), 'insert into orders values (2)');
    const seen = await run(at(name), 'select entity_id from tocsin.events order by position');
    expect(seen.rows.map((row) => row.entity_id)).toEqual(['1', '2']);
    const made = await run(at(name), 'select tocsin.ensure_partitions(9) as made');
    expect(made.rows[0].made).toBeGreaterThan(0);
    const { rows } = await run(at(name), 'select tocsin.drop_partition($$none$$, 100) as dropped');
    expect(rows).toEqual([{ dropped: true }]);
  });

  test('where the roles exist already: what a superuser has to run is one statement that works', async () => {
    const { name, at } = await installRelease1('noinherit createrole');
    const refusal = await migrateAs(at(name)).catch((error: Error) => error);
    expect(refusal).toMatchObject({ code: 'not_allowed' });
    const remedy = /once, then migrate again: (.*;)$/.exec((refusal as Error).message)?.[1];
    await run(at('postgres'), remedy as string);
    expect(await migrateAs(at(name))).toBeGreaterThan(0);
    await run(at(name), 'insert into orders values (2)');
    expect((await run(at(name), 'select from tocsin.events')).rowCount).toBe(2);
  });

  test('captures that a third login installed go on, or the migration says why not', async () => {
    const { name, at } = await installRelease1('inherit');
    const third = `${name}_3`;
    await run(
      at('postgres'),
      `create role ${third} login`,
      `alter function tocsin.capture_insert_orders_0() owner to ${third}`,
    );
    onTestFinished(async () => {
      await run(inject('serverUrl'), `drop role if exists ${third}`);
    });
    await run(at('postgres'), `grant tocsin_service, tocsin_worker, tocsin_capture, tocsin_query to ${name}`);
    await expect(migrateAs(at(name))).rejects.toThrow(
      /owns the function .*capture_insert_orders_0.* migrate as a superuser/,
    );
    expect(await migrateAs(at('postgres'))).toBeGreaterThan(0);
    await run(at(name), 'insert into orders values (2)');
    expect((await run(at(name), 'select from tocsin.events')).rowCount).toBe(2);
  });
});
