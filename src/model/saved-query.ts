import { z } from 'zod';
import { type Issue, unknownWord } from '../errors.ts';
import type { EntityType } from './entity-type.ts';
import { fitValue } from './fit-value.ts';
import type { Json } from './json.ts';
import { parseInput, pathText } from './parse-input.ts';
import { err, ok, type Result } from './result.ts';
import { parameterTypes, type QueryParameter, readFilter, type SavedFilter } from './saved-filter.ts';
import { isStorableText, unstorable } from './storable-text.ts';

/** A tenant's named question to the table of an entity type: how many of its own rows fit the filter? */
export type SavedQuery = {
  readonly name: string;
  readonly entityType: string;
  readonly parameters: readonly QueryParameter[];
  readonly filter: SavedFilter;
};

/** What a caller may write. */
export type SavedQueryInput = Omit<SavedQuery, 'parameters'> & { readonly parameters?: readonly QueryParameter[] };

const savedQueryInput = z.strictObject({
  name: z.string().min(1).max(200).refine(isStorableText, unstorable),
  entityType: z.string(),
  parameters: z
    .array(
      z.strictObject({
        name: z.string().regex(/^[a-z][a-z0-9_]{0,62}$/i, 'must be letters, digits and "_", a letter first'),
        type: z.enum(parameterTypes),
      }),
    )
    .max(20)
    .default([]),
  filter: z.unknown(),
});

/**
 * A saved query as written, checked against the registered entity types: fields, operators and values that go together,
 * parameters that are declared. Values come back as their column holds them.
 */
export function validateSavedQuery(
  input: unknown,
  entityTypes: readonly EntityType[],
): Result<SavedQuery, readonly Issue[]> {
  const parsed = parseInput(savedQueryInput, input);
  if (!parsed.ok) return parsed;
  const { name, entityType: written, parameters } = parsed.value;
  const entityType = entityTypes.find((known) => known.name === written);
  if (!entityType) {
    const allowed = entityTypes.map((known) => known.name);
    return err([unknownWord({ path: 'entityType', kind: 'entity type', written, allowed })]);
  }
  if (!entityType.table) {
    return err([{ path: 'entityType', message: `entity type "${written}" has no table that could be asked` }]);
  }
  const issues = duplicateNames(parameters);
  const filter = readFilter(parsed.value.filter, 'filter', { entityType, parameters, issues });
  return issues.length > 0 ? err(issues) : ok({ name, entityType: written, parameters, filter });
}

/** Values for all parameters of a saved query, as their types hold them; paths of issues are the names. */
export function fitParameters(
  query: SavedQuery,
  given: Readonly<Record<string, Json>>,
): Result<ReadonlyMap<string, Json>, readonly Issue[]> {
  const fitted = new Map<string, Json>();
  const issues: Issue[] = [];
  const allowed = query.parameters.map(({ name }) => name);
  for (const written of Object.keys(given)) {
    if (!allowed.includes(written)) issues.push(unknownWord({ path: written, kind: 'parameter', written, allowed }));
  }
  for (const { name, type } of query.parameters) {
    const value = Object.hasOwn(given, name) ? given[name] : undefined;
    // Keys are often numbers in one place and texts in another.
    const written = type === 'text' && (typeof value === 'number' || typeof value === 'bigint') ? String(value) : value;
    const result = written === undefined || written === null ? null : fitValue(type, written);
    if (result?.ok) fitted.set(name, result.value);
    else issues.push({ path: name, message: result ? `must be ${result.error}` : 'is missing' });
  }
  return issues.length > 0 ? err(issues) : ok(fitted);
}

function duplicateNames(parameters: readonly QueryParameter[]): Issue[] {
  return parameters.flatMap(({ name }, index) => {
    const isFirst = parameters.findIndex((other) => other.name === name) === index;
    const path = pathText('parameters', [index, 'name']);
    return isFirst ? [] : [{ path, message: `there is a parameter "${name}" already` }];
  });
}
