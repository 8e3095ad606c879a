import { Decimal } from '../model/decimal.ts';
import { readField } from '../model/field-path.ts';
import type { Json } from '../model/json.ts';
import type { Subject } from './condition.ts';

/** Reads one field of the event; undefined when it is not there. */
export type FieldReader = (subject: Subject) => Json | undefined;

/** Makes a reader of a parsed path that answers as `readField` does. */
export function fieldReader(segments: readonly string[]): FieldReader {
  return onField(segments, undefined, (value) => value);
}

/** Decides something about what a field holds. `right` is what the decision is made with. */
export type FieldDecision<Right, T> = (value: Json | undefined, right: Right) => T;

/**
 * A function that reads a field and applies `decide` to what it holds and to `right`. Each is one closure over just what it
 * needs, and `decide` is shared by all: with many thousands of conditions, the memory each one touches is what it costs.
 */
export function onField<Right, T>(
  segments: readonly string[],
  right: Right,
  decide: FieldDecision<Right, T>,
): (subject: Subject) => T {
  const [root, first, second, third] = segments as readonly [string, string, string, string];
  if (root === 'event' && segments.length === 2) return onEventField(first, right, decide);
  if (root !== 'payload' || segments.length > 4 || segments.some(isInherited)) return onPath(segments, right, decide);
  if (segments.length === 2) return onColumn(first, right, decide);
  const column = first;
  return segments.length === 3
    ? onPart({ column, name: second }, right, decide)
    : onInnerPart({ column, part: second, name: third }, right, decide);
}

function onPath<Right, T>(path: readonly string[], right: Right, decide: FieldDecision<Right, T>) {
  return ({ event }: Subject) => decide(readField(event, path), right);
}

function onColumn<Right, T>(name: string, right: Right, decide: FieldDecision<Right, T>) {
  return ({ event: { payload } }: Subject) => decide(isObject(payload) ? payload[name] : undefined, right);
}

function onPart<Right, T>(path: { column: string; name: string }, right: Right, decide: FieldDecision<Right, T>) {
  const { column, name } = path;
  return ({ event: { payload } }: Subject) => {
    const outer = isObject(payload) ? payload[column] : undefined;
    return decide(isObject(outer) ? outer[name] : undefined, right);
  };
}

function onInnerPart<Right, T>(
  path: { column: string; part: string; name: string },
  right: Right,
  decide: FieldDecision<Right, T>,
) {
  const { column, part, name } = path;
  return ({ event: { payload } }: Subject) => {
    const outer = isObject(payload) ? payload[column] : undefined;
    const inner = isObject(outer) ? outer[part] : undefined;
    return decide(isObject(inner) ? inner[name] : undefined, right);
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
function onEventField<Right, T>(name: string, right: Right, decide: FieldDecision<Right, T>): (subject: Subject) => T {
  switch (name) {
    case 'actor':
      return ({ event }) => decide(event.actor, right);
    case 'operation':
      return ({ event }) => decide(event.operation, right);
    case 'entity_type':
      return ({ event }) => decide(event.entityType, right);
    case 'entity_id':
      return ({ event }) => decide(event.entityId, right);
    case 'source':
      return ({ event }) => decide(event.source, right);
    default:
      return ({ event }) => decide(readField(event, ['event', name]), right);
  }
}
