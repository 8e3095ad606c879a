import { stripVTControlCharacters } from 'node:util';
import { describe, expect, test } from 'vitest';
import { executionText } from '../../src/cli/execution-text.ts';
import type { ExecutionDetail } from '../../src/log/execution-log.ts';
import type { ConditionTrace } from '../../src/model/condition.ts';

function textOf(...conditions: ConditionTrace[]): string[] {
  const execution: ExecutionDetail = {
    id: '01990000-0000-7000-8000-000000000001',
    workflowId: '01990000-0000-7000-8000-000000000002',
    workflowName: 'Large order',
    workflowVersion: 1,
    workflowPausedReason: null,
    status: 'skipped',
    reason: 'conditions_false',
    sentence: 'The conditions of the workflow were not met.',
    createdAt: new Date('2026-01-31T08:00:00Z'),
    completedAt: new Date('2026-01-31T08:00:01Z'),
    durationMs: 1_000,
    event: null,
    trace: { conditions, actions: [] },
    deliveryCounts: { open: 0, delivered: 0, failed: 0 },
    deliveries: [],
    nextDeliveryCursor: null,
  };
  return stripVTControlCharacters(executionText(execution)).split('\n');
}

describe('executionText', () => {
  test('says what ran, what came of it and why', () => {
    expect(textOf()).toEqual([
      'Large order version 1 on an event that is no longer kept: skipped in 1000 ms 01990000-0000-7000-8000-000000000001',
      '  The conditions of the workflow were not met.',
    ]);
  });

  test('shows what each condition found as it was written, and quotes texts', () => {
    const head = { type: 'field_value', expected: 'x eq y', result: true } as const;
    const found = [640, 'paid', null, '"new" -> "paid"', '["admin"]'];
    const lines = textOf(...found.map((actual) => ({ ...head, actual })));
    expect(lines.slice(2)).toEqual([
      '  + field_value x eq y found 640',
      '  + field_value x eq y found "paid"',
      '  + field_value x eq y found null',
      '  + field_value x eq y found "new" -> "paid"',
      '  + field_value x eq y found ["admin"]',
    ]);
  });
});
