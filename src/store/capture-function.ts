/**
 * The functions behind capture triggers: one per table and operation, run once per statement with the rows it wrote as
 * transition tables. They must never make the host's own statement fail, whatever becomes of the table:
 *
 * - Names: in `select "id" from (select row.*) present`, standing beside a subquery `missing` that has every column as
 *   null, an unqualified name means the table's column while there is one and that null when it is gone. PostgreSQL
 *   resolves it anew after each ALTER TABLE, and the planner flattens it to a plain column.
 * - Types: values are compared by `tocsin.differs(new, old, 0)`, of which one version takes every type.
 * - Values: images are `json`, which takes every value a row can hold (`jsonb` refuses an escaped NUL).
 * - Size: the image of a row above `largestImageBytes` is its key alone, as JSON text of a row may outgrow PostgreSQL's 1 GB.
 * - NOTIFY fails when its queue is full: `tocsin.wake_up()` then leaves it to the poll.
 *
 * Updates pair old and new rows by ordinal: both transition tables are filled in lockstep, so it works without a key and
 * when the key itself changes. The pairs come from a full join because plans are kept per session: made for a statement
 * that wrote few rows, an inner join would be a nested loop, which takes 40 s for a statement that writes 10,000. Most
 * statements write one row: it needs no number, and numbering, sorting and joining it would take as long as all the rest.
 */
import { escapeIdentifier, escapeLiteral } from 'pg';
import type { RowOperation } from '../model/event.ts';
import { idleLockKey } from '../model/wake-up.ts';
import type { CapturedTable } from './capture-registry.ts';

/** Rows above this are captured as their key and tenant columns only. */
export const largestImageBytes = 16 * 1024 * 1024;

/** Characters of a setting, as of domain events: a worker holds those of a whole batch. */
const longestSetting = 255;

/** The settings an event takes from the writer's session. */
const sessionValues = `nullif(pg_catalog.left(pg_catalog.current_setting('tocsin.actor', true), ${longestSetting}), ''),
    nullif(pg_catalog.left(pg_catalog.current_setting('tocsin.trace_context', true), ${longestSetting}), ''),
    nullif(pg_catalog.right(pg_catalog.current_setting('tocsin.causation', true), 2048), '')`;

/** The body (plpgsql) of the trigger function of one table and operation. The same capture gives the same text. */
export function captureFunctionBody(table: CapturedTable, operation: RowOperation): string {
  const gate = table.onlyWhenSubscribed
    ? `  if not exists (${subscription(table, operation)}) then
    return null;
  end if;\n`
    : '';
  return `
#variable_conflict use_column
begin
${gate}${operation === 'update' ? writeUpdates(table) : writeRows(table, operation)}
  if found and not pg_catalog.pg_try_advisory_xact_lock_shared(${idleLockKey}) then
    perform tocsin.wake_up();
  end if;
  return null;
end
`;
}

/** Inserted or deleted rows. */
function writeRows(table: CapturedTable, operation: 'insert' | 'delete'): string {
  const { row, read } = aliasesOf(table);
  const written = (columns: readonly string[]) => `  insert into tocsin.events
    (tenant_id, source, entity_type, entity_id, operation, ${operation === 'insert' ? 'payload' : 'previous'}, actor, trace_context, causation)
  select
    ${tenantOf(table, read)},
    'db',
    ${escapeLiteral(table.entityType)},
    ${keyOf(table, read)},
    '${operation}',
    ${imageOf(table, `${row}.*`, read)},
    ${sessionValues}
  from ${rowsOf(table, operation === 'insert' ? 'new_rows' : 'old_rows', columns)}
  where true${andSubscribed(table, operation, read)}`;
  if (table.excluded.length === 0) return `${written(identityColumns(table))};`;
  return whenReadable(table, { all: written(capturedColumns(table)), identity: written(identityColumns(table)) });
}

/** Updated rows, if one of their columns differs. */
function writeUpdates(table: CapturedTable): string {
  return `  if exists (select from old_rows offset 1) then
${writeUpdatedPairs(table, byOrdinal)}
  else
${writeUpdatedPairs(table, onlyPair)}
  end if;`;
}

/** How old and new rows find each other. */
type Pairing = { readonly ordinal: string; readonly join: string; readonly on: string };

const byOrdinal: Pairing = {
  ordinal: ', pg_catalog.row_number() over () as ordinal',
  join: 'full join',
  on: ' on n.ordinal = o.ordinal',
};

/**
 * For statements that wrote one row, or none. The old rows tell: when a partition's trigger throws away a row that is moved there,
 * they are more than the new ones.
 */
const onlyPair: Pairing = { ordinal: '', join: 'cross join', on: '' };

function writeUpdatedPairs(table: CapturedTable, pairing: Pairing): string {
  const columns = capturedColumns(table);
  const all = writePairs(table, columns, {
    pairing,
    changed: changedNames(columns),
    differs: differsElsewhere(table, columns),
  });
  const identity = writePairs(table, identityColumns(table), {
    pairing,
    changed: "'{}'::text[]",
    differs: table.excluded.length > 0 ? 'true' : 'pg_catalog.record_image_ne(pair.now, pair.was)',
  });
  return whenReadable(table, { all, identity });
}

/**
 * Pairs of an old and a new row, `columns` read from both. `offset 0` keeps the planner from finding what changed twice. Whether
 * they differ elsewhere is asked only of pairs in which no column did: it takes longer than all columns together.
 */
function writePairs(
  table: CapturedTable,
  columns: readonly string[],
  found: { pairing: Pairing; changed: string; differs: string },
): string {
  const { ordinal, join, on } = found.pairing;
  const valueIn = (side: 'now' | 'was') => (column: string) => `pair.${side}_${columns.indexOf(column)}`;
  const values = columns.map((_, index) => `, n.c${index} as now_${index}, o.c${index} as was_${index}`);
  return `  insert into tocsin.events
    (tenant_id, source, entity_type, entity_id, operation, payload, previous, changed, actor, trace_context, causation)
  select
    ${tenantOf(table, valueIn('now'))},
    'db',
    ${escapeLiteral(table.entityType)},
    ${keyOf(table, valueIn('now'))},
    'update',
    ${imageOf(table, 'pair.now', valueIn('now'))},
    ${formerImageOf(table, valueIn)},
    pair.changed,
    ${sessionValues}
  from (
    select n.row as now, o.row as was${values.join('')},
      ${found.changed} as changed
    from (
      ${rowsToPair(table, { transitionTable: 'new_rows', columns, ordinal })}
    ) n
      ${join} (
      ${rowsToPair(table, { transitionTable: 'old_rows', columns, ordinal })}
    ) o${on}
    offset 0
  ) pair
  where (pg_catalog.cardinality(pair.changed) > 0 or ${found.differs})${andSubscribed(table, 'update', valueIn('now'))}`;
}

/** The row before; not when it was another tenant's, who did not show it to the one that has the row now. */
function formerImageOf(table: CapturedTable, valueIn: (side: 'now' | 'was') => ReadColumn): string {
  const image = imageOf(table, 'pair.was', valueIn('was'));
  if (table.tenantColumn === null) return image;
  return `case when ${tenantOf(table, valueIn('now'))} = ${tenantOf(table, valueIn('was'))} then ${image} end`;
}

/**
 * A statement that reads all captured columns; and one that reads only key and tenant, for when a column was replaced by a
 * virtual generated one (PostgreSQL 18), which cannot be read from a transition table. The test is made when a statement is
 * planned, so that it costs a writer nothing.
 */
function whenReadable(table: CapturedTable, statements: { all: string; identity: string }): string {
  const names = [table.schemaName, table.tableName].map((name) => escapeLiteral(name)).join(', ');
  const columns = capturedColumns(table).map((column) => escapeLiteral(column));
  const isReadable = `tocsin.columns_are_readable(${names}, array[${columns.join(', ')}]::text[])`;
  return `${statements.all}
    and ${isReadable};
  if not found then
${statements.identity}
    and not ${isReadable};
  end if;`;
}

/**
 * `row` is a written row as far as it may be captured, `known` has columns of it by name, null for those that are gone. With
 * excluded columns both are the same. A column of that name would hide the row: hence the blank.
 */
function aliasesOf(table: CapturedTable): { row: string; known: string; read: ReadColumn } {
  const row = '"tocsin row"';
  const known = table.excluded.length > 0 ? row : 'known';
  return { row, known, read: (column) => `${known}.${escapeIdentifier(column)}` };
}

/** The rows of a transition table with these columns of theirs. */
function rowsOf(table: CapturedTable, transitionTable: string, columns: readonly string[]): string {
  const { row, known } = aliasesOf(table);
  const written = known === row ? 'written' : row;
  const names = columns.map((column) => escapeIdentifier(column));
  const nulls = names.map((name) => `null::text as ${name}`);
  return `${transitionTable} ${written}
        cross join lateral (
          select present.*
          from (select ${nulls.join(', ')}) missing
            cross join lateral (select ${names.join(', ')} from (select ${written}.*) present) present
        ) ${known}`;
}

/** The same, with the columns as c0, c1, ... */
function rowsToPair(
  table: CapturedTable,
  written: { transitionTable: string; columns: readonly string[]; ordinal: string },
): string {
  const { row, read } = aliasesOf(table);
  const values = written.columns.map((column, index) => `, ${read(column)} as c${index}`);
  return `select ${row} as row${written.ordinal}${values.join('')}
      from ${rowsOf(table, written.transitionTable, written.columns)}`;
}

function changedNames(columns: readonly string[]): string {
  const names = columns.map(
    (column, index) => `case when tocsin.differs(n.c${index}, o.c${index}, 0) then ${escapeLiteral(column)} end`,
  );
  return `pg_catalog.array_remove(array[
        ${names.join(',\n        ')}
      ]::text[], null)`;
}

/** True for a pair that differs, but in none of `columns`: in one added since, which is in the image of a whole row. */
function differsElsewhere(table: CapturedTable, columns: readonly string[]): string {
  if (table.excluded.length > 0) return 'false';
  const values = (side: string) => columns.map((_, index) => `pair.${side}_${index}`).join(', ');
  return `pg_catalog.record_image_ne(pair.now, pair.was)
      and not pg_catalog.record_image_ne(row(${values('now')}), row(${values('was')}))`;
}

function capturedColumns(table: CapturedTable): readonly string[] {
  return table.columns.map(({ name }) => name);
}

/** The columns an event is filed under: the key and the tenant column. */
function identityColumns(table: CapturedTable): readonly string[] {
  return [...new Set([...table.keyColumns, ...(table.tenantColumn === null ? [] : [table.tenantColumn])])];
}

type ReadColumn = (column: string) => string;

function imageOf(table: CapturedTable, row: string, read: ReadColumn): string {
  const identity = identityColumns(table).map((column) => `${escapeLiteral(column)}, ${read(column)}`);
  return `case
      when pg_catalog.pg_column_size(${row}) <= ${largestImageBytes} then pg_catalog.to_json(${row})
      else pg_catalog.json_build_object(${identity.join(', ')})
    end`;
}

function tenantOf(table: CapturedTable, read: ReadColumn): string {
  if (table.tenantColumn === null) return escapeLiteral(table.tenant ?? '');
  return `coalesce(${read(table.tenantColumn)}::text, '')`;
}

function keyOf(table: CapturedTable, read: ReadColumn): string {
  const [first, ...others] = table.keyColumns.map(read);
  if (first === undefined) return `''`;
  if (others.length === 0) return `coalesce(${first}::text, '')`;
  return `pg_catalog.json_build_array(${[first, ...others].join(', ')})::text`;
}

function subscription(table: CapturedTable, operation: RowOperation): string {
  return `select from tocsin.subscriptions s where s.entity_type = ${escapeLiteral(table.entityType)} and s.operation = '${operation}'`;
}

function andSubscribed(table: CapturedTable, operation: RowOperation, read: ReadColumn): string {
  if (!table.onlyWhenSubscribed) return '';
  return `
    and exists (${subscription(table, operation)} and s.tenant_id = ${tenantOf(table, read)})`;
}
