import type { Issue } from '../errors.ts';
import type { EntityType, FieldType } from '../model/entity-type.ts';
import { type FieldRead, parseFieldPath, readField } from '../model/field-path.ts';
import type { Json } from '../model/json.ts';
import { err, ok, type Result } from '../model/result.ts';
import { checkOperand, fieldTypeAt } from './check-operand.ts';
import type { AccessPredicate, Comparison, Subject } from './condition.ts';
import { type FieldReader, fieldReader } from './field-reader.ts';
import type {
  BinaryOperator,
  ChangeOperator,
  Decision,
  FixedDecision,
  Operator,
  PresenceOperator,
} from './operator.ts';
import { lowerCase } from './operators/equality.ts';
import type { Explanation } from './pure-condition.ts';
import { exceeds } from './search-share.ts';
import { describeValue, quoteValue } from './show-value.ts';

/** A compiled `field_value`. */
export type FieldTest = {
  readonly test: (subject: Subject) => Decision;
  readonly explain: (subject: Subject) => Explanation;
  readonly reads: readonly FieldRead[];
  readonly access: readonly AccessPredicate[];
  readonly isDecidedByAccess?: boolean;
  readonly comparison?: Comparison;
};

/** What was written, and what is known of its field. */
export type FieldTestContext = {
  readonly written: {
    readonly field: string;
    readonly value?: Json | undefined;
    readonly valueField?: string | undefined;
    readonly caseSensitive?: boolean | undefined;
    readonly from?: Json | undefined;
    readonly to?: Json | undefined;
  };
  readonly segments: readonly string[];
  /** The type of the field, if it is known. */
  readonly type: FieldType | null;
  readonly entityTypes: readonly EntityType[];
  /** What may be looked through of a record. */
  readonly share: number;
  /** Where a setting stands in the definition. */
  readonly place: (setting: 'field' | 'value' | 'valueField' | 'from' | 'to') => string;
};

/** Compiles an operator over a field. */
export function fieldTest(operator: Operator, context: FieldTestContext): Result<FieldTest, readonly Issue[]> {
  const { valueField } = context.written;
  switch (operator.kind) {
    case 'binary':
      return valueField === undefined ? againstValue(operator, context) : againstField(operator, context, valueField);
    case 'presence':
      return ok(presenceTest(operator, context));
    case 'change':
      return changeTest(operator, context);
  }
}

/** A test that is undecided where a field, or one of two, holds more than it may look through. Without a field it is quick. */
function withinShare(
  test: FieldTest,
  [one, other]: readonly [FieldReader, FieldReader?],
  { share }: FieldTestContext,
): FieldTest {
  const isTooMuch = (subject: Subject) => {
    const value = one(subject);
    if (other === undefined || value === undefined) return exceeds(value, share);
    const second = other(subject);
    return second !== undefined && (exceeds(value, share) || exceeds(second, share));
  };
  // Without the comparison in its parts, which knows no share.
  const { comparison: _unbounded, ...bounded } = test;
  return {
    ...bounded,
    test: (subject) => (isTooMuch(subject) ? 'error' : test.test(subject)),
    explain: (subject) => {
      if (!isTooMuch(subject)) return test.explain(subject);
      const problem = () =>
        `the record holds more than one of so many conditions may look through (${share} characters)`;
      return { ...test.explain(subject), problem };
    },
  };
}

function againstValue(operator: BinaryOperator, context: FieldTestContext): Result<FieldTest, readonly Issue[]> {
  const { written, segments, type, place } = context;
  const checked = checkOperand(operator, written.value, { path: place('value'), type });
  if (!checked.ok) return checked;
  const right = checked.value;
  const foldCase = written.caseSensitive === false ? operator.foldCase : undefined;
  const access = foldCase ? null : (operator.access?.(segments, right) ?? null);
  const { field } = written;
  const expected = `${field} ${operator.name} ${quoteValue(written.value)}`;
  const decision = foldCase ? folded(fix(operator, foldCase(right), context)) : fix(operator, right, context);
  const comparison: Comparison = { read: fieldReader(segments), ...decision };
  const test: FieldTest = {
    test: comparisonTest(comparison),
    comparison,
    explain: ({ event }) => {
      const left = readField(event, segments);
      return {
        expected,
        actual: left,
        problem: () => problem(operator.name, [field, left], ['value', right]),
      };
    },
    reads: [{ path: place('field'), segments }],
    access: access ? [access] : [],
    isDecidedByAccess: access !== null && operator.isDecidedByAccess?.(right) === true,
  };
  return ok(foldCase || operator.searches === true ? withinShare(test, [fieldReader(segments)], context) : test);
}

function againstField(
  operator: BinaryOperator,
  context: FieldTestContext,
  valueField: string,
): Result<FieldTest, readonly Issue[]> {
  const { written, segments, type, entityTypes, place } = context;
  const rightSegments = parseFieldPath(valueField) ?? [];
  const rightType = fieldTypeAt(rightSegments, entityTypes);
  if (type && rightType && !areComparable(type, rightType) && operator.operand.kind === 'value') {
    const message = `a field of type ${type} cannot be compared with one of type ${rightType}`;
    return err([{ path: place('valueField'), message }]);
  }
  const readLeft = fieldReader(segments);
  const readRight = fieldReader(rightSegments);
  const fold = written.caseSensitive === false ? lowerCase : (value: Json) => value;
  const test: FieldTest = {
    test: (subject) => {
      const left = readLeft(subject);
      const right = readRight(subject);
      if (left === undefined || right === undefined) return 'error';
      return operator.decide(fold(left), fold(right));
    },
    explain: (subject) => {
      const left = readLeft(subject);
      const right = readRight(subject);
      return {
        expected: `${written.field} ${operator.name} ${valueField} (${quoteValue(right)})`,
        actual: left,
        problem: () => problem(operator.name, [written.field, left], [valueField, right]),
      };
    },
    reads: [
      { path: place('field'), segments },
      { path: place('valueField'), segments: rightSegments },
    ],
    access: [],
  };
  return ok(withinShare(test, [readLeft, readRight], context));
}

function fix(operator: BinaryOperator, right: Json, { share }: FieldTestContext): FixedDecision {
  return operator.fixed?.(right, share) ?? { right, decide: operator.decide };
}

function comparisonTest({ read, right, decide }: Comparison): FieldTest['test'] {
  return (subject) => decide(read(subject), right as never);
}

function folded({ right, decide }: FixedDecision): FixedDecision {
  return { right, decide: (left, prepared) => decide(left === undefined ? left : lowerCase(left), prepared) };
}

function presenceTest(operator: PresenceOperator, { written, segments, place }: FieldTestContext): FieldTest {
  const comparison: Comparison = { read: fieldReader(segments), right: undefined, decide: operator.decide };
  return {
    test: comparisonTest(comparison),
    comparison,
    explain: ({ event }) => ({ expected: `${written.field} ${operator.name}`, actual: readField(event, segments) }),
    reads: [{ path: place('field'), segments }],
    access: [],
  };
}

function changeTest(operator: ChangeOperator, context: FieldTestContext): Result<FieldTest, readonly Issue[]> {
  const { written, segments, type, place } = context;
  const [root, ...rest] = segments;
  if (root !== 'payload') {
    const message = `"${operator.name}" compares the record with itself before the update: write the field without "${root}."`;
    return err([{ path: place('field'), message }]);
  }
  const values = checkChangeValues(operator, written, { type, place });
  if (!values.ok) return values;
  const { from, to } = values.value;
  const previous = ['previous', ...rest];
  const before = fieldReader(previous);
  const after = fieldReader(segments);
  const column = rest.length === 1 ? (rest[0] as string) : null;
  const name = operator.from || operator.to ? 'changed' : operator.name;
  const limits = `${from === undefined ? '' : ` from ${quoteValue(from)}`}${to === undefined ? '' : ` to ${quoteValue(to)}`}`;
  const test: FieldTest = {
    test: operator.compile({ before, after, column, from, to }),
    explain: (subject) => {
      const [was, is] = [before(subject), after(subject)];
      return {
        expected: `${written.field} ${name}${limits}`,
        actual: `${quoteValue(was)} -> ${quoteValue(is)}`,
        problem: () => problem(operator.name, [previous.join('.'), was], [written.field, is]),
      };
    },
    reads: [{ path: place('field'), segments }],
    access: [
      ...(to === undefined ? [] : [{ segments, values: [to] }]),
      ...(from === undefined ? [] : [{ segments: previous, values: [from] }]),
    ],
  };
  return ok(withinShare(test, [before, after], context));
}

function checkChangeValues(
  operator: ChangeOperator,
  written: FieldTestContext['written'],
  context: Pick<FieldTestContext, 'type' | 'place'>,
): Result<{ from: Json | undefined; to: Json | undefined }, readonly Issue[]> {
  const values: { from: Json | undefined; to: Json | undefined } = { from: undefined, to: undefined };
  for (const side of ['from', 'to'] as const) {
    const setting = operator[side];
    if (setting === null || (written[setting] === undefined && setting !== 'value')) continue;
    const place = { path: context.place(setting), type: context.type };
    const checked = checkOperand(
      { name: operator.name, operand: { kind: 'value', takes: 'any' } },
      written[setting],
      place,
    );
    if (!checked.ok) return checked;
    values[side] = checked.value;
  }
  return ok(values);
}

/** Text goes with everything, since it may hold numbers and dates; json and other types hold anything. */
function areComparable(left: FieldType, right: FieldType): boolean {
  const kinds = [left, right].map((type) => (type === 'date' ? 'timestamp' : type));
  return kinds[0] === kinds[1] || kinds.some((kind) => kind === 'text' || kind === 'json' || kind === 'other');
}

type Side = readonly [field: string, value: Json | undefined];

/** Why an operator could not decide: one side is not there, or the two do not go together. */
function problem(operator: string, ...sides: readonly [Side, Side]): string {
  const missing = sides.find(([, value]) => value === undefined);
  if (missing) return `the field "${missing[0]}" is not there`;
  const [left, right] = sides.map(([, value]) => describeValue(value as Json));
  return `${left} and ${right} cannot be compared with "${operator}"`;
}
