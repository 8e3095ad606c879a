import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineAction } from '../../src/deliver/define-action.ts';
import { createHandlers } from '../../src/engine/built-in-handlers.ts';
import { compileWorkflow } from '../../src/engine/compile-workflow.ts';
import type { WorkflowDefinition } from '../../src/model/workflow.ts';

const handlers = createHandlers();
handlers.actions.register(
  defineAction({
    type: 'call',
    schema: z.strictObject({}),
    audience: 'once',
    deliver: async () => ({ status: 'delivered' }),
  }),
);

const settings = { queue: 'default', excludeActor: false, maxRecipients: 10, logSkipped: false };
const action = { partId: 'a', type: 'call', isActive: true, conditions: [] };
const unknown = { partId: 'x', type: 'new' };

/** What a worker with the built-in handlers and `call` lacks for a definition. */
function lacksOf(parts: Partial<WorkflowDefinition> & Record<string, unknown>): readonly string[] {
  const definition: WorkflowDefinition = {
    triggers: [],
    conditions: [],
    actions: [action],
    recipients: [],
    settings,
    ...parts,
  };
  return compileWorkflow({ workflowId: 'w', tenantId: 't', name: 'w', version: 1, definition }, handlers).lacks;
}

describe('compileWorkflow', () => {
  test('lacks nothing where all handlers are known and take what was published', () => {
    expect(lacksOf({})).toEqual([]);
  });

  test.each<[string, Parameters<typeof lacksOf>[0], string]>([
    ['an action', { actions: [{ ...action, ...unknown }] }, 'action type "new"'],
    ['fields that its action does not take', { actions: [{ ...action, isUrgent: true }] }, 'action type "call"'],
    ['a condition', { conditions: [unknown] }, 'condition type "new"'],
    [
      'a condition within another',
      { conditions: [{ ...unknown, type: 'composite', all: [unknown] }] },
      'condition type "composite"',
    ],
    ['a condition of an action', { actions: [{ ...action, conditions: [unknown] }] }, 'condition type "new"'],
    [
      'a recipient that an action tells',
      {
        actions: [{ ...action, type: 'notification', title: 'x', message: 'x' }],
        recipients: [unknown],
      },
      'recipient type "new"',
    ],
    [
      'a setting',
      { settings: { ...settings, quietHours: true } as WorkflowDefinition['settings'] },
      'settings.quietHours',
    ],
    ['a part of the definition', { escalations: [] }, 'escalations'],
  ])('says that it lacks %s', (_what, parts, lack) => {
    expect(lacksOf(parts)).toEqual([lack]);
  });

  test.each<[string, Parameters<typeof lacksOf>[0]]>([
    ['an action that is switched off', { actions: [{ ...action, ...unknown, isActive: false }] }],
    ['a recipient that no action tells', { recipients: [unknown] }],
  ])('does without %s', (_what, parts) => {
    expect(lacksOf(parts)).toEqual([]);
  });
});
