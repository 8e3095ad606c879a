import { z } from 'zod';
import { type Issue, unknownWord } from '../errors.ts';
import { compareValues } from './compare-values.ts';
import { decimalInput } from './decimal.ts';
import type { EntityField, FieldType } from './entity-type.ts';
import { fitValue } from './fit-value.ts';
import type { Json } from './json.ts';
import { parseInput, pathText } from './parse-input.ts';

/** Comparisons a saved query may make. */
export const filterOperators = [
  'eq',
  'neq',
  'gt',
  'gte',
  'lt',
  'lte',
  'in',
  'nin',
  'contains',
  'startswith',
  'endswith',
  'between',
  'is_null',
  'is_not_null',
] as const;
export type FilterOperator = (typeof filterOperators)[number];

/** Types a parameter of a saved query may have. */
export const parameterTypes = ['text', 'number', 'boolean', 'date', 'timestamp', 'time', 'uuid'] as const;
export type ParameterType = (typeof parameterTypes)[number];

/** A value that a saved query is given each time it is asked. */
export type QueryParameter = { readonly name: string; readonly type: ParameterType };

/** Which rows a saved query counts. As in SQL, a comparison with null is neither true nor false. */
export type SavedFilter =
  | { readonly all: readonly SavedFilter[] }
  | { readonly any: readonly SavedFilter[] }
  | { readonly not: SavedFilter }
  | FieldFilter;

/** Compares a column with a value, a list (`in`, `nin`), lowest and highest (`between`), or a parameter. */
export type FieldFilter = {
  readonly field: string;
  readonly operator: FilterOperator;
  readonly value?: Json | undefined;
  readonly parameter?: string | undefined;
};

const deepestNesting = 10;
const mostComparisons = 100;

const scalar = z.union(
  [z.string().max(10_000), z.number(), z.bigint(), decimalInput, z.boolean()],
  'must be a text, a number, true or false',
);
const fieldFilter = z.strictObject({
  field: z.string().min(1),
  operator: z.enum(filterOperators),
  value: z
    .union([scalar, z.array(scalar).min(1).max(1000)], 'must be a value, or a list of 1 to 1000 values')
    .optional(),
  parameter: z.string().optional(),
});

const equality: readonly FilterOperator[] = ['eq', 'neq', 'in', 'nin', 'is_null', 'is_not_null'];
const order: readonly FilterOperator[] = ['gt', 'gte', 'lt', 'lte', 'between'];
const operatorsOf: Readonly<Record<FieldType, readonly FilterOperator[]>> = {
  text: filterOperators,
  number: [...equality, ...order],
  date: [...equality, ...order],
  timestamp: [...equality, ...order],
  time: [...equality, ...order],
  boolean: equality,
  uuid: equality,
  json: ['is_null', 'is_not_null'],
  array: ['is_null', 'is_not_null'],
  other: ['is_null', 'is_not_null'],
};

/** What a filter is checked against, and where what is wrong with it is put. */
export type FilterContext = {
  readonly entityType: { readonly name: string; readonly fields: readonly EntityField[] };
  readonly parameters: readonly QueryParameter[];
  readonly issues: Issue[];
};

/** Reads a filter as written; what is wrong goes to `context.issues`. Values come back as their column holds them. */
export function readFilter(written: unknown, path: string, context: FilterContext): SavedFilter {
  const filter = readNode(written, { path, depth: 0 }, context);
  if (countComparisons(filter) > mostComparisons) {
    context.issues.push({ path, message: `makes more than ${mostComparisons} comparisons` });
  }
  return filter;
}

const nothing: SavedFilter = { all: [] };

function readNode(written: unknown, place: { path: string; depth: number }, context: FilterContext): SavedFilter {
  const { path, depth } = place;
  const refuse = (message: string) => {
    context.issues.push({ path, message });
    return nothing;
  };
  if (typeof written !== 'object' || written === null || Array.isArray(written)) {
    return refuse('must be { "field", "operator", "value" } or { "all" | "any": [...] } or { "not": ... }');
  }
  if (depth >= deepestNesting) return refuse(`is nested deeper than ${deepestNesting} levels`);
  const below = (child: unknown, ...keys: PropertyKey[]) =>
    readNode(child, { path: pathText(path, keys), depth: depth + 1 }, context);
  for (const key of ['all', 'any', 'not'] as const) {
    if (!Object.hasOwn(written, key)) continue;
    const child = (written as Record<string, unknown>)[key];
    if (Object.keys(written).length > 1) return refuse(`has "${key}" and must have nothing beside it`);
    if (key === 'not') return { not: below(child, key) };
    if (!Array.isArray(child) || child.length === 0) return refuse(`"${key}" must be a list of filters`);
    const filters = child.map((filter, index) => below(filter, key, index));
    return key === 'all' ? { all: filters } : { any: filters };
  }
  return readComparison(written, path, context);
}

function readComparison(written: object, path: string, context: FilterContext): SavedFilter {
  const parsed = parseInput(fieldFilter, written, path);
  if (!parsed.ok) {
    context.issues.push(...parsed.error);
    return nothing;
  }
  const filter = parsed.value;
  const { entityType } = context;
  const field = entityType.fields.find(({ name }) => name === filter.field);
  if (!field) {
    const allowed = entityType.fields.map(({ name }) => name);
    const kind = `field of "${entityType.name}"`;
    context.issues.push(unknownWord({ path: pathText(path, ['field']), kind, written: filter.field, allowed }));
    return nothing;
  }
  const allowed = operatorsOf[field.type];
  if (!allowed.includes(filter.operator)) {
    const message = `"${filter.operator}" cannot be asked of a field of type ${field.type}`;
    context.issues.push({ path: pathText(path, ['operator']), message, allowed });
    return nothing;
  }
  return readOperand(filter, { path, type: field.type }, context);
}

function readOperand(
  filter: FieldFilter,
  place: { path: string; type: FieldType },
  context: FilterContext,
): SavedFilter {
  const { field, operator, value, parameter } = filter;
  const refuse = (key: 'value' | 'parameter', message: string) => {
    context.issues.push({ path: pathText(place.path, [key]), message });
    return nothing;
  };
  const takesNone = operator === 'is_null' || operator === 'is_not_null';
  const takesMany = operator === 'in' || operator === 'nin' || operator === 'between';
  if (takesNone) {
    if (value !== undefined) return refuse('value', `"${operator}" takes no value`);
    return parameter === undefined ? { field, operator } : refuse('parameter', `"${operator}" takes no parameter`);
  }
  if (parameter !== undefined) {
    if (takesMany) return refuse('parameter', `"${operator}" takes a list as its value`);
    if (value !== undefined) return refuse('parameter', 'stands beside a value: write one of them');
    return readParameter({ field, operator, parameter }, place, context);
  }
  if (value === undefined) return refuse('value', `is missing: "${operator}" needs a value or a parameter`);
  if (takesMany !== Array.isArray(value)) {
    return refuse('value', takesMany ? `"${operator}" takes a list` : `"${operator}" takes one value, not a list`);
  }
  const fitted = fitAll(Array.isArray(value) ? value : [value], place, context);
  if (operator === 'between' && !isPair(fitted)) return refuse('value', '"between" takes [lowest, highest]');
  return { field, operator, value: takesMany ? fitted : (fitted[0] as Json) };
}

function readParameter(
  filter: FieldFilter & { readonly parameter: string },
  { path, type }: { path: string; type: FieldType },
  { parameters, issues }: FilterContext,
): SavedFilter {
  const declared = parameters.find(({ name }) => name === filter.parameter);
  const place = pathText(path, ['parameter']);
  if (!declared) {
    const allowed = parameters.map(({ name }) => name);
    issues.push(unknownWord({ path: place, kind: 'parameter', written: filter.parameter, allowed }));
  } else if (kindOf(declared.type) !== kindOf(type) && !(declared.type === 'uuid' && type === 'text')) {
    const message = `parameter "${declared.name}" is of type ${declared.type}, field "${filter.field}" of type ${type}`;
    issues.push({ path: place, message });
  }
  return filter;
}

function fitAll(values: readonly Json[], place: { path: string; type: FieldType }, context: FilterContext): Json[] {
  return values.map((value, index) => {
    const fitted = fitValue(place.type, value);
    if (fitted.ok) return fitted.value;
    const path = pathText(place.path, values.length > 1 ? ['value', index] : ['value']);
    context.issues.push({ path, message: `must be ${fitted.error}, as the field is of type ${place.type}` });
    return value;
  });
}

function isPair([low, high, ...more]: readonly Json[]): boolean {
  if (low === undefined || high === undefined || more.length > 0) return false;
  return (compareValues(low, high) ?? 0) <= 0;
}

function kindOf(type: FieldType): string {
  return type === 'date' ? 'timestamp' : type;
}

function countComparisons(filter: SavedFilter): number {
  if ('all' in filter) return filter.all.reduce((sum, child) => sum + countComparisons(child), 0);
  if ('any' in filter) return filter.any.reduce((sum, child) => sum + countComparisons(child), 0);
  return 'not' in filter ? countComparisons(filter.not) : 1;
}
