import type { z } from 'zod';
import { namePattern, type WorkflowEvent } from '../model/event.ts';
import { ok } from '../model/result.ts';
import { strictSchema } from '../model/strict-schema.ts';
import type { ConditionHandler, ConditionServices } from './condition.ts';
import { deferredCondition } from './deferred-condition.ts';

/** What a condition type of the host's own is given. */
export type ConditionContext = {
  readonly event: WorkflowEvent;
  /** When the event happened. */
  readonly now: Date;
  /** Look-ups, and the signal that ends when the condition's time is up. */
  readonly services: ConditionServices;
};

/** A condition type of the host's own. */
export type ConditionDeclaration<Config> = {
  /** What tenants write as `type`: letters, digits, `_`, `-` and `.`. */
  readonly type: string;
  /** What tenants write beside the type. Unknown fields are refused, also by a plain `z.object`. */
  readonly schema: z.ZodType<Config>;
  /** Decides. When it throws, rejects, is too slow or answers something else, the condition is undecided: nothing fires. */
  readonly evaluate: (config: Config, context: ConditionContext) => boolean | Promise<boolean>;
};

/**
 * Declares a condition type, to be given to `createTocsin({ conditions })` or `registerConditionHandler`.
 *
 * @throws when the type is not a name
 */
export function defineCondition<Config>(declaration: ConditionDeclaration<Config>): ConditionHandler<Config> {
  const { type, schema, evaluate } = declaration;
  if (!namePattern.test(type)) {
    throw new Error(`condition type "${type}" is not a name: use letters, digits, "_", "-" and "."`);
  }
  return {
    type,
    schema: strictSchema(schema),
    compile: (config) =>
      ok(
        deferredCondition({
          type,
          expected: `${type} is true`,
          problem: () => null,
          ask: async ({ event, now }, services) => {
            const result = await inTime(async () => evaluate(config, { event, now, services }), services.signal);
            if (typeof result !== 'boolean') throw new Error(`"${type}" answered ${typeof result}, not true or false`);
            return { result };
          },
        }),
      ),
  };
}

/** The answer of `work`, or a rejection as soon as the signal ends. */
async function inTime<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(new Error('was not decided in time', { cause: signal.reason }));
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
