import type { z } from 'zod';
import { type Issue, unknownWord } from '../errors.ts';
import { err, ok, type Result } from './result.ts';

type ZodIssue = z.core.$ZodIssue;
type Key = PropertyKey;

/**
 * Parses an input with a zod schema. What does not fit comes back as issues that say where it stands, what is allowed and
 * what was probably meant.
 *
 * @param base where the input itself stands, e.g. `recipients[0]`; empty for the top
 */
export function parseInput<T>(schema: z.ZodType<T>, input: unknown, base = ''): Result<T, readonly Issue[]> {
  const parsed = schema.safeParse(input);
  if (parsed.success) return ok(parsed.data);
  return err(parsed.error.issues.flatMap((issue) => toIssues(issue, { schema, input, base, prefix: [] })));
}

/** `base` and the keys below it as a dotted path with indices, e.g. `actions[0].retry.jitter`. */
export function pathText(base: string, keys: readonly Key[]): string {
  return keys.reduce<string>((path, key) => {
    if (typeof key === 'number') return `${path}[${key}]`;
    return path === '' ? String(key) : `${path}.${String(key)}`;
  }, base);
}

/** `prefix` is where a union stands whose branch the issue is about. */
type Place = { schema: z.ZodType; input: unknown; base: string; prefix: readonly Key[] };

/** How zod begins what it says of the kind of a value, unless the schema has words of its own. */
const zodsOwn = 'Invalid input: ';

function toIssues(issue: ZodIssue, place: Place): Issue[] {
  const keys = [...place.prefix, ...issue.path];
  const path = pathText(place.base, keys);
  const written = valueAt(place.input, keys);
  if (issue.code === 'unrecognized_keys') {
    const allowed = knownKeys(schemaAt(place.schema, keys));
    return issue.keys.map((key) =>
      unknownWord({ path: pathText(place.base, [...keys, key]), kind: 'field', written: key, allowed }),
    );
  }
  if (issue.code === 'invalid_union') return fromUnion(issue, { ...place, prefix: keys });
  if (issue.code === 'invalid_value' && typeof written === 'string' && issue.values.length > 1) {
    return [unknownWord({ path, kind: 'value', written, allowed: issue.values.map(String) })];
  }
  const isMissing = issue.code === 'invalid_type' && written === undefined && issue.message.startsWith(zodsOwn);
  const message = issue.message.startsWith(zodsOwn) ? issue.message.slice(zodsOwn.length) : issue.message;
  return [{ path, message: isMissing ? `is missing: expected ${issue.expected}` : message }];
}

/** The issues of the branch the input comes nearest to: one that it fails below its root, not by its kind. */
function fromUnion(issue: z.core.$ZodIssueInvalidUnion, place: Place): Issue[] {
  const path = pathText(place.base, place.prefix);
  if (issue.message !== 'Invalid input') return [{ path, message: issue.message }];
  const near = issue.errors.find((branch) =>
    branch.every(({ path: below, code }) => below.length > 0 || code !== 'invalid_type'),
  );
  if (near) return near.flatMap((inner) => toIssues(inner, place));
  const expected = issue.errors.flatMap(([first]) => (first?.code === 'invalid_type' ? [first.expected] : []));
  return [{ path, message: expected.length > 0 ? `expected ${expected.join(' or ')}` : issue.message }];
}

function valueAt(input: unknown, keys: readonly Key[]): unknown {
  return keys.reduce<unknown>(
    (value, key) =>
      typeof value === 'object' && value !== null && Object.hasOwn(value, key)
        ? (value as Record<Key, unknown>)[key]
        : undefined,
    input,
  );
}

type Definition = z.core.$ZodTypeDef & {
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly element?: z.ZodType;
  readonly innerType?: z.ZodType;
  readonly options?: readonly z.ZodType[];
};

/** The schemas a value is checked by: without `optional`, `default` and the like, and every option of a union. */
function alternatives(schema: z.ZodType | undefined): readonly Definition[] {
  if (schema === undefined) return [];
  const definition = schema.def as Definition;
  if (definition.innerType) return alternatives(definition.innerType);
  if (definition.options) return definition.options.flatMap(alternatives);
  return [definition];
}

function schemaAt(schema: z.ZodType, keys: readonly Key[]): z.ZodType | undefined {
  return keys.reduce<z.ZodType | undefined>((current, key) => {
    const below = alternatives(current).map((part) => part.element ?? part.shape?.[String(key)]);
    return below.find((part) => part !== undefined);
  }, schema);
}

/** The keys an object may have. One declared as `never` is there only to say what to write instead. */
function knownKeys(schema: z.ZodType | undefined): string[] {
  const shapes = alternatives(schema).flatMap((part) => Object.entries(part.shape ?? {}));
  const known = shapes.filter(([, field]) => alternatives(field).every((part) => part.type !== 'never'));
  return [...new Set(known.map(([key]) => key))];
}
