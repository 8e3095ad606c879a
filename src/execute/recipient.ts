import type { z } from 'zod';
import type { Issue } from '../errors.ts';
import type { EntityType } from '../model/entity-type.ts';
import type { WorkflowEvent } from '../model/event.ts';
import type { FieldRead } from '../model/field-path.ts';
import type { Directory, RecipientQuery } from '../model/recipient.ts';
import type { Result } from '../model/result.ts';

/** A recipient part ready to be asked for each event. */
export type CompiledRecipient =
  | {
      readonly kind: 'query';
      /** Pure: whom to ask the directory for; or the reason why nobody (a code of `model/reason.ts`). */
      readonly query: (event: WorkflowEvent) => Result<RecipientQuery, string>;
      readonly reads: readonly FieldRead[];
    }
  | {
      readonly kind: 'custom';
      /** Ids of users of the directory. May reject: then nobody is told through it. */
      readonly resolve: (context: ResolverContext) => Promise<readonly string[]>;
      readonly reads: readonly FieldRead[];
    };

/** What a custom resolver is given. */
export type ResolverContext = {
  readonly event: WorkflowEvent;
  readonly tenantId: string;
  readonly directory: Directory;
  /** Aborted when the resolver's time is up. */
  readonly signal: AbortSignal;
};

export type RecipientCompileContext = {
  /** Where the recipient stands in the definition, e.g. `recipients[0]`. */
  readonly path: string;
  readonly entityTypes: readonly EntityType[];
};

/** A recipient type: its configuration, and how to make a compiled recipient of one. */
export type RecipientResolver<Config = unknown> = {
  readonly type: string;
  /** The configuration, without partId, name and type. Strict: unknown fields are refused. */
  readonly schema: z.ZodType<Config>;
  compile(config: Config, context: RecipientCompileContext): Result<CompiledRecipient, readonly Issue[]>;
};
