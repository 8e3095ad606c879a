import { describe, expect, test } from 'vitest';
import { deliveryId, deriveId, executionId } from '../../src/model/derived-id.ts';

const eventId = '019aa5c0-1234-7abc-8def-0123456789ab';

describe('deriveId', () => {
  test('is a version 8 UUID that keeps the time of the id it derives from', () => {
    const id = deriveId(eventId, 'part');
    expect(id).toMatch(/^019aa5c0-1234-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test('is what it always was: rows of earlier versions have these ids', () => {
    expect(deriveId(eventId, 'a', 'ü', '')).toBe('019aa5c0-1234-8473-8803-8840e81ce6d0');
  });

  test('is the same for the same key and another for any other', () => {
    expect(deriveId(eventId, 'a', 'b')).toBe(deriveId(eventId, 'a', 'b'));
    const others = [
      deriveId(eventId, 'a', 'c'),
      deriveId(eventId, 'ab'),
      deriveId(eventId, 'a', '', 'b'),
      deriveId(eventId),
    ];
    expect(new Set([deriveId(eventId, 'a', 'b'), ...others]).size).toBe(5);
  });
});

describe('executionId and deliveryId', () => {
  test('tell workflow versions, actions and recipients apart', () => {
    const workflowId = '019aa5c0-0000-7000-8000-000000000000';
    const first = executionId(eventId, workflowId, 1);
    const ids = [
      first,
      executionId(eventId, workflowId, 2),
      deliveryId(first, 'action-1', 'mia'),
      deliveryId(first, 'action-1', 'tom'),
      deliveryId(first, 'action-2', 'mia'),
      deliveryId(first, 'action-1', ''),
    ];
    expect(new Set(ids).size).toBe(ids.length);
  });
});
