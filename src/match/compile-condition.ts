import { type Issue, unknownWord } from '../errors.ts';
import type { ConditionTrace } from '../model/condition.ts';
import { parseInput, pathText } from '../model/parse-input.ts';
import { err, ok, type Result } from '../model/result.ts';
import { conditionInput } from '../model/workflow.ts';
import type { CompileContext, CompiledCondition, ConditionHandler } from './condition.ts';
import { workflowShare } from './search-share.ts';

/** Condition types by name: `Handlers['conditions']`. */
export type ConditionFamily = {
  readonly get: (type: string) => ConditionHandler | undefined;
  readonly types: () => readonly string[];
};

const deepestNesting = 10;

/** What a condition is compiled with; `share` is that of a workflow with no other condition unless it is given. */
export type ConditionPlace = Omit<CompileContext, 'compile' | 'share'> & { readonly share?: number };

/**
 * Makes a condition of a definition ready to be asked: finds the handler of its type, reads its configuration and compiles
 * it. What does not fit comes back as issues. Traces carry the condition's partId and name.
 */
export function compileCondition(
  family: ConditionFamily,
  definition: unknown,
  place: ConditionPlace,
): Result<CompiledCondition, readonly Issue[]> {
  return compileAt(definition, { family, context: { share: workflowShare, ...place }, depth: 0 });
}

function compileAt(
  definition: unknown,
  place: { family: ConditionFamily; context: Omit<CompileContext, 'compile'>; depth: number },
): Result<CompiledCondition, readonly Issue[]> {
  const { family, context, depth } = place;
  const { path } = context;
  if (depth >= deepestNesting) return err([{ path, message: `is nested deeper than ${deepestNesting} levels` }]);
  const head = parseInput(conditionInput, definition, path);
  if (!head.ok) return head;
  const { partId, name, type, ...written } = head.value;
  const handler = family.get(type);
  if (!handler) {
    const kind = 'condition type';
    return err([unknownWord({ path: pathText(path, ['type']), kind, written: type, allowed: family.types() })]);
  }
  const config = parseInput(handler.schema, written, path);
  if (!config.ok) return config;
  const compiled = handler.compile(config.value, {
    ...context,
    compile: (nested, nestedPath) =>
      compileAt(nested, { family, context: { ...context, path: nestedPath }, depth: depth + 1 }),
  });
  return compiled.ok ? ok(withHead(compiled.value, { partId, name })) : compiled;
}

function withHead(
  condition: CompiledCondition,
  given: { partId: string | undefined; name: string | undefined },
): CompiledCondition {
  const head = {
    ...(given.partId !== undefined && { partId: given.partId }),
    ...(given.name !== undefined && { name: given.name }),
  };
  if (Object.keys(head).length === 0) return condition;
  const headed = (trace: ConditionTrace): ConditionTrace => ({ ...head, ...trace });
  return {
    ...condition,
    trace: (subject) => headed(condition.trace(subject)),
    evaluate: async (subject, services) => headed(await condition.evaluate(subject, services)),
  };
}
