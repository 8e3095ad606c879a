import type { ActionHandler, CompiledAction } from '../deliver/action.ts';
import type { Issue } from '../errors.ts';
import type { RecipientPart } from '../execute/audience.ts';
import { compileRecipient } from '../execute/compile-recipient.ts';
import type { CompiledRecipient } from '../execute/recipient.ts';
import type { Handlers } from '../handlers.ts';
import { type AllConditions, allConditions } from '../match/all-conditions.ts';
import { compileCondition } from '../match/compile-condition.ts';
import type { CompiledCondition } from '../match/condition.ts';
import type { ConditionTrace } from '../model/condition.ts';
import { err, type Result } from '../model/result.ts';
import { type RetryPolicy, retryPolicy } from '../model/retry.ts';
import type {
  ActionDefinition,
  ConditionDefinition,
  PublishedWorkflow,
  RecipientDefinition,
  TriggerDefinition,
  WorkflowSettings,
} from '../model/workflow.ts';

/** A published version ready to run. */
export type RunnableWorkflow = {
  readonly workflowId: string;
  readonly tenantId: string;
  readonly name: string;
  readonly version: number;
  readonly settings: WorkflowSettings;
  readonly triggers: readonly TriggerDefinition[];
  readonly conditions: AllConditions;
  readonly recipients: readonly RecipientPart[];
  readonly actions: readonly RunnableAction[];
  /** One of its actions is. */
  readonly isOrdered: boolean;
};

export type RunnableAction = {
  readonly partId: string;
  readonly type: string;
  readonly isActive: boolean;
  readonly audience: 'recipients' | 'once';
  /** Null when this worker has no handler of the type: it is left to one that has. */
  readonly compiled: CompiledAction | null;
  readonly conditions: AllConditions;
  /** Its own recipients, else the workflow's. */
  readonly recipients: readonly RecipientPart[];
  readonly retry: RetryPolicy;
  readonly timeoutMs: number;
  readonly queue: string;
  /** Its deliveries about one entity go one after the other. */
  readonly isOrdered: boolean;
  /** Whether recipients can opt out of it. */
  readonly unsubscribe: boolean;
};

/**
 * Compiles a published version with the handlers of this worker. Never fails: what was valid when it was published and is
 * not here (a handler that is not registered) becomes a part that cannot be decided, so that nothing fires wrongly.
 */
export function compileWorkflow(published: PublishedWorkflow, handlers: Handlers): RunnableWorkflow {
  const { definition } = published;
  const recipients = compileRecipients(definition.recipients, handlers);
  const actions = definition.actions.map((action) =>
    compileAction(action, { handlers, recipients, queue: definition.settings.queue }),
  );
  return {
    workflowId: published.workflowId,
    tenantId: published.tenantId,
    name: published.name,
    version: published.version,
    settings: definition.settings,
    triggers: definition.triggers,
    conditions: compileConditions(definition.conditions, handlers),
    recipients,
    actions,
    isOrdered: actions.some(({ isActive, isOrdered }) => isActive && isOrdered),
  };
}

function compileAction(
  definition: ActionDefinition,
  context: { handlers: Handlers; recipients: readonly RecipientPart[]; queue: string },
): RunnableAction {
  const {
    partId,
    name: _name,
    type,
    isActive,
    order: _order,
    conditions,
    recipients,
    retry,
    timeoutMs,
    queue,
    ordering,
    unsubscribe,
    ...rest
  } = definition;
  const handler = context.handlers.actions.get(type) as ActionHandler | undefined;
  return {
    partId,
    type,
    isActive,
    audience: handler?.audience ?? 'once',
    compiled: handler ? compileConfig(handler, rest) : null,
    conditions: compileConditions(conditions, context.handlers),
    recipients: recipients ? compileRecipients(recipients, context.handlers) : context.recipients,
    retry: retryPolicy(retry),
    timeoutMs: timeoutMs ?? handler?.defaultTimeoutMs ?? 30_000,
    queue: queue ?? context.queue,
    isOrdered: ordering === 'entity',
    unsubscribe: unsubscribe ?? true,
  };
}

function compileConfig(handler: ActionHandler, config: unknown): CompiledAction | null {
  const compiled = attempted(() => {
    const parsed = handler.schema.safeParse(config);
    return parsed.success ? handler.compile(parsed.data, { path: '', entityTypes: [] }) : err([]);
  });
  return compiled.ok ? compiled.value : null;
}

function compileConditions(definitions: readonly ConditionDefinition[], handlers: Handlers): AllConditions {
  const conditions = definitions.map((definition) => {
    const context = { path: '', entityTypes: [], savedQueries: null };
    const compiled = attempted(() => compileCondition(handlers.conditions, definition, context));
    return compiled.ok ? compiled.value : undecidable(definition, compiled.error[0]?.message ?? 'not valid');
  });
  return allConditions(conditions);
}

function compileRecipients(definitions: readonly RecipientDefinition[], handlers: Handlers): RecipientPart[] {
  return definitions.map((definition) => {
    const context = { path: '', entityTypes: [] };
    const compiled = attempted(() => compileRecipient(handlers.recipients, definition, context));
    return {
      partId: definition.partId,
      type: definition.type,
      compiled: compiled.ok ? compiled.value : unresolvable(compiled.error[0]?.message ?? 'not valid'),
    };
  });
}

function undecidable(definition: ConditionDefinition, error: string): CompiledCondition {
  const trace: ConditionTrace = { partId: definition.partId, type: definition.type, result: 'error', error };
  return {
    test: () => 'deferred',
    trace: () => ({ ...trace, result: 'deferred' }),
    evaluate: async () => trace,
    reads: [],
    access: [],
  };
}

function unresolvable(error: string): CompiledRecipient {
  return { kind: 'custom', resolve: () => Promise.reject(new Error(error)), reads: [] };
}

/** What a handler compiles to; one that throws has an issue. */
function attempted<T>(compile: () => Result<T, readonly Issue[]>): Result<T, readonly Issue[]> {
  try {
    return compile();
  } catch (error) {
    return err([{ path: '', message: error instanceof Error ? error.message : String(error) }]);
  }
}
