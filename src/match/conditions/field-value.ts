import { z } from 'zod';
import type { Issue } from '../../errors.ts';
import { decimalInput } from '../../model/decimal.ts';
import { parseFieldPath } from '../../model/field-path.ts';
import { pathText } from '../../model/parse-input.ts';
import { err, ok, type Result } from '../../model/result.ts';
import { fieldTypeAt } from '../check-operand.ts';
import { type CompileContext, type ConditionHandler, defineConditionHandler } from '../condition.ts';
import { type FieldTest, type FieldTestContext, fieldTest } from '../field-test.ts';
import type { Operator } from '../operator.ts';
import { operators } from '../operators/index.ts';
import { pureCondition } from '../pure-condition.ts';

const scalar = z.union(
  [z.string().max(10_000), z.number(), z.bigint(), decimalInput, z.boolean(), z.null()],
  'must be a text, a number, true, false or null',
);

const operatorByName = new Map(operators.map((operator) => [operator.name, operator]));

const config = z.strictObject({
  /** Dotted path into the payload, or below `previous.` or `event.`. */
  field: z.string().min(1),
  operator: z.enum(operators.map(({ name }) => name)),
  /** What the field is compared with: one value, a list (`in`, `nin`), or lowest and highest (`between`). */
  value: z
    .union([scalar, z.array(scalar).min(1).max(1000)], 'must be a value, or a list of 1 to 1000 values')
    .optional(),
  /** Another field to compare with, instead of `value`. */
  valueField: z.string().min(1).optional(),
  /** False compares texts in lower case. Default true. */
  caseSensitive: z.boolean().optional(),
  /** `changed` only: the value before the update. */
  from: scalar.optional(),
  /** `changed` only: the value after the update. */
  to: scalar.optional(),
});

/** What tenants write for `field_value`, checked. */
export type FieldValueConfig = z.infer<typeof config>;

/** Compares a field of the record, of the record before, or of the event with a value or another field. */
export const fieldValueCondition: ConditionHandler<FieldValueConfig> = defineConditionHandler({
  type: 'field_value',
  schema: config,
  compile: (written, context) => {
    const test = compileFieldTest(written, context);
    return test.ok ? ok(pureCondition({ type: 'field_value', ...test.value })) : test;
  },
});

function compileFieldTest(written: FieldValueConfig, context: CompileContext): Result<FieldTest, readonly Issue[]> {
  const place = (key: keyof FieldValueConfig) => pathText(context.path, [key]);
  // The schema lets no other names through.
  const operator = operatorByName.get(written.operator) as Operator;
  const segments = parseFieldPath(written.field);
  if (!segments) return err([{ path: place('field'), message: notAPath(written.field) }]);
  const issues = settingIssues(operator, written, place);
  if (issues.length > 0) return err(issues);
  const type = fieldTypeAt(segments, context.entityTypes);
  if (type !== null && !operator.types.includes(type)) return err([unfit(operator, type, place('operator'))]);
  const { entityTypes, share } = context;
  const testContext: FieldTestContext = { written, segments, type, place, entityTypes, share };
  return fieldTest(operator, testContext);
}

function notAPath(written: string): string {
  return `"${written}" is not a field path such as "total", "customer.id" or "previous.status"`;
}

function settingIssues(
  operator: Operator,
  written: FieldValueConfig,
  place: (key: keyof FieldValueConfig) => string,
): Issue[] {
  const taken = settingsOf(operator);
  const issues: Issue[] = [];
  for (const key of ['value', 'valueField', 'caseSensitive', 'from', 'to'] as const) {
    if (written[key] === undefined || taken.includes(key)) continue;
    const hint = taken.length > 0 ? `: it takes ${taken.join(', ')}` : ' and nothing else beside the field';
    issues.push({ path: place(key), message: `"${operator.name}" takes no ${key}${hint}`, allowed: taken });
  }
  if (written.value !== undefined && written.valueField !== undefined && issues.length === 0) {
    issues.push({ path: place('valueField'), message: 'stands beside a value: write one of them' });
  }
  if (written.valueField !== undefined && !parseFieldPath(written.valueField)) {
    issues.push({ path: place('valueField'), message: notAPath(written.valueField) });
  }
  return issues;
}

function settingsOf(operator: Operator): readonly (keyof FieldValueConfig)[] {
  switch (operator.kind) {
    case 'binary':
      return [
        'value',
        ...(operator.allowsField ? (['valueField'] as const) : []),
        ...(operator.foldCase ? (['caseSensitive'] as const) : []),
      ];
    case 'change':
      return [operator.from, operator.to].filter((key) => key !== null);
    case 'presence':
      return [];
  }
}

function unfit(operator: Operator, type: string, path: string): Issue {
  const allowed = operators.filter(({ types }) => (types as readonly string[]).includes(type)).map(({ name }) => name);
  return { path, message: `"${operator.name}" cannot be asked of a field of type ${type}`, allowed };
}
