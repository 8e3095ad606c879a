import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { createHandlers } from '../../src/engine/built-in-handlers.ts';
import { compileWorkflow } from '../../src/engine/compile-workflow.ts';
import { type BatchLookups, type Match, planMatches } from '../../src/engine/match-batch.ts';
import { emptyPlan, planAction } from '../../src/engine/plan-execution.ts';
import { queryKey, type Recipient } from '../../src/model/recipient.ts';
import { ok } from '../../src/model/result.ts';
import { noDeliveryRules } from '../../src/store/delivery-rules.ts';
import { sampleEvent } from '../support/sample-event.ts';

let composed = 0;
const handlers = createHandlers();
handlers.actions.register({
  type: 'slow',
  schema: z.strictObject({ forMs: z.number() }),
  audience: 'recipients',
  defaultTimeoutMs: 1_000,
  compile: ({ forMs }) =>
    ok({
      kind: 'inbox',
      reads: [],
      references: [],
      compose: ({ recipient }) => {
        composed += 1;
        for (const endsAt = performance.now() + forMs; performance.now() < endsAt; );
        return ok({ title: `for ${recipient?.id}`, message: 'm', priority: 'low', link: null });
      },
    }),
});

function slowWorkflow(forMs: number) {
  const definition = {
    triggers: [],
    conditions: [],
    actions: [{ partId: 'a', type: 'slow', isActive: true, conditions: [], forMs }],
    recipients: [{ partId: 'r', type: 'role', id: 'sales' }],
    settings: { queue: 'default', excludeActor: false, maxRecipients: 1_000, logSkipped: false },
  };
  return compileWorkflow({ workflowId: 'w', tenantId: 'acme', name: 'w', version: 1, definition }, handlers);
}

const sales: readonly Recipient[] = Array.from({ length: 100 }, (_, index) => ({
  id: `u${index}`,
  name: null,
  email: null,
  locale: null,
  timezone: null,
  attributes: {},
  active: true,
}));
const lookups: BatchLookups = {
  askDirectory: async (requests) =>
    new Map(requests.map(({ tenantId, query }) => [queryKey(tenantId, query), [...sales]])),
  tenantsWithMutedInboxes: async () => new Set(),
  readInboxRules: async () => noDeliveryRules,
};
const matchOf = (forMs: number): Match => ({
  event: sampleEvent(),
  workflow: slowWorkflow(forMs),
  verdict: true,
  place: null,
  loop: null,
  recipientQuota: null,
});

describe('planMatches', () => {
  test('composes for everybody at once', async () => {
    const { executions, notifications } = await planMatches([matchOf(0)], lookups);
    expect(executions).toMatchObject([{ status: 'success', deliveriesDone: 100 }]);
    expect(notifications).toHaveLength(100);
  });

  test('leaves to the execute stage what takes too long to compose: nothing else runs meanwhile', async () => {
    composed = 0;
    const rows = await planMatches([matchOf(30), matchOf(0)], lookups);
    expect(rows.executions).toMatchObject([{ status: 'pending' }, { status: 'pending' }]);
    expect([rows.deliveries, rows.notifications]).toEqual([[], []]);
    expect(composed).toBeLessThan(100);
  });
});

describe('planAction', () => {
  test('in turns comes to the same as at once, however short they are', () => {
    const { event, workflow } = matchOf(0);
    const [action] = workflow.actions;
    if (action?.compiled?.kind !== 'inbox') throw new Error('the workflow has no notification');
    const { compiled } = action;
    let composed = 0;
    const counting = {
      ...compiled,
      isPersonal: false,
      compose: (given: Parameters<typeof compiled.compose>[0]) => {
        composed += 1;
        return compiled.compose(given);
      },
    };
    const context = { executionId: 'e', event, workflow, place: null, rules: noDeliveryRules };
    const leftOut = [{ recipientId: 'gone', partId: 'r', reason: 'field_missing' as const }];
    const page = { action: { ...action, compiled: counting }, recipients: sales, leftOut };
    const atOnce = emptyPlan();
    expect([...planAction(atOnce, context, { ...page, isOver: () => false })]).toEqual([]);
    expect(composed).toBe(1);
    const inTurns = emptyPlan();
    const pauses = [...planAction(inTurns, context, { ...page, isOver: () => true })];
    expect(pauses).toHaveLength(99);
    // What is the same for everybody is not composed anew with each turn.
    expect(composed).toBe(2);
    expect(inTurns).toEqual(atOnce);
  });
});
