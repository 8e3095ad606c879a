import type { z } from 'zod';
import { namePattern } from '../model/event.ts';
import { ok } from '../model/result.ts';
import { strictSchema } from '../model/strict-schema.ts';
import type { RecipientResolver, ResolverContext } from './recipient.ts';

/** A recipient type of the host's own. */
export type RecipientDeclaration<Config> = {
  /** What tenants write as `type`: letters, digits, `_`, `-` and `.`. */
  readonly type: string;
  /** What tenants write beside the type. Unknown fields are refused, also by a plain `z.object`. */
  readonly schema: z.ZodType<Config>;
  /** Ids of users of the directory. When it rejects or is too slow, nobody is told through it and the log says why. */
  readonly resolve: (config: Config, context: ResolverContext) => Promise<readonly string[]>;
};

/**
 * Declares a recipient type, to be given to `createTocsin({ recipients })` or `registerRecipientResolver`.
 *
 * @throws when the type is not a name
 */
export function defineRecipient<Config>(declaration: RecipientDeclaration<Config>): RecipientResolver<Config> {
  const { type, schema, resolve } = declaration;
  if (!namePattern.test(type)) {
    throw new Error(`recipient type "${type}" is not a name: use letters, digits, "_", "-" and "."`);
  }
  return {
    type,
    schema: strictSchema(schema),
    compile: (config) => ok({ kind: 'custom', resolve: (context) => resolve(config, context), reads: [] }),
  };
}
