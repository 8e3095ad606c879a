import type { ActionHandler, CompiledAction } from '../deliver/action.ts';
import type { Issue } from '../errors.ts';
import type { RecipientPart } from '../execute/audience.ts';
import { compileRecipient } from '../execute/compile-recipient.ts';
import type { CompiledRecipient } from '../execute/recipient.ts';
import type { Handlers } from '../handlers.ts';
import { type AllConditions, allConditions } from '../match/all-conditions.ts';
import { compileCondition } from '../match/compile-condition.ts';
import type { CompiledCondition } from '../match/condition.ts';
import { searchShare } from '../match/search-share.ts';
import type { ConditionTrace } from '../model/condition.ts';
import { err, type Result } from '../model/result.ts';
import { type RetryPolicy, retryPolicy } from '../model/retry.ts';
import {
  type ActionDefinition,
  type ConditionDefinition,
  type PublishedWorkflow,
  type RecipientDefinition,
  type TriggerDefinition,
  type WorkflowDefinition,
  type WorkflowSettings,
  workflowSettings,
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
  /**
   * What this worker lacks to run it: handlers it does not have, or has in a version that does not take what was published.
   * Unless empty, it is left to a worker that has them.
   */
  readonly lacks: readonly string[];
};

export type RunnableAction = {
  readonly partId: string;
  readonly type: string;
  readonly isActive: boolean;
  readonly audience: 'recipients' | 'once';
  /** Null when this worker has no handler that takes it. */
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
 * not here (a handler that is not registered) becomes a part that cannot be decided, so that nothing fires wrongly, and is
 * named in `lacks`. Conditions are compiled at once, the rest when it is first asked for: of very many workflows few fire.
 */
export function compileWorkflow(published: PublishedWorkflow, handlers: Handlers): RunnableWorkflow {
  const { workflowId, tenantId, name, version, definition } = published;
  const { settings, triggers } = definition;
  const share = searchShare(definition);
  const conditions = compileConditions(definition.conditions, { handlers, share });
  let compiled: CompiledRest | undefined;
  const rest = () => {
    compiled ??= compileRest(definition, { handlers, share, conditionsLack: conditions.lacks });
    return compiled;
  };
  return {
    workflowId,
    tenantId,
    name,
    version,
    settings,
    triggers,
    conditions: conditions.part,
    get recipients() {
      return rest().recipients;
    },
    get actions() {
      return rest().actions;
    },
    get isOrdered() {
      return rest().isOrdered;
    },
    get lacks() {
      return rest().lacks;
    },
  };
}

type CompiledRest = Pick<RunnableWorkflow, 'recipients' | 'actions' | 'isOrdered' | 'lacks'>;

function compileRest(
  definition: WorkflowDefinition,
  { handlers, share, conditionsLack }: ConditionCompiling & { conditionsLack: readonly string[] },
): CompiledRest {
  const recipients = compileRecipients(definition.recipients, handlers);
  const compiled = definition.actions.map((action) =>
    compileAction(action, { handlers, share, recipients, queue: definition.settings.queue }),
  );
  const actions = compiled.map(({ part }) => part);
  return {
    recipients: recipients.part,
    actions,
    isOrdered: actions.some(({ isActive, isOrdered }) => isActive && isOrdered),
    lacks: [...new Set([...newerParts(definition), ...conditionsLack, ...compiled.flatMap(({ lacks }) => lacks)])],
  };
}

/** What conditions are compiled with; `share` is what each may look through. */
type ConditionCompiling = { readonly handlers: Handlers; readonly share: number };

/** A part and what this worker lacks for it. */
type Compiled<Part> = { readonly part: Part; readonly lacks: readonly string[] };

const knownParts = ['triggers', 'conditions', 'actions', 'recipients', 'settings'];
const knownSettings = Object.keys(workflowSettings.shape);

/** What a newer version of Tocsin has written around the parts that handlers read, and could mean to hold something back. */
function newerParts({ settings, ...parts }: WorkflowDefinition): string[] {
  return [
    ...Object.keys(parts).filter((name) => !knownParts.includes(name)),
    ...Object.keys(settings).flatMap((name) => (knownSettings.includes(name) ? [] : `settings.${name}`)),
  ];
}

function compileAction(
  definition: ActionDefinition,
  context: ConditionCompiling & { recipients: Compiled<readonly RecipientPart[]>; queue: string },
): Compiled<RunnableAction> {
  const {
    partId,
    name: _name,
    type,
    isActive,
    order: _order,
    conditions: written,
    recipients: own,
    retry,
    timeoutMs,
    queue,
    ordering,
    unsubscribe,
    ...rest
  } = definition;
  const handler = context.handlers.actions.get(type) as ActionHandler | undefined;
  const audience = handler?.audience ?? 'once';
  const compiled = handler ? compileConfig(handler, rest) : null;
  const conditions = compileConditions(written, context);
  const recipients = own ? compileRecipients(own, context.handlers) : context.recipients;
  const part: RunnableAction = {
    partId,
    type,
    isActive,
    audience,
    compiled,
    conditions: conditions.part,
    recipients: recipients.part,
    retry: retryPolicy(retry),
    timeoutMs: timeoutMs ?? handler?.defaultTimeoutMs ?? 30_000,
    queue: queue ?? context.queue,
    isOrdered: ordering === 'entity',
    unsubscribe: unsubscribe ?? true,
  };
  if (!isActive) return { part, lacks: [] };
  const lacks = [...(compiled ? [] : [`action type "${type}"`]), ...conditions.lacks];
  return { part, lacks: audience === 'once' ? lacks : [...lacks, ...recipients.lacks] };
}

function compileConfig(handler: ActionHandler, config: unknown): CompiledAction | null {
  const compiled = attempted(() => {
    const parsed = handler.schema.safeParse(config);
    return parsed.success ? handler.compile(parsed.data, { path: '', entityTypes: [] }) : err([]);
  });
  return compiled.ok ? compiled.value : null;
}

function compileConditions(
  definitions: readonly ConditionDefinition[],
  { handlers, share }: ConditionCompiling,
): Compiled<AllConditions> {
  const lacks: string[] = [];
  const conditions = definitions.map((definition) => {
    const context = { path: '', entityTypes: [], savedQueries: null, share };
    const compiled = attempted(() => compileCondition(handlers.conditions, definition, context));
    if (compiled.ok) return compiled.value;
    lacks.push(`condition type "${definition.type}"`);
    return undecidable(definition, compiled.error[0]?.message ?? 'not valid');
  });
  return { part: allConditions(conditions), lacks };
}

function compileRecipients(
  definitions: readonly RecipientDefinition[],
  handlers: Handlers,
): Compiled<readonly RecipientPart[]> {
  const lacks: string[] = [];
  const part = definitions.map(({ partId, type, ...rest }) => {
    const context = { path: '', entityTypes: [] };
    const compiled = attempted(() => compileRecipient(handlers.recipients, { partId, type, ...rest }, context));
    if (compiled.ok) return { partId, type, compiled: compiled.value };
    lacks.push(`recipient type "${type}"`);
    return { partId, type, compiled: unresolvable(compiled.error[0]?.message ?? 'not valid') };
  });
  return { part, lacks };
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
