import type { Issue } from '../errors.ts';
import { compareValues } from '../model/compare-values.ts';
import { isExactNumber } from '../model/decimal.ts';
import type { EntityType, FieldType } from '../model/entity-type.ts';
import { fitValue } from '../model/fit-value.ts';
import type { Json } from '../model/json.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { BinaryOperator, Comparable } from './operator.ts';
import { patternProblem } from './operators/text.ts';

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
 * Checks the right side of an operator against what the operator takes and, when it is known, the type of the field. The
 * type only refuses: what is accepted means the same without it.
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
      if (value === undefined) return refuse(`is missing: "${name}" needs a value`);
      const problem = operandProblem(value, operand.takes, context.type);
      return problem === null ? ok(value) : refuse(problem);
    }
    case 'list':
      if (!Array.isArray(value)) return refuse(`"${name}" takes a list of values such as ["new", "open"]`);
      return checkEach(value, operand.takes, context);
    case 'pair': {
      if (!Array.isArray(value) || value.length !== 2) {
        return refuse(`"${name}" takes a list of the lowest and the highest value such as [10, 20]`);
      }
      const pair = checkEach(value, operand.takes, context);
      const order = pair.ok ? compareValues(value[0] as Json, value[1] as Json) : 0;
      return order === undefined || order > 0
        ? refuse(`"${name}" takes the lowest value first, then the highest, both of one kind`)
        : pair;
    }
    case 'pattern': {
      if (typeof value !== 'string') return refuse(`"${name}" takes a regular expression such as "^AB-[0-9]+$"`);
      const problem = patternProblem(value);
      return problem === null ? ok(value) : refuse(problem);
    }
  }
}

function checkEach(
  values: readonly Json[],
  takes: Comparable,
  context: { path: string; type: FieldType | null },
): Result<readonly Json[], readonly Issue[]> {
  const issues = values.flatMap((value, index) => {
    const problem = operandProblem(value, takes, context.type);
    return problem === null ? [] : [{ path: `${context.path}[${index}]`, message: problem }];
  });
  return issues.length > 0 ? err(issues) : ok(values);
}

function operandProblem(value: Json, takes: Comparable, type: FieldType | null): string | null {
  if (value === null) return takes === 'any' ? null : 'must not be null: use "is_null" or "is_not_null"';
  if (typeof value === 'object' && !isExactNumber(value))
    return 'must be one value, not a list: "in" and "nin" take lists';
  if (takes === 'text' && typeof value !== 'string') return 'must be a text';
  if (takes === 'ordered' && typeof value === 'boolean') return 'must be a number, a date or a text';
  if (type === null || type === 'array') return null;
  // Amounts are often kept as text; beside a number such a text counts as the number it writes.
  if (type === 'text' && takes !== 'element' && typeof value !== 'boolean') return null;
  const fitted = fitValue(type, value);
  if (!fitted.ok) return `must be ${fitted.error}, as the field is of type ${type}`;
  const isSpeltOtherwise = typeof fitted.value === 'string' && fitted.value !== value;
  return isSpeltOtherwise ? `must be written as "${fitted.value}"` : null;
}
