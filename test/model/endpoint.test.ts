import { describe, expect, test } from 'vitest';
import { endpointVerdict, originOf } from '../../src/model/endpoint.ts';
import type { DeliveryOutcome } from '../../src/model/retry.ts';

const status = (code: number): Record<string, unknown> => ({ reason: 'http_status', detail: { status: code } });

describe('endpointVerdict', () => {
  test.each<[DeliveryOutcome, string]>([
    [{ status: 'delivered' }, 'alive'],
    [{ status: 'retry', reason: 'connection_failed' }, 'failing'],
    [{ status: 'retry', reason: 'timeout' }, 'failing'],
    [{ status: 'retry', reason: 'outcome_unknown' }, 'failing'],
    [{ status: 'retry', ...status(429) } as DeliveryOutcome, 'failing'],
    [{ status: 'retry', ...status(503) } as DeliveryOutcome, 'failing'],
    [{ status: 'retry', reason: 'handler_failed' }, 'unknown'],
    [{ status: 'failed', ...status(400) } as DeliveryOutcome, 'alive'],
    [{ status: 'failed', ...status(404) } as DeliveryOutcome, 'alive'],
    [{ status: 'failed', ...status(302) } as DeliveryOutcome, 'alive'],
    [{ status: 'failed', ...status(410) } as DeliveryOutcome, 'gone'],
    [{ status: 'failed', reason: 'url_not_allowed' }, 'unknown'],
    [{ status: 'failed', reason: 'request_too_large' }, 'unknown'],
    [{ status: 'postponed', reason: 'endpoint_paused', afterMs: 1 }, 'unknown'],
  ])('%j says that it is %s', (outcome, verdict) => {
    expect(endpointVerdict(outcome)).toBe(verdict);
  });
});

describe('originOf', () => {
  test.each([
    ['https://Hooks.Example.com/a?b#c', 'https://hooks.example.com'],
    ['http://127.1:8080/x', 'http://127.0.0.1:8080'],
    ['https://example.com:443/', 'https://example.com'],
    ['ftp://example.com/', null],
    ['nonsense', null],
  ])('of %s is %s', (url, origin) => {
    expect(originOf(url)).toBe(origin);
  });
});
