import { z } from 'zod';
import { namePattern } from './event.ts';
import { retryPolicyInput } from './retry.ts';

export const workflowStatuses = ['draft', 'active', 'inactive', 'archived'] as const;
export type WorkflowStatus = (typeof workflowStatuses)[number];

/** Identifies a part over updates: given by the caller, or made when the part is first saved. */
const partId = z.string().min(1).max(64);
const partName = z.string().max(200);

/** Which events start the workflow. */
export const triggerInput = z.strictObject({
  partId: partId.optional(),
  entityType: z.string().regex(namePattern, 'letters, digits, "_", "-" and "." only'),
  operation: z.string().regex(namePattern, 'letters, digits, "_", "-" and "." only'),
  /** Updates only: fire only when one of these columns changed. */
  fields: z.array(z.string().min(1)).min(1).optional(),
  isActive: z.boolean().default(true),
});

/** A condition, recipient or action before its handler has looked at it: a type, and what only the handler knows. */
export const conditionInput = z.looseObject({
  partId: partId.optional(),
  name: partName.optional(),
  type: z.string().min(1),
});
export const recipientInput = z.looseObject({
  partId: partId.optional(),
  name: partName.optional(),
  type: z.string().min(1),
});
export const actionInput = z.looseObject({
  partId: partId.optional(),
  name: partName.optional(),
  type: z.string().min(1),
  isActive: z.boolean().default(true),
  /** Lower goes first; actions of the same order go in the order they stand. */
  order: z.number().int().optional(),
  conditions: z.array(conditionInput).default([]),
  /** When given, these are told instead of the workflow's recipients; nobody else, even if they resolve to nobody. */
  recipients: z.array(recipientInput).min(1).optional(),
  retry: retryPolicyInput.optional(),
  /** Milliseconds one attempt may take. */
  timeoutMs: z.number().int().min(100).max(300_000).optional(),
  queue: z.string().regex(namePattern).optional(),
  /** `entity`: what it tells one recipient about one entity goes out in the order of the events, one after the other. */
  ordering: z.enum(['entity']).optional(),
  /** False for what a recipient cannot opt out of, such as a password reset. */
  unsubscribe: z.boolean().optional(),
});

export const workflowSettings = z.strictObject({
  /** Task queue of the workflow's deliveries; workers choose queues with `--queues`. */
  queue: z.string().regex(namePattern).default('default'),
  /** Leave out the user who did it. */
  excludeActor: z.boolean().default(false),
  /** Most recipients one action of one execution may tell. */
  maxRecipients: z.number().int().min(1).max(1_000_000).default(100_000),
  /** Pause the workflow when this many executions in a row failed through its own fault; 0: never. Default: the deployment's. */
  pauseAfterFailures: z.number().int().min(0).max(1_000).optional(),
  /** Also write an execution (status `skipped`) when the trigger fits but the conditions do not. */
  logSkipped: z.boolean().default(false),
});

export const workflowInput = z.strictObject({
  name: z.string().min(1).max(200),
  description: z.string().max(2000).default(''),
  /** `active` publishes version 1 at once. */
  status: z.enum(['draft', 'active']).default('draft'),
  triggers: z.array(triggerInput).min(1, 'at least one trigger').max(50),
  conditions: z.array(conditionInput).max(100).default([]),
  actions: z.array(actionInput).min(1, 'at least one action').max(50),
  recipients: z.array(recipientInput).max(50).default([]),
  settings: workflowSettings.prefault({}),
});

/** What a caller may write. */
export type WorkflowInput = z.input<typeof workflowInput>;

type Stored<T> = T & { readonly partId: string };
/** Omit that keeps the known properties of a loose object, which the built-in one loses to its index signature. */
type Without<T, Key> = { [Name in keyof T as Name extends Key ? never : Name]: T[Name] };
export type TriggerDefinition = Stored<z.output<typeof triggerInput>>;
export type ConditionDefinition = Stored<z.output<typeof conditionInput>>;
export type RecipientDefinition = Stored<z.output<typeof recipientInput>>;
export type ActionDefinition = Stored<
  Without<z.output<typeof actionInput>, 'conditions' | 'recipients'> & {
    conditions: readonly ConditionDefinition[];
    recipients?: readonly RecipientDefinition[] | undefined;
  }
>;
export type WorkflowSettings = z.output<typeof workflowSettings>;

/** The parts of a workflow as stored: every part has its id. */
export type WorkflowDefinition = {
  readonly triggers: readonly TriggerDefinition[];
  readonly conditions: readonly ConditionDefinition[];
  readonly actions: readonly ActionDefinition[];
  readonly recipients: readonly RecipientDefinition[];
  readonly settings: WorkflowSettings;
};

/** A workflow as the service answers it: the working copy, and which version runs. */
export type Workflow = WorkflowDefinition & {
  readonly id: string;
  readonly tenantId: string;
  readonly name: string;
  readonly description: string;
  readonly status: WorkflowStatus;
  /** A code of `model/reason.ts`: why the engine set it inactive after too many failures; null when it did not. */
  readonly pausedReason: string | null;
  /** The version that runs while active; null for a draft. */
  readonly publishedVersion: number | null;
  /** True when the working copy differs from the published version. */
  readonly hasUnpublishedChanges: boolean;
  readonly revision: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
};

/** A published, immutable version as the engine loads it. */
export type PublishedWorkflow = {
  readonly workflowId: string;
  readonly tenantId: string;
  readonly name: string;
  readonly version: number;
  readonly definition: WorkflowDefinition;
};
