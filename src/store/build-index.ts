import type pg from 'pg';

const comments = /^(\s*--[^\n]*\n)*\s*/;
const word = '"?([a-z0-9_]+)"?';
const creation = new RegExp(
  `^create (unique )?index concurrently (?:if not exists )?${word} on (?:only )?"?tocsin"?\\.${word} (.+?);?$`,
  'is',
);

/** Whether a statement builds or drops an index beside writers, which a transaction cannot. */
export function isConcurrent(statement: string): boolean {
  return /^(create (unique )?|drop )index concurrently\b/i.test(plain(statement));
}

function plain(statement: string): string {
  return statement.replace(comments, '').replaceAll(/\s+/g, ' ').trim();
}

type Index = { readonly unique: string; readonly name: string; readonly table: string; readonly definition: string };

/**
 * Runs `create index concurrently`, or `drop index concurrently`. One that is there is left as it is; one that a process died
 * over is built anew. PostgreSQL builds no index of a partitioned table this way: then the index is made on the table alone, which
 * later partitions inherit it from, and built on each partition that is there. It is valid when it has them all.
 */
export async function buildIndex(
  client: pg.Client,
  statement: string,
  { lockTimeoutMs, patienceMs }: { lockTimeoutMs: number; patienceMs: number },
): Promise<void> {
  const found = creation.exec(plain(statement));
  // Waiting holds up nobody here.
  await client.query(`set lock_timeout = ${patienceMs}`);
  if (!found) {
    await client.query(statement);
    return;
  }
  const [, unique = '', name = '', table = '', definition = ''] = found;
  const index: Index = { unique, name, table, definition };
  const { rows } = await client.query('select relkind from pg_class where oid = to_regclass($1)', [`tocsin.${table}`]);
  if (rows[0]?.relkind !== 'p') {
    await buildOne(client, index);
    return;
  }
  // The locks that follow hold up writers, for a moment.
  await client.query(`set lock_timeout = ${lockTimeoutMs}`);
  await client.query(`create ${unique}index if not exists "${name}" on only tocsin."${table}" ${definition}`);
  for (;;) {
    const partition = await nextWithout(client, index);
    if (partition === null) return;
    const part = { ...index, name: nameFor(index, partition), table: partition };
    await client.query(`set lock_timeout = ${patienceMs}`);
    await buildOne(client, part);
    await client.query(`set lock_timeout = ${lockTimeoutMs}`);
    await client.query(`alter index tocsin."${name}" attach partition tocsin."${part.name}"`);
  }
}

async function buildOne(client: pg.Client, { unique, name, table, definition }: Index): Promise<void> {
  const { rows } = await client.query<{ isValid: boolean }>(
    'select indisvalid as "isValid" from pg_index where indexrelid = to_regclass($1)',
    [`tocsin."${name}"`],
  );
  if (rows[0]?.isValid) return;
  if (rows[0]) await client.query(`drop index concurrently tocsin."${name}"`);
  await client.query(`create ${unique}index concurrently "${name}" on tocsin."${table}" ${definition}`);
}

/** A partition that the index of the whole table lacks; null when it has all. Partitions come and go meanwhile. */
async function nextWithout(client: pg.Client, { name, table }: Index): Promise<string | null> {
  const { rows } = await client.query<{ partition: string }>(
    `select c.relname as partition
     from pg_inherits i
     join pg_class c on c.oid = i.inhrelid
     where i.inhparent = to_regclass($1)
       and not exists (
         select
         from pg_index x
         join pg_inherits of_index on of_index.inhrelid = x.indexrelid
         where x.indrelid = i.inhrelid
           and of_index.inhparent = to_regclass($2)
       )
     order by c.relname
     limit 1`,
    [`tocsin."${table}"`, `tocsin."${name}"`],
  );
  return rows[0]?.partition ?? null;
}

/** `deliveries_due` of partition `deliveries_20261121` is `deliveries_due_20261121`. */
function nameFor({ name, table }: Index, partition: string): string {
  return `${name}_${partition.startsWith(`${table}_`) ? partition.slice(table.length + 1) : partition}`;
}
