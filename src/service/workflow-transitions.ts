import { WorkflowError } from '../errors.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { Workflow, WorkflowStatus } from '../model/workflow.ts';

/** What a step looks at. */
export type WorkflowBefore = Pick<Workflow, 'name' | 'status' | 'publishedVersion' | 'hasUnpublishedChanges'>;

/** What a step leads to; `publishes` when the working copy becomes the next version. */
export type Transition = { readonly status: WorkflowStatus; readonly publishes: boolean };

type Step = Result<Transition, WorkflowError>;

/**
 * Publishing: a draft becomes active, unless `activate` is false, and then inactive; an inactive workflow stays inactive; an
 * active one runs the new version at once.
 */
export function publishing(workflow: WorkflowBefore, options: { activate: boolean }): Step {
  switch (workflow.status) {
    case 'draft':
      return ok({ status: options.activate ? 'active' : 'inactive', publishes: true });
    case 'active':
    case 'inactive':
      if (workflow.hasUnpublishedChanges) return ok({ status: workflow.status, publishes: true });
      return refuse(
        workflow,
        `has no changes since version ${workflow.publishedVersion}: ${
          workflow.status === 'inactive' ? 'activate it to run that version' : 'update it first'
        }`,
      );
    case 'archived':
      return refuseArchived(workflow);
  }
}

/** Activating: the published version runs. */
export function activating(workflow: WorkflowBefore): Step {
  switch (workflow.status) {
    case 'inactive':
      return ok({ status: 'active', publishes: false });
    case 'draft':
      return refuse(workflow, 'was never published: publish it, which also activates it');
    case 'active':
      return refuse(workflow, 'is active already');
    case 'archived':
      return refuseArchived(workflow);
  }
}

/** Deactivating: nothing runs until it is activated again. */
export function deactivating(workflow: WorkflowBefore): Step {
  switch (workflow.status) {
    case 'active':
      return ok({ status: 'inactive', publishes: false });
    case 'draft':
      return refuse(workflow, 'is a draft, which does not run: there is nothing to deactivate');
    case 'inactive':
      return refuse(workflow, 'is inactive already');
    case 'archived':
      return refuseArchived(workflow);
  }
}

/** Archiving: final. */
export function archiving(workflow: WorkflowBefore): Step {
  if (workflow.status === 'archived') return refuse(workflow, 'is archived already');
  return ok({ status: 'archived', publishes: false });
}

/** Null when the working copy may be changed. */
export function reasonAgainstUpdate(workflow: WorkflowBefore): WorkflowError | null {
  return workflow.status === 'archived' ? refuseArchived(workflow).error : null;
}

/** Null when the workflow may be deleted. */
export function reasonAgainstDelete(workflow: WorkflowBefore): WorkflowError | null {
  if (workflow.status !== 'active') return null;
  return refuse(workflow, 'is active: deactivate or archive it first').error;
}

function refuseArchived(workflow: WorkflowBefore) {
  return refuse(workflow, 'is archived, which is final: create a new workflow');
}

function refuse(workflow: WorkflowBefore, why: string) {
  return err(new WorkflowError('conflict', `workflow "${workflow.name}" ${why}`));
}
