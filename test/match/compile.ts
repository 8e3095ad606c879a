import { createHandlers } from '../../src/engine/built-in-handlers.ts';
import type { Issue } from '../../src/errors.ts';
import { compileCondition } from '../../src/match/compile-condition.ts';
import type { CompiledCondition, ConditionHandler, ConditionServices, Subject } from '../../src/match/condition.ts';
import type { EntityType } from '../../src/model/entity-type.ts';
import type { WorkflowEvent } from '../../src/model/event.ts';
import { sampleEvent } from '../support/sample-event.ts';

type Context = {
  readonly entityTypes?: readonly EntityType[];
  readonly savedQueries?: ReadonlyMap<string, readonly string[]> | null;
  /** Handlers beside the built-in ones. */
  readonly handlers?: readonly ConditionHandler<never>[];
};

function compileAt(definition: unknown, { entityTypes = [], savedQueries = null, handlers = [] }: Context) {
  const { conditions } = createHandlers();
  for (const handler of handlers) conditions.register(handler);
  return compileCondition(conditions, definition, { path: 'conditions[0]', entityTypes, savedQueries });
}

/** A condition that must compile. */
export function compile(definition: unknown, context: Context = {}): CompiledCondition {
  const compiled = compileAt(definition, context);
  if (compiled.ok) return compiled.value;
  throw new Error(compiled.error.map(({ path, message }) => `${path}: ${message}`).join('; '));
}

/** What is wrong with a definition that must not compile: `path: message` each. */
export function refusals(definition: unknown, context: Context = {}): readonly string[] {
  return issuesOf(definition, context).map(({ path, message }) => `${path}: ${message}`);
}

/** The issues of a definition that must not compile. */
export function issuesOf(definition: unknown, context: Context = {}): readonly Issue[] {
  const compiled = compileAt(definition, context);
  if (!compiled.ok) return compiled.error;
  throw new Error('it compiled');
}

/** A subject made of the sample event with changes; now is when it occurred. */
export function subjectOf(change: Partial<WorkflowEvent> = {}): Subject {
  const event = sampleEvent(change);
  return { event, now: event.occurredAt };
}

/** Look-ups that fail unless given. */
export function servicesOf(given: Partial<ConditionServices> = {}): ConditionServices {
  return {
    rolesOf: () => Promise.reject(new Error('nobody asked for roles')),
    countMatches: () => Promise.reject(new Error('nobody asked for matches')),
    signal: new AbortController().signal,
    ...given,
  };
}
