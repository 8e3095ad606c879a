import { spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const script = fileURLToPath(new URL('../../.ci/migration-rules.mjs', import.meta.url));

/** What the check says of a migration; null: nothing. */
const cases: Readonly<Record<string, readonly [sql: string, says: RegExp | null]>> = {
  'a table with its indexes, rights and isolation': [
    `CREATE TABLE "tocsin"."next" ("id" uuid DEFAULT gen_random_uuid() PRIMARY KEY);--> statement-breakpoint
     CREATE INDEX "next_id" ON "tocsin"."next" USING btree ("id");
     alter table tocsin.next alter column id set not null;
     select tocsin.isolate_table('tocsin.next');
     grant select on tocsin.next to tocsin_worker;`,
    null,
  ],
  'a column that may be null': ['ALTER TABLE "tocsin"."events" ADD COLUMN "next" text;', null],
  'a column with a constant default': [
    `ALTER TABLE "tocsin"."events" ADD COLUMN "next" text[] DEFAULT '{}' NOT NULL, ADD COLUMN "at" timestamptz DEFAULT now();`,
    null,
  ],
  'a column with a default of its own per row': [
    'ALTER TABLE "tocsin"."events" ADD COLUMN "next" uuid DEFAULT gen_random_uuid() NOT NULL;',
    /rewrites the whole table.*without, `set default`/,
  ],
  'a column that must not be null': ['alter table tocsin.events add column next text not null;', /constant default/],
  'a column with a constraint': ['alter table tocsin.events add column next text unique;', /add the column alone/],
  'an index of a table that is there': [
    'CREATE INDEX "events_next" ON "tocsin"."events" USING btree ("tenant_id");',
    /stops the writers of tocsin\.events.*create index concurrently/,
  ],
  'indexes built beside the writers': [
    'CREATE INDEX CONCURRENTLY "events_next" ON "tocsin"."events" ("id");--> statement-breakpoint\n-- allowed: tocsin.x is not unique\nDROP INDEX CONCURRENTLY IF EXISTS "tocsin"."x";',
    null,
  ],
  'such an index beside something else': [
    'create index concurrently "x" on "tocsin"."events" ("id"); alter table tocsin.events add column next text;',
    /migration of their own/,
  ],
  'an index that is dropped under a lock': ['DROP INDEX "tocsin"."events_next";', /drop index concurrently/],
  'another type of a column': [
    'alter table tocsin.events alter column actor type bigint;',
    /rewrites.*add a column of the new type/,
  ],
  'a column that may be null no more': ['alter table tocsin.events alter column actor set not null;', /not valid/],
  'the same, with the reason why it is safe': [
    '-- allowed: events_actor is validated\nalter table tocsin.events alter column actor set not null;',
    null,
  ],
  'a constraint that is checked at once': [
    'alter table tocsin.events add constraint c check (actor <> $$$$);',
    /`not valid`/,
  ],
  'a constraint that is not': ['alter table tocsin.events add constraint c check (id is not null) not valid;', null],
  'its validation': ['alter table tocsin.events validate constraint c;', null],
  'its validation under other locks': [
    'alter table tocsin.events add constraint c check (true) not valid; alter table tocsin.events validate constraint c;',
    /of its own/,
  ],
  'a column that counts by itself': [
    'ALTER TABLE "tocsin"."events" ADD COLUMN "next" bigserial;',
    /rewrites the whole table.*add the column alone/,
  ],
  'a partition of a table that is there': [
    'create table tocsin.next partition of tocsin.executions for values from (1) to (2);',
    /locks tocsin\.executions against everybody.*attach partition/,
  ],
  'a partition of a table that is made beside it': [
    'create table tocsin.next (id int) partition by range (id); create table tocsin.next_1 partition of tocsin.next default;',
    null,
  ],
  'a table that is filled as it is made': ['create table tocsin.next as select * from tocsin.events;', /in batches/],
  'a table that is filled by a query': ['insert into tocsin.next (id) select id from tocsin.events;', /in batches/],
  'a row of a table': ["insert into tocsin.next (id) values ('x');", null],
  'a foreign key to one table, and a change of another': [
    'create table tocsin.next (id uuid references tocsin.workflows(id)); alter table tocsin.events add column next text;',
    /locks tocsin\.workflows, tocsin\.events at once/,
  ],
  'the same, as it is generated': [
    `create table tocsin.next (id uuid);
     alter table tocsin.next add constraint fk foreign key (id) references tocsin.workflows(id);
     alter table tocsin.events add column next text;`,
    /locks tocsin\.workflows, tocsin\.events at once/,
  ],
  'rights that are taken away': ['revoke select on tocsin.secrets from tocsin_worker;', /takes rights away.*later one/],
  'rights of everybody to what is made here': [
    `create function tocsin.f(a text) returns int language sql as 'select 1'; revoke all on function tocsin.f(text) from public;
     create table tocsin.next (id int); revoke all on tocsin.next from public;`,
    null,
  ],
  'an index that may be a unique one': [
    'drop index concurrently if exists tocsin.event_keys_pk;',
    /may take away what keeps rows.*unique/,
  ],
  'two tables that go, each with a reason': [
    '-- allowed: not used since 1.0\ndrop table tocsin.a; -- allowed: not used since 1.0\ndrop table tocsin.b;',
    /locks tocsin\.a, tocsin\.b at once/,
  ],
  'two tables under one reason': ['-- allowed: not used since 1.0\ndrop table tocsin.a, tocsin.b cascade;', /at once/],
  'two columns that go from two tables, with reasons': [
    '-- allowed: x\nalter table tocsin.a drop column x; -- allowed: x\nalter table tocsin.b drop column x;',
    /locks tocsin\.a, tocsin\.b at once/,
  ],
  'a column that goes': ['ALTER TABLE "tocsin"."events" DROP COLUMN "actor";', /version before.*later one/],
  'a table that goes': ['DROP TABLE "tocsin"."events";', /version before/],
  'a table with another name': ['alter table tocsin.events rename to other;', /version before/],
  'a function that goes': ['drop function tocsin.wake_up();', /version before/],
  'two tables at once': [
    'alter table tocsin.events add column a text; alter table tocsin.deliveries add column a text;',
    /locks tocsin\.events, tocsin\.deliveries at once.*a migration for each/,
  ],
  'rows that are changed': ["update tocsin.events set actor = 'x;y' where actor is null;", /in batches/],
  'a function': [
    'create or replace function tocsin.f() returns int language sql as $f$ drop table x; select 1 $f$;',
    null,
  ],
  'a block': ['do $$ begin drop table tocsin.events; end $$;', /cannot be looked into/],
  'anything else': ['cluster tocsin.events;', /not known to be safe/],
  'what only a comment says': [
    "/* drop table x; */ -- drop table y;\ncomment on table tocsin.events is '; drop table z';",
    null,
  ],
};
const names = Object.keys(cases);

let folder: string;
let said: readonly string[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tocsin-rules-'));
  await writeFile(join(folder, '0007_released.sql'), 'drop table tocsin.events;');
  for (const [index, [sql]] of Object.values(cases).entries())
    await writeFile(join(folder, `${1000 + index}_case.sql`), sql);
  const { stderr, status } = spawnSync(process.execPath, [script, folder], { encoding: 'utf8' });
  expect(status).toBe(1);
  said = stderr.trim().split('\n');
});
afterAll(() => rm(folder, { recursive: true }));

const saidOf = (file: number) => said.filter((line) => line.startsWith(`${file}_`));

describe('the check of migrations', () => {
  test.each(names.filter((name) => cases[name]?.[1] === null))('lets pass: %s', (name) => {
    expect(saidOf(1000 + names.indexOf(name))).toEqual([]);
  });

  test.each(names.filter((name) => cases[name]?.[1] !== null))('refuses, and names the safe way: %s', (name) => {
    expect(saidOf(1000 + names.indexOf(name)).join('\n')).toMatch(cases[name]?.[1] as RegExp);
  });

  test('leaves released migrations as they are, and those of this project pass', () => {
    expect(said.some((line) => line.startsWith('0007'))).toBe(false);
    const own = fileURLToPath(new URL('../../migrations', import.meta.url));
    const { stderr, status } = spawnSync(process.execPath, [script, own], { encoding: 'utf8' });
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  });
});
