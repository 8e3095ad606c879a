import { z } from 'zod';
import { type Issue, unknownWord } from '../../errors.ts';
import { decimalInput } from '../../model/decimal.ts';
import { type FieldRead, parseFieldPath } from '../../model/field-path.ts';
import type { Json } from '../../model/json.ts';
import { pathText } from '../../model/parse-input.ts';
import { err, ok, type Result } from '../../model/result.ts';
import { type CompileContext, type ConditionHandler, defineConditionHandler, type Subject } from '../condition.ts';
import { deferredCondition } from '../deferred-condition.ts';
import { type FieldReader, fieldReader } from '../field-reader.ts';
import { quoteValue } from '../show-value.ts';

const mostCounted = 10_000;
const count = z.number().int().min(0).max(mostCounted);

const parameter = z.union(
  [
    z.strictObject({ field: z.string().min(1) }),
    z.strictObject({ value: z.union([z.string().max(10_000), z.number(), z.bigint(), decimalInput, z.boolean()]) }),
  ],
  'must be { "field": a path } or { "value": a text, a number, true or false }',
);

const config = z.strictObject({
  /** The name of a saved query of the tenant. */
  query: z.string().min(1),
  parameters: z.record(z.string(), parameter).default({}),
  /** How many rows it must find. Default `any`: at least one. */
  expect: z
    .union(
      [z.enum(['any', 'none']), z.strictObject({ atLeast: count.optional(), atMost: count.optional() })],
      `must be "any", "none" or { "atLeast": n, "atMost": n } up to ${mostCounted}`,
    )
    .default('any'),
});

type Config = z.infer<typeof config>;
type Bounds = { readonly atLeast: number; readonly atMost: number };
type Parameter = { readonly name: string; readonly field: string; readonly read: FieldReader };

/** True when a saved query of the tenant finds as many rows as expected. */
export const queryMatchCondition: ConditionHandler<Config> = defineConditionHandler({
  type: 'query_match',
  schema: config,
  compile: (written, context) => {
    const bounds = boundsOf(written.expect);
    const parameters = parametersOf(written, context);
    const issues = [...referenceIssues(written, context), ...(parameters.ok ? [] : parameters.error)];
    if (bounds.atLeast > bounds.atMost) {
      issues.push({ path: pathText(context.path, ['expect']), message: 'atLeast is above atMost: no count fits' });
    }
    if (!parameters.ok || issues.length > 0) return err(issues);
    const { fields, values, reads } = parameters.value;
    // One more than may be found tells that there are more.
    const atMost = Number.isFinite(bounds.atMost) ? bounds.atMost + 1 : Math.max(1, bounds.atLeast);
    return ok(
      deferredCondition({
        type: 'query_match',
        expected: `${boundsText(bounds)} found by "${written.query}"`,
        problem: (subject) => missingParameter(fields, subject),
        ask: async (subject, services) => {
          const { tenantId } = subject.event;
          const given = {
            ...values,
            ...Object.fromEntries(fields.map(({ name, read }) => [name, read(subject) as Json])),
          };
          const found = await services.countMatches({ tenantId, query: written.query, parameters: given, atMost });
          return {
            result: found >= bounds.atLeast && found <= bounds.atMost,
            actual: `${countText(found, atMost)} (${quoteValue(given)})`,
          };
        },
        reads,
      }),
    );
  },
});

function boundsOf(expect: Config['expect']): Bounds {
  if (expect === 'none') return { atLeast: 0, atMost: 0 };
  if (expect === 'any') return { atLeast: 1, atMost: Number.POSITIVE_INFINITY };
  return { atLeast: expect.atLeast ?? 0, atMost: expect.atMost ?? Number.POSITIVE_INFINITY };
}

function boundsText({ atLeast, atMost }: Bounds): string {
  if (atMost === 0) return 'no row';
  if (!Number.isFinite(atMost)) return `at least ${atLeast}`;
  return atLeast === 0 ? `at most ${atMost}` : `${atLeast} to ${atMost}`;
}

function countText(found: number, atMost: number): string {
  return found >= atMost ? `${found} or more` : String(found);
}

function parametersOf(
  written: Config,
  context: CompileContext,
): Result<{ fields: Parameter[]; values: Record<string, Json>; reads: FieldRead[] }, Issue[]> {
  const fields: Parameter[] = [];
  const reads: FieldRead[] = [];
  const values: [string, Json][] = [];
  const issues: Issue[] = [];
  for (const [name, source] of Object.entries(written.parameters)) {
    if ('value' in source) {
      values.push([name, source.value]);
      continue;
    }
    const path = pathText(context.path, ['parameters', name, 'field']);
    const segments = parseFieldPath(source.field);
    if (segments) {
      fields.push({ name, field: source.field, read: fieldReader(segments) });
      reads.push({ path, segments });
    } else issues.push({ path, message: `"${source.field}" is not a field path such as "customer_id"` });
  }
  return issues.length > 0 ? err(issues) : ok({ fields, values: Object.fromEntries(values), reads });
}

/** Checks the names against the tenant's saved queries, when they are at hand. */
function referenceIssues(written: Config, { path, savedQueries }: CompileContext): Issue[] {
  if (savedQueries === null) return [];
  const declared = savedQueries.get(written.query);
  if (!declared) {
    const allowed = [...savedQueries.keys()];
    return [unknownWord({ path: pathText(path, ['query']), kind: 'saved query', written: written.query, allowed })];
  }
  const given = Object.keys(written.parameters);
  const unknown = given.filter((name) => !declared.includes(name));
  const missing = declared.filter((name) => !given.includes(name));
  return [
    ...unknown.map((name) =>
      unknownWord({ path: pathText(path, ['parameters', name]), kind: 'parameter', written: name, allowed: declared }),
    ),
    ...missing.map((name) => ({
      path: pathText(path, ['parameters', name]),
      message: `is missing: "${written.query}" needs it`,
    })),
  ];
}

/** Null finds nothing whatever is asked, which would make `none` true by accident. */
function missingParameter(fields: readonly Parameter[], subject: Subject): string | null {
  for (const { name, field, read } of fields) {
    const value = read(subject);
    if (value === undefined) return `the field "${field}" (parameter "${name}") is not there`;
    if (value === null) return `the field "${field}" (parameter "${name}") is null`;
  }
  return null;
}
