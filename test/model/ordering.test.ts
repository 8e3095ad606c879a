import { describe, expect, test } from 'vitest';
import { deliveryPlace, executionPlace } from '../../src/model/ordering.ts';
import { sampleEvent } from '../support/sample-event.ts';

const workflow = '01990000-0000-7000-8000-00000000000a';

describe('executionPlace', () => {
  test('events of one entity have one key for a workflow, at their positions', () => {
    const first = executionPlace(sampleEvent(), '7', workflow);
    const second = executionPlace(sampleEvent({ operation: 'update' }), '9', workflow);
    expect([first?.position, second?.position]).toEqual(['7', '9']);
    expect(first?.key).toBe(second?.key);
    expect(executionPlace(sampleEvent({ entityId: '2' }), '7', workflow)?.key).not.toBe(first?.key);
    expect(executionPlace(sampleEvent(), '7', workflow.replace('a', 'b'))?.key).not.toBe(first?.key);
  });

  test('an event of no entity, or that never waited in the outbox, has no place', () => {
    expect(executionPlace(sampleEvent({ entityId: '' }), '7', workflow)).toBeNull();
    expect(executionPlace(sampleEvent(), null, workflow)).toBeNull();
  });
});

describe('deliveryPlace', () => {
  test('each action and recipient has an order of its own', () => {
    const execution = { key: 'k', position: '7' };
    const keys = [
      deliveryPlace(execution, 'mail', 'ann'),
      deliveryPlace(execution, 'mail', 'ben'),
      deliveryPlace(execution, 'call', 'ann'),
    ].map(({ key }) => key);
    expect(new Set(keys).size).toBe(3);
    expect(deliveryPlace(execution, 'mail', 'ann')).toEqual({ key: keys[0], position: '7' });
  });
});
