/**
 * How a tenant is attacked: the same call is made as a new tenant A
 * - with what A heard of the victim, where the victim is: no word of the victim may come back, and nothing of it may change;
 * - with the same beside another database in which the victim never was: A must be told the same;
 * - with names and ids that are nowhere: A must be told the same, but for these;
 * - in a transaction of the caller, if the call takes one: the same.
 */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import type { Runner } from '../../src/store/connection.ts';
import type { Transaction } from '../../src/store/database.ts';
import type { TestTocsin } from '../support/test-tocsin.ts';
import { canary, fillVictim, type Heard, mistype } from './victim.ts';

/** What an attack works with. */
export type Given = {
  /** Where it is made. */
  readonly t: TestTocsin;
  /** The attacker. Its directory has one user, `ann`; it has nothing else. */
  readonly tenantId: string;
  /** What it heard of the other tenant. */
  readonly heard: Heard;
  /** For calls that take a transaction of the caller. */
  readonly options: { readonly tx?: Transaction };
};

/** Does what it can with it and answers everything it was told. */
export type Attack = (given: Given) => Promise<unknown>;

/** A database with a victim, and one like it in which there was never any. */
export type Worlds = {
  readonly inhabited: TestTocsin;
  readonly empty: TestTocsin;
  readonly heard: Heard;
  /** Reads the rows of all who do not attack. */
  readonly statement: string;
  /** These rows, by table, as JSON: the victim's, and what all tenants share. */
  readonly rows: Map<string, string>;
  /** What only the victim's rows hold: its word, and its ids. */
  readonly words: readonly string[];
};

/** Fills the one of two databases with a victim; `prepare` adds to it. */
export async function makeWorlds(
  inhabited: TestTocsin,
  empty: TestTocsin,
  prepare: (heard: Heard) => Promise<void> = async () => undefined,
): Promise<Worlds> {
  const heard = await fillVictim(inhabited);
  await prepare(heard);
  const statement = await rowsOfOthers(inhabited);
  const rows = await snapshot(inhabited.database.pool, statement);
  const ids = [...rows.values()].flatMap((text) => text.match(uuid) ?? []);
  return { inhabited, empty, heard, statement, rows, words: [canary, ...new Set(ids)] };
}

const uuid = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi;
const attacker = 'attacker-';

/**
 * A statement that answers everything that is not an attacker's, table by table: with the versions of rows, so that one that was
 * written as it stood is noticed.
 */
async function rowsOfOthers(t: TestTocsin): Promise<string> {
  const { rows } = await t.sql(
    `select c.oid::regclass::text as name,
       exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id' and not a.attisdropped) as "hasTenant"
     from pg_class c
     where c.relnamespace in ('tocsin'::regnamespace, 'public'::regnamespace)
       and c.relkind in ('r', 'p')
       and not c.relispartition
       and c.oid::regclass::text not in ('tocsin.definitions_version', 'tocsin.workers')
     order by 1`,
  );
  const ofTable = ({ name, hasTenant }: Record<string, unknown>) => `
    select '${name}' as name, coalesce(json_agg(x order by x::text)::text, '') as rows
    from (select xmin::text as version, t.* from ${name} t ${hasTenant ? `where tenant_id not like '${attacker}%'` : ''}) x`;
  return rows.map(ofTable).join(' union all ');
}

/** Runs it, planned once per connection. */
async function snapshot(runner: Runner, statement: string): Promise<Map<string, string>> {
  const { rows } = await runner.query<{ name: string; rows: string }>({ name: 'rows of others', text: statement });
  return new Map(rows.map(({ name, rows: text }) => [name, text]));
}

/** Which defences stand while an attack is made. */
export type Defences = 'all' | 'row level security' | 'conditions' | 'none';

/** What is wrong with what an attack was told and did; nothing when the tenants are apart. */
export async function probe(worlds: Worlds, attack: Attack, defences: Defences = 'all'): Promise<string[]> {
  const { inhabited, empty, heard, words } = worlds;
  const findings: string[] = [];
  let takesTransaction = false;
  const make = async (t: TestTocsin, known: Heard, isUndone: boolean) => {
    const made = await attackOnce({ worlds, t, heard: known, attack, isUndone, defences });
    takesTransaction ||= made.takesTransaction;
    const word = words.find((one) => t === inhabited && made.told.includes(one));
    if (word !== undefined) findings.push(`tells ${word}: ${made.told}`);
    findings.push(...made.changed.map((name) => `changes rows of ${name}`));
    return made.told.replace(uuid, '<id>').replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<moment>');
  };
  // With nothing that defends, every call is undone.
  const isUndone = defences === 'none';
  const told = await make(inhabited, heard, isUndone);
  const isRepeated = takesTransaction && !isUndone;
  const compare = (what: string, other: string) => {
    if (other !== told) findings.push(`tells something else ${what}:\n${told}\n${other}`);
  };
  compare('where the victim is not', await make(empty, heard, isUndone));
  compare('about what is nowhere', await make(inhabited, mistype(heard), isUndone));
  if (isRepeated) compare('in a transaction', await make(inhabited, heard, true));
  return findings;
}

async function attackOnce(given: {
  worlds: Worlds;
  t: TestTocsin;
  heard: Heard;
  attack: Attack;
  isUndone: boolean;
  defences: Defences;
}): Promise<{ told: string; changed: readonly string[]; takesTransaction: boolean }> {
  const { worlds, t, attack, isUndone, defences } = given;
  const tenantId = `${attacker}${randomUUID()}`;
  await t.sql("insert into tocsin.directory_users (tenant_id, id) values ($1, 'ann')", [tenantId]);
  const said = new Set<string>([tenantId]);
  const heard = noteUse(given.heard, said);
  const client = isUndone ? await t.database.pool.connect() : null;
  await client?.query('begin');
  const restore = ['row level security', 'none'].includes(defences) ? dropConditions() : () => undefined;
  try {
    let takesTransaction = false;
    const answer = await attack({
      t,
      tenantId,
      heard,
      get options() {
        takesTransaction = true;
        return client ? { tx: client } : {};
      },
    });
    restore();
    const told = withoutEcho(answer, said);
    if (t === worlds.empty) return { told, changed: [], takesTransaction };
    const rows = await snapshot(client ?? t.database.pool, worlds.statement);
    const changed = [...rows.keys()].filter((name) => rows.get(name) !== worlds.rows.get(name));
    // Told once: the attacks that follow are not to blame.
    if (!isUndone) for (const [name, text] of rows) worlds.rows.set(name, text);
    return { told, changed, takesTransaction };
  } finally {
    restore();
    await client?.query('rollback');
    client?.release();
  }
}

/** Notes what is used of what was heard. */
function noteUse(heard: Heard, used: Set<string>): Heard {
  return new Proxy(heard, {
    get: (of, name: keyof Heard) => {
      used.add(of[name]);
      return of[name];
    },
  });
}

/** An answer as text, without what the attacker said itself. */
function withoutEcho(answer: unknown, said: ReadonlySet<string>): string {
  const text = JSON.stringify(answer, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
  const longestFirst = [...said].toSorted((one, other) => other.length - one.length);
  return longestFirst.reduce((rest, word, index) => rest.replaceAll(word, `<${index}>`), text ?? '');
}

const condition = /((?:"?\w+"?\.)*"?tenant_id"?) = \$(\d+)/g;

/**
 * Takes the tenant out of what statements ask for, in this process: what is left is row level security. A prepared statement
 * that asks for it goes without its name, under which a connection may know it whole.
 */
function dropConditions(): () => void {
  const { query } = pg.Client.prototype;
  const drop = (text: string) => text.replace(condition, '($1 is not null or $$$2::text is null)');
  const weaken = (statement: unknown) => {
    if (typeof statement === 'string') return drop(statement);
    if (typeof statement !== 'object' || statement === null || !('text' in statement)) return statement;
    const text = drop(String(statement.text));
    return text === statement.text ? statement : { ...statement, text, name: undefined };
  };
  const weakened = function (this: pg.Client, statement: unknown, ...rest: unknown[]) {
    return Reflect.apply(query, this, [weaken(statement), ...rest]);
  };
  Object.assign(pg.Client.prototype, { query: weakened });
  return () => Object.assign(pg.Client.prototype, { query });
}

/** Switches row level security off: what is left is what statements ask for. */
export async function dropRowLevelSecurity(t: TestTocsin): Promise<void> {
  await t.sql(`
    do $do$
    declare
      name regclass;
    begin
      for name in select oid from pg_class where relnamespace = 'tocsin'::regnamespace and relrowsecurity loop
        execute format('alter table %s disable row level security', name);
      end loop;
    end
    $do$`);
}
