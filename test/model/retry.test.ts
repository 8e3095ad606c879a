import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  afterAttempt,
  defaultRetryPolicy,
  type RetryPolicy,
  retryDelayMs,
  retryPolicy,
} from '../../src/model/retry.ts';

const policy: RetryPolicy = {
  maxAttempts: 4,
  initialIntervalMs: 1_000,
  backoffCoefficient: 3,
  maxIntervalMs: 5_000,
  jitter: 0,
  nonRetryable: ['http_status'],
};

const policies = fc.record({
  maxAttempts: fc.integer({ min: 1, max: 100 }),
  initialIntervalMs: fc.integer({ min: 10, max: 86_400_000 }),
  backoffCoefficient: fc.double({ min: 1, max: 100, noNaN: true }),
  maxIntervalMs: fc.integer({ min: 10, max: 604_800_000 }),
  jitter: fc.double({ min: 0, max: 1, noNaN: true }),
  nonRetryable: fc.constant([]),
});

describe('retryDelayMs', () => {
  test('grows by the coefficient from the first interval up to the longest', () => {
    expect([1, 2, 3, 4].map((attempts) => retryDelayMs(policy, attempts, 0))).toEqual([1_000, 3_000, 5_000, 5_000]);
  });

  test('stays between what jitter leaves and the cap, whatever the policy', () => {
    fc.assert(
      fc.property(
        policies,
        fc.integer({ min: 1, max: 100 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (any, attempts, random) => {
          const delayMs = retryDelayMs(any, attempts, random);
          const whole = Math.min(any.initialIntervalMs * any.backoffCoefficient ** (attempts - 1), any.maxIntervalMs);
          expect(delayMs).toBeLessThanOrEqual(Math.round(whole));
          expect(delayMs).toBeGreaterThanOrEqual(Math.round(whole * (1 - any.jitter)) - 1);
        },
      ),
    );
  });
});

describe('afterAttempt', () => {
  test('leaves out whoever is not to be told, whatever the policy', () => {
    const outcome = { status: 'skipped', reason: 'opted_out' } as const;
    expect(afterAttempt({ policy, attempts: 1, outcome, random: 0 })).toEqual(outcome);
  });

  const retry = { status: 'retry', reason: 'timeout' } as const;

  test('a delivered attempt ends the delivery', () => {
    expect(afterAttempt({ policy, attempts: 1, outcome: { status: 'delivered' }, random: 0 })).toEqual({
      status: 'delivered',
    });
  });

  test('a failed attempt ends it too, as a dead letter with the reason', () => {
    const outcome = { status: 'failed', reason: 'no_address' } as const;
    expect(afterAttempt({ policy, attempts: 1, outcome, random: 0 })).toEqual({ status: 'dead', reason: 'no_address' });
  });

  test('a retry waits while attempts are left, and then is a dead letter', () => {
    expect(afterAttempt({ policy, attempts: 3, outcome: retry, random: 0 })).toEqual({
      status: 'pending',
      reason: 'timeout',
      delayMs: 5_000,
    });
    expect(afterAttempt({ policy, attempts: 4, outcome: retry, random: 0 })).toEqual({
      status: 'dead',
      reason: 'timeout',
    });
  });

  test('waits at least as long as the other side asked, and never longer than a day for that', () => {
    const delayFor = (afterMs: number) => {
      const verdict = afterAttempt({ policy, attempts: 1, outcome: { ...retry, afterMs }, random: 0 });
      return verdict.status === 'pending' ? verdict.delayMs : null;
    };
    expect(delayFor(60_000)).toBe(60_000);
    expect(delayFor(10)).toBe(1_000);
    expect(delayFor(10 * 86_400_000)).toBe(86_400_000);
  });

  test('a reason the policy names as non-retryable ends the delivery at once', () => {
    const outcome = { status: 'retry', reason: 'http_status' } as const;
    expect(afterAttempt({ policy, attempts: 1, outcome, random: 0 })).toEqual({
      status: 'dead',
      reason: 'http_status',
    });
  });
});

describe('retryPolicy', () => {
  test('takes the defaults for what is left open', () => {
    expect(retryPolicy(undefined)).toEqual(defaultRetryPolicy);
    expect(retryPolicy({ maxAttempts: 2, jitter: undefined })).toEqual({ ...defaultRetryPolicy, maxAttempts: 2 });
  });
});
