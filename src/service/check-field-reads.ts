import { type Issue, unknownWord } from '../errors.ts';
import type { EntityType, FieldType } from '../model/entity-type.ts';
import { eventFields } from '../model/event.ts';
import type { FieldRead } from '../model/field-path.ts';

/** What a field of these types holds has fields or elements of its own, and which ones is not known. */
const openTypes: ReadonlySet<FieldType> = new Set(['json', 'array', 'other']);
/** What a field of these types holds is text in JSON, whose length and characters templates may read. */
const textTypes: ReadonlySet<FieldType> = new Set(['text', 'date', 'timestamp', 'time', 'uuid']);

/** Where reads stand: templates read more of a text than conditions do. */
export type ReadKind = 'condition' | 'template';

/**
 * Checks what conditions, recipients and templates read of an event: a field must be one of every entity type that the
 * workflow listens to, else events of that type could never be decided or rendered. Entity types without fields are those
 * whose fields nobody said; without any other only `event.` is checked.
 */
export function checkFieldReads(
  reads: readonly FieldRead[],
  entityTypes: readonly EntityType[],
  kind: ReadKind,
): Issue[] {
  const known = entityTypes.filter(({ fields }) => fields.length > 0);
  return reads.flatMap((read) => checkRead(read, known, kind));
}

function checkRead({ path, segments }: FieldRead, entityTypes: readonly EntityType[], kind: ReadKind): Issue[] {
  const [root, first, below] = segments;
  if (first === undefined) return [];
  if (root === 'event') {
    const isKnown = eventFields.some((name) => name === first);
    return isKnown ? [] : [unknownWord({ path, kind: 'field of the event', written: first, allowed: eventFields })];
  }
  const lacking = entityTypes.filter((entityType) => !fieldOf(entityType, first));
  if (lacking.length > 0 && lacking.length === entityTypes.length) return [unknownField(path, first, entityTypes)];
  if (lacking.length > 0) {
    const owners = entityTypes.filter((entityType) => !lacking.includes(entityType));
    const message = `"${first}" is a field of ${quoted(owners)} but not of ${quoted(lacking)}, which the triggers listen to as well`;
    return [{ path, message }];
  }
  if (below === undefined) return [];
  const closed = entityTypes
    .map((entityType) => fieldOf(entityType, first))
    .find((field) => field && !openTypes.has(field.type));
  const isPartOfText = kind === 'template' && /^(length|\d+)$/.test(below);
  if (!closed || (isPartOfText && textTypes.has(closed.type))) return [];
  return [{ path, message: `"${first}" is of type ${closed.type}: there is no "${below}" in it` }];
}

function fieldOf(entityType: EntityType, name: string): EntityType['fields'][number] | undefined {
  return entityType.fields.find((field) => field.name === name);
}

function unknownField(path: string, written: string, entityTypes: readonly EntityType[]): Issue {
  const names = entityTypes.flatMap((entityType) => entityType.fields.map((field) => field.name));
  return unknownWord({ path, kind: `field of ${quoted(entityTypes)}`, written, allowed: [...new Set(names)] });
}

function quoted(entityTypes: readonly EntityType[]): string {
  return entityTypes.map(({ name }) => `"${name}"`).join(' and ');
}
