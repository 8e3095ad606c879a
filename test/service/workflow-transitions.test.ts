import { describe, expect, test } from 'vitest';
import type { WorkflowError } from '../../src/errors.ts';
import type { Result } from '../../src/model/result.ts';
import type { WorkflowStatus } from '../../src/model/workflow.ts';
import {
  activating,
  archiving,
  deactivating,
  publishing,
  reasonAgainstDelete,
  reasonAgainstUpdate,
  type Transition,
  type WorkflowBefore,
} from '../../src/service/workflow-transitions.ts';

function workflow(status: WorkflowStatus, hasUnpublishedChanges = true): WorkflowBefore {
  return { name: 'w', status, publishedVersion: status === 'draft' ? null : 3, hasUnpublishedChanges };
}

function outcome(result: Result<Transition, WorkflowError>): string {
  if (!result.ok) return `${result.error.code}: ${result.error.message}`;
  return result.value.publishes ? `${result.value.status}, new version` : result.value.status;
}

const archived = 'conflict: workflow "w" is archived, which is final: create a new workflow';

describe('publishing', () => {
  test('makes a draft active, or inactive when asked, and leaves the others as they are', () => {
    expect(outcome(publishing(workflow('draft'), { activate: true }))).toBe('active, new version');
    expect(outcome(publishing(workflow('draft'), { activate: false }))).toBe('inactive, new version');
    expect(outcome(publishing(workflow('inactive'), { activate: true }))).toBe('inactive, new version');
    expect(outcome(publishing(workflow('active'), { activate: false }))).toBe('active, new version');
    expect(outcome(publishing(workflow('archived'), { activate: true }))).toBe(archived);
  });

  test('refuses to publish the same once more, and says what to do instead', () => {
    expect(outcome(publishing(workflow('active', false), { activate: true }))).toBe(
      'conflict: workflow "w" has no changes since version 3: update it first',
    );
    expect(outcome(publishing(workflow('inactive', false), { activate: true }))).toBe(
      'conflict: workflow "w" has no changes since version 3: activate it to run that version',
    );
  });
});

describe('activating', () => {
  test('runs what is published and inactive, and refuses the rest', () => {
    expect(outcome(activating(workflow('inactive')))).toBe('active');
    expect(outcome(activating(workflow('draft')))).toBe(
      'conflict: workflow "w" was never published: publish it, which also activates it',
    );
    expect(outcome(activating(workflow('active')))).toBe('conflict: workflow "w" is active already');
    expect(outcome(activating(workflow('archived')))).toBe(archived);
  });
});

describe('deactivating', () => {
  test('stops what is active, and refuses the rest', () => {
    expect(outcome(deactivating(workflow('active')))).toBe('inactive');
    expect(outcome(deactivating(workflow('draft')))).toBe(
      'conflict: workflow "w" is a draft, which does not run: there is nothing to deactivate',
    );
    expect(outcome(deactivating(workflow('inactive')))).toBe('conflict: workflow "w" is inactive already');
    expect(outcome(deactivating(workflow('archived')))).toBe(archived);
  });
});

describe('archiving', () => {
  test('retires every workflow once', () => {
    for (const status of ['draft', 'active', 'inactive'] as const) {
      expect(outcome(archiving(workflow(status)))).toBe('archived');
    }
    expect(outcome(archiving(workflow('archived')))).toBe('conflict: workflow "w" is archived already');
  });
});

describe('reasonAgainstUpdate', () => {
  test('stands only against what is archived', () => {
    expect(reasonAgainstUpdate(workflow('archived'))?.message).toContain('archived, which is final');
    for (const status of ['draft', 'active', 'inactive'] as const) {
      expect(reasonAgainstUpdate(workflow(status))).toBeNull();
    }
  });
});

describe('reasonAgainstDelete', () => {
  test('stands only against what runs', () => {
    expect(reasonAgainstDelete(workflow('active'))?.message).toBe(
      'workflow "w" is active: deactivate or archive it first',
    );
    for (const status of ['draft', 'inactive', 'archived'] as const) {
      expect(reasonAgainstDelete(workflow(status))).toBeNull();
    }
  });
});
