import { z } from 'zod';

/** How often and when a delivery is tried again. Intervals in milliseconds; the words are Temporal's. */
export const retryPolicyInput = z.strictObject({
  /** Attempts in all, the first included. */
  maxAttempts: z.number().int().min(1).max(100).optional(),
  /** Wait before the second attempt. */
  initialIntervalMs: z.number().int().min(10).max(86_400_000).optional(),
  /** Each wait is the one before times this. */
  backoffCoefficient: z.number().min(1).max(100).optional(),
  /** No wait is longer. */
  maxIntervalMs: z.number().int().min(10).max(604_800_000).optional(),
  /** Part of each wait that is random, 0 to 1, so that deliveries that failed together do not come back together. */
  jitter: z.number().min(0).max(1).optional(),
  /** Reasons that end the delivery at once. */
  nonRetryable: z.array(z.string().min(1)).max(50).optional(),
});

export type RetryPolicy = {
  readonly maxAttempts: number;
  readonly initialIntervalMs: number;
  readonly backoffCoefficient: number;
  readonly maxIntervalMs: number;
  readonly jitter: number;
  readonly nonRetryable: readonly string[];
};

/** About 23 hours over 8 attempts: long enough for an endpoint that is down for a night. */
export const defaultRetryPolicy: RetryPolicy = {
  maxAttempts: 8,
  initialIntervalMs: 5_000,
  backoffCoefficient: 6,
  maxIntervalMs: 36_000_000,
  jitter: 0.2,
  nonRetryable: [],
};

/** A policy with the defaults for what an action leaves open. */
export function retryPolicy(input: z.output<typeof retryPolicyInput> | undefined): RetryPolicy {
  const given = Object.entries(input ?? {}).filter(([, value]) => value !== undefined);
  return { ...defaultRetryPolicy, ...Object.fromEntries(given) };
}

/** What an attempt came to. Reasons are codes of `model/reason.ts`, or a custom handler's own words. */
export type DeliveryOutcome =
  | { readonly status: 'delivered'; readonly detail?: Readonly<Record<string, unknown>> }
  | {
      readonly status: 'retry';
      readonly reason: string;
      /** The other side asked for at least this wait (Retry-After). */
      readonly afterMs?: number;
      readonly detail?: Readonly<Record<string, unknown>>;
    }
  | { readonly status: 'failed'; readonly reason: string; readonly detail?: Readonly<Record<string, unknown>> }
  /** Nothing went wrong, and the recipient is not to be told. */
  | { readonly status: 'skipped'; readonly reason: string; readonly detail?: Readonly<Record<string, unknown>> }
  /** Nothing was tried: the delivery waits and the attempt does not count. */
  | {
      readonly status: 'postponed';
      readonly reason: string;
      readonly afterMs: number;
      readonly detail?: Readonly<Record<string, unknown>>;
    };

/** What becomes of the delivery. */
export type DeliveryVerdict =
  | { readonly status: 'delivered' }
  | { readonly status: 'pending'; readonly reason: string; readonly delayMs: number }
  | { readonly status: 'dead'; readonly reason: string }
  | { readonly status: 'skipped'; readonly reason: string };

const longestRetryAfterMs = 86_400_000;

/**
 * Decides what becomes of a delivery after an attempt. Pure: `random` is a number in [0, 1).
 *
 * @param attempts attempts made so far, this one included
 */
export function afterAttempt(options: {
  policy: RetryPolicy;
  attempts: number;
  outcome: DeliveryOutcome;
  random: number;
}): DeliveryVerdict {
  const { policy, attempts, outcome, random } = options;
  switch (outcome.status) {
    case 'delivered':
      return { status: 'delivered' };
    case 'failed':
      return { status: 'dead', reason: outcome.reason };
    case 'skipped':
      return { status: 'skipped', reason: outcome.reason };
    case 'postponed':
      return { status: 'pending', reason: outcome.reason, delayMs: outcome.afterMs };
    case 'retry': {
      if (attempts >= policy.maxAttempts || policy.nonRetryable.includes(outcome.reason)) {
        return { status: 'dead', reason: outcome.reason };
      }
      const asked = Math.min(outcome.afterMs ?? 0, longestRetryAfterMs);
      return {
        status: 'pending',
        reason: outcome.reason,
        delayMs: Math.max(asked, retryDelayMs(policy, attempts, random)),
      };
    }
  }
}

/** The wait after attempt number `attempts`: exponential, capped, with the policy's part of it random. */
export function retryDelayMs(policy: RetryPolicy, attempts: number, random: number): number {
  const exponential = policy.initialIntervalMs * policy.backoffCoefficient ** (attempts - 1);
  const capped = Math.min(exponential, policy.maxIntervalMs);
  return Math.round(capped * (1 - policy.jitter * random));
}
