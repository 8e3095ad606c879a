import type { WorkflowEvent } from '../../src/model/event.ts';

/** An event with a small order, changed as the test needs it. */
export function sampleEvent(change: Partial<WorkflowEvent> = {}): WorkflowEvent {
  return {
    id: '01990000-0000-7000-8000-000000000001',
    tenantId: 'acme',
    source: 'db',
    entityType: 'order',
    entityId: '1',
    operation: 'insert',
    payload: { id: 1, total: 500, owner: 'ann' },
    previous: null,
    changed: [],
    actor: null,
    traceContext: null,
    idempotencyKey: null,
    causation: null,
    occurredAt: new Date('2026-03-02T10:00:00Z'),
    ...change,
  };
}
