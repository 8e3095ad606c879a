import pg from 'pg';
import type { Issue } from '../errors.ts';
import type { EntityTable, EntityType, FieldType } from '../model/entity-type.ts';
import type { Json } from '../model/json.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { FieldFilter, FilterOperator, SavedFilter } from '../model/saved-filter.ts';
import type { SavedQuery } from '../model/saved-query.ts';

/** A statement with its parameters. */
export type Statement = { readonly text: string; readonly values: readonly unknown[] };

type Options = {
  readonly tenantId: string;
  readonly query: SavedQuery;
  readonly entityType: EntityType;
  /** As `fitParameters` gives them. */
  readonly parameters: ReadonlyMap<string, Json>;
  /** Counting stops here. */
  readonly atMost: number;
};

/**
 * The statement that counts the tenant's rows which fit a saved query. Names come from the registered entity type only and
 * are quoted; values travel as parameters, cast to the type of their column. Null when no row of the table is the tenant's.
 * Issues when the entity type no longer has what the query asks for.
 */
export function savedQuerySql(options: Options): Result<Statement | null, readonly Issue[]> {
  const { tenantId, query, entityType, atMost } = options;
  const { table } = entityType;
  const isScoped = table !== null && (table.tenantColumn !== null || table.tenantConstant !== null);
  if (!isScoped)
    return err([{ path: 'entityType', message: `"${entityType.name}" has no table that names its tenants` }]);
  if (table.tenantColumn === null && table.tenantConstant !== tenantId) return ok(null);
  const context: Context = { options, values: [tenantId, atMost], issues: [] };
  const filter = filterSql(query.filter, context);
  if (context.issues.length > 0) return err(context.issues);
  const text = `
    select count(*)::int as found
    from (
      select 1
      from ${tableName(table)}
      where ${tenantSql(table)}
        and ${filter}
      limit $2::bigint
    ) as fitting`;
  return ok({ text, values: context.values });
}

type Context = { readonly options: Options; readonly values: unknown[]; readonly issues: Issue[] };

function tableName({ schema, table }: EntityTable): string {
  return `${pg.escapeIdentifier(schema)}.${pg.escapeIdentifier(table)}`;
}

/** The tenant as the column's type, whatever that is: its index serves. A table of one tenant has no column. */
function tenantSql({ tenantColumn }: EntityTable): string {
  return tenantColumn === null ? '$1::text is not null' : `${pg.escapeIdentifier(tenantColumn)} = $1`;
}

function filterSql(filter: SavedFilter, context: Context): string {
  if ('not' in filter) return `not (${filterSql(filter.not, context)})`;
  if (!('all' in filter || 'any' in filter)) return comparisonSql(filter, context);
  const [children, word] = 'all' in filter ? [filter.all, 'and'] : [filter.any, 'or'];
  return `(${children.map((child) => filterSql(child, context)).join(` ${word} `)})`;
}

const comparisons = { eq: '=', neq: '<>', gt: '>', gte: '>=', lt: '<', lte: '<=' } as const;

function comparisonSql(filter: FieldFilter, context: Context): string {
  const { field, operator, value, parameter } = filter;
  const type = context.options.entityType.fields.find(({ name }) => name === field)?.type;
  const right = parameter === undefined ? value : context.options.parameters.get(parameter);
  const takesNone = operator === 'is_null' || operator === 'is_not_null';
  if (type === undefined || (right === undefined && !takesNone)) {
    const name = context.options.entityType.name;
    const message =
      type === undefined ? `"${name}" has no field "${field}" any more` : `parameter "${parameter}" is missing`;
    context.issues.push({ path: 'filter', message });
    return 'false';
  }
  const column = columnSql(field, type);
  const bind = (operand: unknown, cast: string) => `$${context.values.push(operand)}::${cast}`;
  switch (operator) {
    case 'is_null':
      return `${column} is null`;
    case 'is_not_null':
      return `${column} is not null`;
    case 'in':
      return `${column} = any(${bind(texts(right), `${castOf(type, right)}[]`)})`;
    case 'nin':
      return `${column} <> all(${bind(texts(right), `${castOf(type, right)}[]`)})`;
    case 'between': {
      const [low, high] = right as readonly Json[];
      const sides = [
        ordered(column, type, `>= ${bind(String(low), castOf(type, low))}`),
        ordered(column, type, `<= ${bind(String(high), castOf(type, high))}`),
      ];
      return `(${sides.join(' and ')})`;
    }
    case 'contains':
    case 'startswith':
    case 'endswith':
      return `${column} like ${bind(likePattern(operator, String(right)), 'text')}`;
    case 'eq':
    case 'neq':
      return `${column} ${comparisons[operator]} ${bind(String(right), castOf(type, right))}`;
    default:
      return ordered(column, type, `${comparisons[operator]} ${bind(String(right), castOf(type, right))}`);
  }
}

/** Texts sort by code point, wherever the database is. */
function ordered(column: string, type: FieldType, comparison: string): string {
  return type === 'text' ? `${column} collate "C" ${comparison}` : `${column} ${comparison}`;
}

/** Casts that cost an index nothing where the column has the plain type, and give others one that values are cast to. */
function columnSql(field: string, type: FieldType): string {
  const name = pg.escapeIdentifier(field);
  if (type === 'text') return `${name}::text`;
  return type === 'time' ? `${name}::time` : name;
}

function castOf(type: FieldType, right: Json | undefined): string {
  switch (type) {
    case 'number':
      return [right].flat().every(isInt8) ? 'int8' : 'numeric';
    case 'date':
    case 'timestamp':
      return 'timestamptz';
    case 'boolean':
    case 'time':
    case 'uuid':
      return type;
    case 'text':
    case 'json':
    case 'array':
    case 'other':
      return 'text';
  }
}

/** An integer that fits 64 bits: compared as such an index over integers serves. */
function isInt8(value: unknown): boolean {
  if (typeof value === 'bigint') return BigInt.asIntN(64, value) === value;
  return Number.isSafeInteger(value);
}

function texts(right: Json | undefined): string[] {
  return [right].flat().map(String);
}

function likePattern(operator: Extract<FilterOperator, 'contains' | 'startswith' | 'endswith'>, part: string): string {
  const escaped = part.replace(/[\\%_]/g, '\\$&');
  return `${operator === 'startswith' ? '' : '%'}${escaped}${operator === 'endswith' ? '' : '%'}`;
}
