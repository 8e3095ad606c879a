import type { z } from 'zod';
import type { Issue } from '../errors.ts';
import type { ConditionTrace, Verdict } from '../model/condition.ts';
import type { EntityType } from '../model/entity-type.ts';
import type { WorkflowEvent } from '../model/event.ts';
import type { FieldRead } from '../model/field-path.ts';
import type { Json } from '../model/json.ts';
import type { Result } from '../model/result.ts';

/**
 * What a condition is asked about. `now` is the moment the event occurred, not the moment a worker came round to it, so
 * that a backlog, an explanation or a backtest decides as the first evaluation did.
 */
export type Subject = { readonly event: WorkflowEvent; readonly now: Date };

/** What deferred conditions may look things up with. Each call is bounded by `signal`. */
export type ConditionServices = {
  readonly rolesOf: (tenantId: string, userId: string) => Promise<readonly string[]>;
  /** How many rows a saved query of the tenant finds with these parameters. Rejects when it cannot be run. */
  readonly countMatches: (options: {
    tenantId: string;
    query: string;
    parameters: Readonly<Record<string, Json>>;
    /** Counting stops here. */
    atMost: number;
  }) => Promise<number>;
  readonly signal: AbortSignal;
};

/**
 * Something the condition cannot become true without: lets the index find workflows by value instead of asking each. The
 * field equals one of `values`, or its `comparisonKey` is a number from `min` to `max`, both included.
 */
export type AccessPredicate =
  | { readonly segments: readonly string[]; readonly values: readonly Json[] }
  | { readonly segments: readonly string[]; readonly range: { readonly min: number; readonly max: number } };

/**
 * A condition that reads one field and decides by what it finds, in its parts. Reader and decision are shared by all that read
 * the same and decide alike, so that what a test touches of its own is little.
 */
export type Comparison = {
  readonly read: (subject: Subject) => Json | undefined;
  readonly right: unknown;
  readonly decide: (left: Json | undefined, right: never) => boolean | 'error';
};

/** A condition ready to be asked many times. */
export type CompiledCondition = {
  /** Fast and pure; never throws. `deferred` when it takes look-ups. */
  readonly test: (subject: Subject) => Verdict;
  /** The same decision with its reasons; deferred leaves say `deferred`. Never throws. */
  readonly trace: (subject: Subject) => ConditionTrace;
  /** The whole decision, look-ups included. Never rejects: what fails is traced as `error`. */
  readonly evaluate: (subject: Subject, services: ConditionServices) => Promise<ConditionTrace>;
  readonly reads: readonly FieldRead[];
  readonly access: readonly AccessPredicate[];
  /**
   * Whether `access` is all there is to it: true when the condition is true of every event that has, in each of these fields,
   * one of the values exactly as it stands there, or a number between the ends of the range. Default false.
   */
  readonly isDecidedByAccess?: boolean;
  /** What `test` does, in its parts, when it compares a field. */
  readonly comparison?: Comparison;
};

/** What a handler may ask while compiling. */
export type CompileContext = {
  /** Where the condition stands in the definition, e.g. `conditions[0]`. */
  readonly path: string;
  /** Entity types of the workflow's triggers that are registered; empty when none is known. */
  readonly entityTypes: readonly EntityType[];
  /** Names of the tenant's saved queries with their parameters; null when not at hand (then references are not checked). */
  readonly savedQueries: ReadonlyMap<string, readonly string[]> | null;
  /** What the condition may look through of a record (`search-share.ts`). */
  readonly share: number;
  /** Compiles a nested condition. */
  readonly compile: (definition: unknown, path: string) => Result<CompiledCondition, readonly Issue[]>;
};

/** A condition type: its configuration, and how to make a compiled condition of one. */
export type ConditionHandler<Config = unknown> = {
  readonly type: string;
  /** The configuration, without partId, name and type. Strict: unknown fields are refused. */
  readonly schema: z.ZodType<Config>;
  compile(config: Config, context: CompileContext): Result<CompiledCondition, readonly Issue[]>;
};

/** Declares a condition with its types inferred from the schema. */
export function defineConditionHandler<Config>(handler: ConditionHandler<Config>): ConditionHandler<Config> {
  return handler;
}
