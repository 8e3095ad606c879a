import { compareCodePoints, compareValues } from '../../src/model/compare-values.ts';
import { allOf, anyOf, notOf, type Verdict } from '../../src/model/condition.ts';
import type { EntityType, FieldType } from '../../src/model/entity-type.ts';
import { type Json, ownProperty } from '../../src/model/json.ts';
import type { FieldFilter, SavedFilter } from '../../src/model/saved-filter.ts';

/**
 * Whether a row, as JSON, fits the filter of a saved query: what the SQL of it (`store/saved-query-sql.ts`) is held to. A
 * comparison with null is unknown, and so is what follows from it alone.
 *
 * @param options.parameters a value for each parameter of the query, as `fitParameters` gives them
 */
export function matchesFilter(options: {
  filter: SavedFilter;
  entityType: EntityType;
  parameters: ReadonlyMap<string, Json>;
  row: Json;
}): boolean {
  return verdictOf(options.filter, options) === true;
}

type Context = Omit<Parameters<typeof matchesFilter>[0], 'filter'>;

/** `error` stands for unknown. */
function verdictOf(filter: SavedFilter, context: Context): Verdict {
  if ('all' in filter) return allOf(filter.all.map((child) => verdictOf(child, context)));
  if ('any' in filter) return anyOf(filter.any.map((child) => verdictOf(child, context)));
  if ('not' in filter) return notOf(verdictOf(filter.not, context));
  return compare(filter, context);
}

function compare(filter: FieldFilter, { entityType, parameters, row }: Context): Verdict {
  const { field, operator, value, parameter } = filter;
  const type = entityType.fields.find(({ name }) => name === field)?.type;
  const left = ownProperty(row, field) ?? null;
  const right = (parameter === undefined ? value : parameters.get(parameter)) ?? null;
  const isUnknown = left === null || right === null || type === undefined;
  const order = (operand: Json | undefined) => (isUnknown ? undefined : orderOf(type, left, operand ?? null));
  const part = (fits: (text: string, part: string) => boolean) =>
    isUnknown ? 'error' : fits(String(left), String(right));
  switch (operator) {
    case 'is_null':
      return left === null;
    case 'is_not_null':
      return left !== null;
    case 'eq':
      return decide(order(right), (found) => found === 0);
    case 'neq':
      return decide(order(right), (found) => found !== 0);
    case 'gt':
      return decide(order(right), (found) => found > 0);
    case 'gte':
      return decide(order(right), (found) => found >= 0);
    case 'lt':
      return decide(order(right), (found) => found < 0);
    case 'lte':
      return decide(order(right), (found) => found <= 0);
    case 'in':
      return anyOf(listOf(right).map((element) => decide(order(element), (found) => found === 0)));
    case 'nin':
      return allOf(listOf(right).map((element) => decide(order(element), (found) => found !== 0)));
    case 'between': {
      const [low, high] = listOf(right);
      return allOf([decide(order(low), (found) => found >= 0), decide(order(high), (found) => found <= 0)]);
    }
    case 'contains':
      return part((text, looked) => text.includes(looked));
    case 'startswith':
      return part((text, looked) => text.startsWith(looked));
    case 'endswith':
      return part((text, looked) => text.endsWith(looked));
  }
}

function listOf(value: Json): readonly Json[] {
  return Array.isArray(value) ? value : [value];
}

function decide(order: number | undefined, accepts: (order: number) => boolean): Verdict {
  return order === undefined ? 'error' : accepts(order);
}

/** The order of a column's value and an operand, as PostgreSQL sorts the column's type. */
function orderOf(type: FieldType, left: Json, right: Json): number | undefined {
  switch (type) {
    case 'number':
      // PostgreSQL puts NaN above all numbers.
      return left === 'NaN' ? 1 : compareValues(left, right);
    case 'date':
    case 'timestamp':
      return compareValues(left, right);
    case 'time':
      return compareCodePoints(withoutZone(String(left)), String(right));
    case 'boolean':
      return Number(left) - Number(right);
    case 'text':
    case 'uuid':
      return compareCodePoints(String(left), String(right));
    case 'json':
    case 'array':
    case 'other':
      return undefined;
  }
}

function withoutZone(time: string): string {
  return time.replace(/[+-].*$/, '');
}
