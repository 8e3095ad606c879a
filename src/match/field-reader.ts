import { Decimal } from '../model/decimal.ts';
import { readField } from '../model/field-path.ts';
import type { Json } from '../model/json.ts';
import type { Subject } from './condition.ts';

/** Reads one field of the event; undefined when it is not there. */
export type FieldReader = (subject: Subject) => Json | undefined;

/** Paths come from tenants: when there are so many, sharing begins anew. */
const mostShared = 10_000;
const shared = new Map<string, FieldReader>();

/**
 * The reader of a parsed path, which answers as `readField` does. Whoever reads the same path is given the same function: with
 * many thousands of conditions, the memory each one touches is what it costs.
 */
export function fieldReader(segments: readonly string[]): FieldReader {
  const path = segments.join('.');
  const known = shared.get(path);
  if (known) return known;
  const reader = makeReader(segments);
  if (shared.size >= mostShared) shared.clear();
  shared.set(path, reader);
  return reader;
}

function makeReader(segments: readonly string[]): FieldReader {
  const [root, first, second, third] = segments as readonly [string, string, string, string];
  if (root === 'event' && segments.length === 2) return readerOfEvent(first);
  if (root !== 'payload' || segments.length > 4 || segments.some(isInherited)) {
    return ({ event }) => readField(event, segments);
  }
  if (segments.length === 2) return readerOfColumn(first);
  return segments.length === 3 ? readerOfPart(first, second) : readerOfInnerPart(first, second, third);
}

function readerOfColumn(name: string): FieldReader {
  return ({ event: { payload } }) => (isObject(payload) ? payload[name] : undefined);
}

function readerOfPart(column: string, name: string): FieldReader {
  return ({ event: { payload } }) => {
    const outer = isObject(payload) ? payload[column] : undefined;
    return isObject(outer) ? outer[name] : undefined;
  };
}

function readerOfInnerPart(...[column, part, name]: [column: string, part: string, name: string]): FieldReader {
  return ({ event: { payload } }) => {
    const outer = isObject(payload) ? payload[column] : undefined;
    const inner = isObject(outer) ? outer[part] : undefined;
    return isObject(inner) ? inner[name] : undefined;
  };
}

/** Names that every object, array or Decimal has: only for others is what is read sure to be the object's own. */
function isInherited(name: string): boolean {
  return name in Array.prototype || name in Decimal.prototype || name in Object.prototype;
}

function isObject(value: Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null;
}

/** Fields of the event itself, without making all of them as `eventData` does. */
function readerOfEvent(name: string): FieldReader {
  switch (name) {
    case 'actor':
      return ({ event }) => event.actor;
    case 'operation':
      return ({ event }) => event.operation;
    case 'entity_type':
      return ({ event }) => event.entityType;
    case 'entity_id':
      return ({ event }) => event.entityId;
    case 'source':
      return ({ event }) => event.source;
    default:
      return ({ event }) => readField(event, ['event', name]);
  }
}
