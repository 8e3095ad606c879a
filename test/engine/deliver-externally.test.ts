import { expect, test } from 'vitest';
import { deliverExternally, type ExternalAttempt } from '../../src/engine/deliver-externally.ts';

test('deliverExternally: an attempt that begins when the worker has to stop ends, also with a handler that ignores it', async () => {
  const attempt = {
    claimed: { id: 'd', tenantId: 't', executionId: 'x', attempts: 1, nowMs: 0 },
    services: { transports: {}, openSecret: undefined, storedTemplate: undefined },
    compiled: { kind: 'external', deliver: () => new Promise(() => undefined) },
    message: { event: { causation: null }, workflow: { id: 'w' }, recipient: null },
    timeoutMs: 60_000,
    optOut: null,
    rules: {},
    readRules: undefined,
    secrets: [],
    bounces: [],
    signal: AbortSignal.abort(),
  } as unknown as ExternalAttempt;
  expect(await deliverExternally(attempt)).toEqual({ status: 'retry', reason: 'timeout' });
});
