import type { Issue } from '../errors.ts';
import { compareValues, isNumericText } from '../model/compare-values.ts';
import type { EntityType, FieldType } from '../model/entity-type.ts';
import { fitValue } from '../model/fit-value.ts';
import type { Json } from '../model/json.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { BinaryOperator, Comparable } from './operator.ts';
import { checkPattern } from './operators/text.ts';

/** Types of the fields that `event.` paths read; the rest are text. */
const eventFieldTypes: Readonly<Record<string, FieldType>> = { changed: 'array', occurred_at: 'timestamp' };

/** The type of the field a path reads, when it is a column whose type is known and the same in every entity type. */
export function fieldTypeAt(segments: readonly string[], entityTypes: readonly EntityType[]): FieldType | null {
  const [root, name = ''] = segments;
  if (segments.length !== 2) return null;
  if (root === 'event') return eventFieldTypes[name] ?? 'text';
  const types = new Set(entityTypes.map(({ fields }) => fields.find((field) => field.name === name)?.type));
  const [type] = types;
  return types.size === 1 ? (type ?? null) : null;
}

/**
 * The right side of an operator as it is compared, checked against what the operator takes and, when it is known, the type
 * of the field.
 */
export function checkOperand(
  operator: Pick<BinaryOperator, 'name' | 'operand'>,
  value: Json | undefined,
  context: { path: string; type: FieldType | null },
): Result<Json, readonly Issue[]> {
  const { path } = context;
  const refuse = (message: string) => err([{ path, message }]);
  const { operand, name } = operator;
  switch (operand.kind) {
    case 'value': {
      if (value === undefined) return refuse(`is missing: "${name}" compares with a value, or with a valueField`);
      const fitted = fitOperand(value, operand.takes, context.type);
      return fitted.ok ? fitted : refuse(fitted.error);
    }
    case 'list':
      if (!Array.isArray(value)) return refuse(`"${name}" takes a list of values such as ["new", "open"]`);
      return checkEach(value, operand.takes, context);
    case 'pair': {
      if (!Array.isArray(value) || value.length !== 2) {
        return refuse(`"${name}" takes a list of the lowest and the highest value such as [10, 20]`);
      }
      const pair = checkEach(alike(value), operand.takes, context);
      if (!pair.ok) return pair;
      const order = compareValues(pair.value[0] as Json, pair.value[1] as Json);
      return order === undefined || order > 0
        ? refuse(`"${name}" takes the lowest value first, then the highest, both of one kind`)
        : pair;
    }
    case 'pattern': {
      if (typeof value !== 'string') return refuse(`"${name}" takes a regular expression such as "^AB-[0-9]+$"`);
      const pattern = checkPattern(value);
      return pattern.ok ? pattern : refuse(pattern.error);
    }
  }
}

/** A number written as text beside a number becomes one: their order is then that of numbers for every field value. */
function alike(pair: readonly Json[]): readonly Json[] {
  if (pair.every((value) => typeof value === 'string')) return pair;
  return pair.map((value) => {
    const number = typeof value === 'string' && isNumericText(value) ? fitValue('number', value) : null;
    return number?.ok ? number.value : value;
  });
}

function checkEach(
  values: readonly Json[],
  takes: Comparable,
  context: { path: string; type: FieldType | null },
): Result<readonly Json[], readonly Issue[]> {
  const issues: Issue[] = [];
  const fitted: Json[] = [];
  for (const [index, value] of values.entries()) {
    const result = fitOperand(value, takes, context.type);
    if (result.ok) fitted.push(result.value);
    else issues.push({ path: `${context.path}[${index}]`, message: result.error });
  }
  return issues.length > 0 ? err(issues) : ok(fitted);
}

function fitOperand(value: Json, takes: Comparable, type: FieldType | null): Result<Json, string> {
  if (typeof value === 'object') {
    if (value !== null) return err('must be one value, not a list: "in" and "nin" take lists');
    return takes === 'any' ? ok(null) : err('must not be null: use "is_null" or "is_not_null"');
  }
  if (takes === 'text' && typeof value !== 'string') return err('must be a text');
  if (takes === 'ordered' && typeof value === 'boolean') return err('must be a number, a date or a text');
  switch (type) {
    case null:
    case 'json':
    case 'other':
    case 'array':
      return ok(value);
    case 'text':
      // Amounts are often kept as text; beside a number such a text counts as the number it writes.
      return typeof value === 'string' || (typeof value !== 'boolean' && takes !== 'element')
        ? ok(value)
        : err('must be a text, as the field is of type text');
    default: {
      const fitted = fitValue(type, value);
      return fitted.ok ? fitted : err(`must be ${fitted.error}, as the field is of type ${type}`);
    }
  }
}
