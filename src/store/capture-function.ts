/**
 * The functions behind capture triggers: one per table and operation, run once per statement with the rows it wrote as
 * transition tables. They must never make the host's own statement fail, whatever becomes of the table:
 *
 * - Names: in `select "id" from (select row.*) present`, standing beside a subquery `missing` that has every column as
 *   null, an unqualified name means the table's column while there is one and that null when it is gone. PostgreSQL
 *   resolves it anew after each ALTER TABLE, and the planner flattens it to a plain column.
 * - Types: values are compared by `tocsin.differs(new, old, null::type)`, of which one version takes every type.
 * - Values: images are `json`, which takes every value a row can hold (`jsonb` refuses an escaped NUL).
 * - Size: the image of a row above `largestImageBytes` is its key alone, as JSON text of a row may outgrow PostgreSQL's 1 GB.
 * - NOTIFY fails when its queue is full: `tocsin.wake_up()` then leaves it to the poll.
 *
 * Updates pair old and new rows by ordinal: both transition tables are filled in lockstep, so it works without a key and
 * when the key itself changes. The pairs come from a full join because plans are kept per session: made for a statement
 * that wrote one row, an inner join would be a nested loop, which takes 40 s for a statement that writes 10,000.
 */
import { escapeIdentifier, escapeLiteral } from 'pg';
import type { RowOperation } from '../model/event.ts';
import { idleLockKey } from '../model/wake-up.ts';
import type { CapturedColumn, CapturedTable } from './capture-registry.ts';

/** Rows above this are captured as their key and tenant columns only. */
export const largestImageBytes = 16 * 1024 * 1024;

/** Alias of a written row as a whole. A column of the same name would hide it: hence the blank. */
const wholeRow = '"tocsin row"';

/** The settings an event takes from the writer's session. */
const sessionValues = `nullif(pg_catalog.current_setting('tocsin.actor', true), ''),
    nullif(pg_catalog.current_setting('tocsin.trace_context', true), '')`;

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
  const value = (column: string) => `known.${escapeIdentifier(column)}`;
  const image = imageOf(table, `${wholeRow}.*`, value);
  return `  insert into tocsin.events
    (tenant_id, source, entity_type, entity_id, operation, ${operation === 'insert' ? 'payload' : 'previous'}, actor, trace_context)
  select
    ${tenantOf(table, value)},
    'db',
    ${escapeLiteral(table.entityType)},
    ${keyOf(table, value)},
    '${operation}',
    ${image},
    ${sessionValues}
  from ${rowsOf(table, operation === 'insert' ? 'new_rows' : 'old_rows')}
    ${known(wholeRow, identityColumns(table))}${whereSubscribed('where', table, operation, value)};`;
}

/**
 * Updated rows, if one of their columns differs. The second statement runs only when a column was replaced by a virtual
 * generated one (PostgreSQL 18), which cannot be read from a transition table: it does without the names of what changed.
 */
function writeUpdates(table: CapturedTable): string {
  const columns = table.columns.map(({ name }) => name);
  const readable = `tocsin.columns_are_readable(${[table.schemaName, table.tableName].map(escapeLiteral).join(', ')}, ${textArray(columns)})`;
  return `${writePairs(table, columns, {
    changed: changedNames(table.columns),
    condition: `${readable}
    and (pg_catalog.cardinality(changed.names) > 0${unknownColumnDiffers(table)})`,
  })}
  if not found then
${writePairs(table, identityColumns(table), {
  changed: `'{}'::text[]`,
  condition: `not ${readable}
    and pg_catalog.record_image_ne(n.row, o.row) is not false`,
})}
  end if;`;
}

/** `columns` are read from both rows; the condition must stay true for a null row, or the full join becomes an inner one. */
function writePairs(
  table: CapturedTable,
  columns: readonly string[],
  written: { changed: string; condition: string },
): string {
  const value = (side: 'n' | 'o') => (column: string) => `${side}.c${columns.indexOf(column)}`;
  return `  insert into tocsin.events
    (tenant_id, source, entity_type, entity_id, operation, payload, previous, changed, actor, trace_context)
  select
    ${tenantOf(table, value('n'))},
    'db',
    ${escapeLiteral(table.entityType)},
    ${keyOf(table, value('n'))},
    'update',
    ${imageOf(table, 'n.row', value('n'))},
    ${imageOf(table, 'o.row', value('o'))},
    changed.names,
    ${sessionValues}
  from ${numbered(table, 'new_rows', columns)} n
    full join ${numbered(table, 'old_rows', columns)} o on n.ordinal = o.ordinal
    cross join lateral (select ${written.changed} as names) changed
  where ${written.condition}${whereSubscribed('and', table, 'update', value('n'))};`;
}

/** The rows of a transition table, numbered, with `columns` as c0, c1, ... */
function numbered(table: CapturedTable, transitionTable: string, columns: readonly string[]): string {
  const values = columns.map((column, index) => `, known.${escapeIdentifier(column)} as c${index}`).join('');
  return `(
      select ${wholeRow} as row, pg_catalog.row_number() over () as ordinal${values}
      from ${rowsOf(table, transitionTable)}
        ${known(wholeRow, columns)}
    )`;
}

/** The rows of a transition table, each with only what may be captured of it. */
function rowsOf(table: CapturedTable, transitionTable: string): string {
  if (table.excluded.length === 0) return `${transitionTable} ${wholeRow}`;
  const columns = table.columns.map(({ name }) => name);
  return `${transitionTable} whole
    cross join lateral (select captured.* from (select) nothing ${known('whole', columns, 'captured')}) ${wholeRow}`;
}

/** `known` has the values of these columns of a row, and null for those that are gone. */
function known(row: string, columns: readonly string[], alias = 'known'): string {
  const names = columns.map((column) => escapeIdentifier(column));
  const nulls = names.map((name) => `null::text as ${name}`).join(', ');
  return `cross join lateral (
      select present.*
      from (select ${nulls}) missing
        cross join lateral (select ${names.join(', ')} from (select ${row}.*) present) present
    ) ${alias}`;
}

function changedNames(columns: readonly CapturedColumn[]): string {
  const names = columns.map(
    ({ name, comparedAs }, index) =>
      `case when tocsin.differs(n.c${index}, o.c${index}, null::${comparedAs}) then ${escapeLiteral(name)} end`,
  );
  return `pg_catalog.array_remove(array[
      ${names.join(',\n      ')}
    ]::text[], null)`;
}

/** True for a pair that differs only in columns added since: those are in the image, but not in the list of what changed. */
function unknownColumnDiffers(table: CapturedTable): string {
  if (table.excluded.length > 0) return '';
  const values = (side: string) => table.columns.map((_, index) => `${side}.c${index}`).join(', ');
  return `
      or pg_catalog.record_image_ne(n.row, o.row)
        and not pg_catalog.record_image_ne(row(${values('n')}), row(${values('o')}))`;
}

/** The columns an event is filed under: the key and the tenant column. */
function identityColumns(table: CapturedTable): readonly string[] {
  return [...new Set([...table.keyColumns, ...(table.tenantColumn === null ? [] : [table.tenantColumn])])];
}

type ValueOf = (column: string) => string;

function imageOf(table: CapturedTable, row: string, value: ValueOf): string {
  const identity = identityColumns(table).map((column) => `${escapeLiteral(column)}, ${value(column)}`);
  return `case
      when pg_catalog.pg_column_size(${row}) <= ${largestImageBytes} then pg_catalog.to_json(${row})
      else pg_catalog.json_build_object(${identity.join(', ')})
    end`;
}

function tenantOf(table: CapturedTable, value: ValueOf): string {
  if (table.tenantColumn === null) return escapeLiteral(table.tenant ?? '');
  return `coalesce(${value(table.tenantColumn)}::text, '')`;
}

function keyOf(table: CapturedTable, value: ValueOf): string {
  const [first, ...others] = table.keyColumns.map(value);
  if (first === undefined) return `''`;
  if (others.length === 0) return `coalesce(${first}::text, '')`;
  return `pg_catalog.json_build_array(${[first, ...others].join(', ')})::text`;
}

function subscription(table: CapturedTable, operation: RowOperation): string {
  return `select from tocsin.subscriptions s where s.entity_type = ${escapeLiteral(table.entityType)} and s.operation = '${operation}'`;
}

function whereSubscribed(word: 'where' | 'and', table: CapturedTable, operation: RowOperation, value: ValueOf): string {
  if (!table.onlyWhenSubscribed) return '';
  return `
    ${word} exists (${subscription(table, operation)} and s.tenant_id = ${tenantOf(table, value)})`;
}

function textArray(values: readonly string[]): string {
  return `array[${values.map((value) => escapeLiteral(value)).join(', ')}]::text[]`;
}
