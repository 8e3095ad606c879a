import type { ActionHandler, ActionReference } from '../deliver/action.ts';
import { type Issue, unknownWord } from '../errors.ts';
import { compileRecipient } from '../execute/compile-recipient.ts';
import type { Handlers } from '../handlers.ts';
import { compileCondition } from '../match/compile-condition.ts';
import type { EntityType } from '../model/entity-type.ts';
import type { FieldRead } from '../model/field-path.ts';
import { parseInput } from '../model/parse-input.ts';
import { err, type Result } from '../model/result.ts';
import { retryPolicy, retryPolicyInput } from '../model/retry.ts';
import { actionInput, recipientInput } from '../model/workflow.ts';

/** What parts are compiled with. */
export type PartContext = {
  readonly handlers: Handlers;
  /** Registered entity types that the triggers name. */
  readonly entityTypes: readonly EntityType[];
  /** Names of the tenant's saved queries with their parameters. */
  readonly savedQueries: ReadonlyMap<string, readonly string[]>;
};

/** What compiling parts brought up: what is wrong with them, what they read of an event, and what they name. */
export type PartFindings = {
  readonly issues: readonly Issue[];
  /** Of conditions and recipients. */
  readonly reads: readonly FieldRead[];
  /** Of actions. */
  readonly templateReads: readonly FieldRead[];
  readonly references: readonly ActionReference[];
};

type Compiled = { readonly reads: readonly FieldRead[]; readonly references?: readonly ActionReference[] };
type Compilation = Result<Compiled, readonly Issue[]>;

/** An action as written, which has a type, and where it stands. */
type WrittenAction = {
  readonly type: string;
  readonly path: string;
  readonly written: Readonly<Record<string, unknown>>;
};

/**
 * Compiles every condition, recipient and action of a definition with its handler. Parts whose shape is wrong are left out,
 * because that has its own issues; the others are looked at all the same.
 */
export function checkParts(definition: Readonly<Record<string, unknown>>, context: PartContext): PartFindings {
  const actions = asArray(definition.actions).flatMap((written, index): WrittenAction[] =>
    isRecord(written) && typeof written.type === 'string'
      ? [{ type: written.type, path: `actions[${index}]`, written }]
      : [],
  );
  const hasRecipients = asArray(definition.recipients).length > 0;
  const lists = [
    { path: '', written: definition },
    ...actions.map(({ path, written }) => ({ path: `${path}.`, written })),
  ];
  const compiled = lists.flatMap(({ path, written }) => [
    ...compileConditions(written.conditions, `${path}conditions`, context),
    ...compileRecipients(written.recipients, `${path}recipients`, context),
  ]);
  const compiledActions = actions.map((action) => withoutThrowing(action.path, () => compileAction(action, context)));
  return {
    issues: [
      ...[...compiled, ...compiledActions].flatMap((compilation) => (compilation.ok ? [] : compilation.error)),
      ...actions.flatMap(({ path, written }) => checkRetry(written.retry, `${path}.retry`)),
      ...actions.flatMap((action) => checkAudience(action, { hasRecipients, handlers: context.handlers })),
    ],
    reads: compiled.flatMap((compilation) => (compilation.ok ? compilation.value.reads : [])),
    templateReads: compiledActions.flatMap((compilation) => (compilation.ok ? compilation.value.reads : [])),
    references: compiledActions.flatMap((compilation) => (compilation.ok ? (compilation.value.references ?? []) : [])),
  };
}

function compileConditions(written: unknown, base: string, context: PartContext): Compilation[] {
  const { handlers, entityTypes, savedQueries } = context;
  return asArray(written).map((definition, index) => {
    const path = `${base}[${index}]`;
    const compile = () => compileCondition(handlers.conditions, definition, { path, entityTypes, savedQueries });
    return withoutThrowing<Compiled>(path, compile);
  });
}

function compileRecipients(written: unknown, base: string, context: PartContext): Compilation[] {
  const { handlers, entityTypes } = context;
  return asArray(written).flatMap((part, index) => {
    const definition = recipientInput.safeParse(part).data;
    if (!definition) return [];
    const path = `${base}[${index}]`;
    const identified = { ...definition, partId: definition.partId ?? '' };
    const compile = () => compileRecipient(handlers.recipients, identified, { path, entityTypes });
    return [withoutThrowing<Compiled>(path, compile)];
  });
}

function compileAction({ type, path, written }: WrittenAction, context: PartContext): Compilation {
  const { actions } = context.handlers;
  const handler = actions.get(type) as ActionHandler | undefined;
  if (!handler) {
    return err([unknownWord({ path: `${path}.type`, kind: 'action type', written: type, allowed: actions.types() })]);
  }
  const own = Object.entries(written).filter(([key]) => !Object.hasOwn(actionInput.shape, key));
  const config = parseInput(handler.schema, Object.fromEntries(own), path);
  return config.ok ? handler.compile(config.value, { path, entityTypes: context.entityTypes }) : config;
}

function checkAudience(
  { type, path, written }: WrittenAction,
  context: { hasRecipients: boolean; handlers: Handlers },
): Issue[] {
  const isTold = context.hasRecipients || asArray(written.recipients).length > 0;
  if (isTold || context.handlers.actions.get(type)?.audience !== 'recipients') return [];
  const message = `an action of type "${type}" tells recipients: give them to it or to the workflow`;
  return [{ path: `${path}.recipients`, message }];
}

/** A handler that throws while it compiles refuses the definition: nothing it did not accept is saved. */
function withoutThrowing<T>(path: string, compile: () => Result<T, readonly Issue[]>): Result<T, readonly Issue[]> {
  try {
    return compile();
  } catch (error) {
    return err([{ path, message: `its handler failed: ${error instanceof Error ? error.message : String(error)}` }]);
  }
}

function checkRetry(written: unknown, path: string): Issue[] {
  const given = retryPolicyInput.safeParse(written ?? {}).data;
  if (!given) return [];
  const { initialIntervalMs, maxIntervalMs } = retryPolicy(given);
  if (maxIntervalMs >= initialIntervalMs) return [];
  const message = `maxIntervalMs (${maxIntervalMs}) is less than initialIntervalMs (${initialIntervalMs})`;
  if (given.maxIntervalMs === undefined) {
    return [{ path: `${path}.initialIntervalMs`, message: `${message}: give maxIntervalMs too, its default is less` }];
  }
  const hint = given.initialIntervalMs === undefined ? ': give initialIntervalMs too, its default is more' : '';
  return [{ path: `${path}.maxIntervalMs`, message: `${message}${hint}` }];
}

function asArray(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
