import { eventData, type WorkflowEvent } from './event.ts';
import { type Json, ownProperty } from './json.ts';

/** Where a field path starts. A path without a root is read from the payload. */
export const fieldRoots = ['payload', 'previous', 'event'] as const;

/** A field path read somewhere in a definition, for checking it against the entity type when the workflow is saved. */
export type FieldRead = {
  /** Where it stands in the definition, e.g. `conditions[0].field`. */
  readonly path: string;
  /** Segments from the root, e.g. `['payload', 'customer', 'id']`. */
  readonly segments: readonly string[];
};

const segmentPattern = /^[^.\s[\]][^.[\]]{0,127}$/;
const forbiddenSegments = new Set(['__proto__', 'constructor', 'prototype']);

/**
 * The segments of a dotted path, root first: `customer.id` is `['payload', 'customer', 'id']`, `items.0.sku` reads the first
 * of an array. Null when it is not a path.
 */
export function parseFieldPath(path: string): readonly string[] | null {
  const segments = path.split('.');
  if (segments.length > 32) return null;
  if (!segments.every((segment) => segmentPattern.test(segment) && !forbiddenSegments.has(segment))) return null;
  const hasRoot = (fieldRoots as readonly string[]).includes(segments[0] as string) && segments.length > 1;
  return hasRoot ? segments : ['payload', ...segments];
}

/** What an event holds at a path; undefined when it is not there. Reads own properties only. */
export function readField(event: WorkflowEvent, segments: readonly string[]): Json | undefined {
  let value: Json | undefined;
  switch (segments[0]) {
    case 'payload':
      value = event.payload;
      break;
    case 'previous':
      value = event.previous;
      break;
    case 'event':
      value = eventData(event) as Json;
      break;
    default:
      return undefined;
  }
  for (let i = 1; i < segments.length && value !== undefined; i++) value = ownProperty(value, segments[i] as string);
  return value;
}
