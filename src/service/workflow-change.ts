import { WorkflowError } from '../errors.ts';
import { err } from '../model/result.ts';
import type { Workflow, WorkflowDefinition } from '../model/workflow.ts';
import { bumpDefinitionsVersion, type Database, type Orm } from '../store/database.ts';
import { withTenant } from '../store/with-tenant.ts';
import { insertWorkflowVersion, readWorkflowVersion } from '../store/workflow-versions.ts';
import {
  insertWorkflow,
  lockWorkflow,
  lockWorkflowName,
  readWorkflow,
  readWorkflowByName,
  replaceSubscriptions,
  updateWorkflow,
  type WorkflowKey,
} from '../store/workflows.ts';
import type { Answer, WriteOptions } from './answer.ts';
import { isUuid } from './list-input.ts';
import type { Transition } from './workflow-transitions.ts';

/** How a change is made. */
export type ChangeOptions = WriteOptions & {
  /** The revision the change was made from: refused when the workflow has changed since. */
  readonly revision?: number | undefined;
  /** Who does it; kept with a version that is published. */
  readonly actor?: string | undefined;
};

/** A workflow as it shall be. */
export type WorkflowAfter = Transition & {
  readonly name: string;
  readonly description: string;
  readonly definition: WorkflowDefinition;
};

/** What the caller is told about a workflow that is not there. */
export function workflowNotFound(id: string): WorkflowError {
  return new WorkflowError(
    'not_found',
    `no workflow ${JSON.stringify(id)} in this tenant: list workflows to see their ids`,
  );
}

/** The parts of a workflow, without what stands around them. */
export function definitionOf(workflow: WorkflowDefinition): WorkflowDefinition {
  const { triggers, conditions, actions, recipients, settings } = workflow;
  return { triggers, conditions, actions, recipients, settings };
}

/** Locks the workflow, lets `work` look at it and decide, all in one transaction. `work` refuses before it writes. */
export async function withLockedWorkflow<T>(
  target: { database: Database; key: WorkflowKey; options: ChangeOptions },
  work: (current: Workflow, tx: Orm) => Answer<T>,
): Answer<T> {
  const { database, key, options } = target;
  if (!isUuid(key.id)) return err(workflowNotFound(key.id));
  return withTenant(database, { tenantId: key.tenantId, tx: options.tx }, async (tx) => {
    const current = (await lockWorkflow(tx, key)) ? await readWorkflow(tx, key) : null;
    if (!current) return err(workflowNotFound(key.id));
    if (options.revision !== undefined && options.revision !== current.revision) {
      const message = `workflow "${current.name}" is at revision ${current.revision}, not ${options.revision}: somebody changed it; read it again`;
      return err(new WorkflowError('conflict', message));
    }
    return work(current, tx);
  });
}

/**
 * Takes a name for the workflow until the transaction ends; null when it is free, else the refusal that says who has it.
 */
export async function takeName(tx: Orm, options: { tenantId: string; name: string }): Promise<WorkflowError | null> {
  await lockWorkflowName(tx, options);
  const other = await readWorkflowByName(tx, options);
  if (!other) return null;
  const message = `workflow ${other.id} (${other.status}) already has the name "${other.name}": choose another name or rename that one`;
  return new WorkflowError('conflict', message);
}

/** Writes a new workflow, published when it starts active. */
export async function writeNewWorkflow(
  tx: Orm,
  tenantId: string,
  options: { after: WorkflowAfter; actor: string | null },
): Promise<Workflow> {
  const { after, actor } = options;
  const publishedVersion = after.publishes ? 1 : null;
  const changedAtVersion = after.publishes ? await bumpDefinitionsVersion(tx) : null;
  const id = await insertWorkflow(tx, tenantId, { ...after, publishedVersion, changedAtVersion });
  if (after.publishes) {
    await insertWorkflowVersion(tx, { tenantId, id }, { version: 1, publishedBy: actor });
    await replaceSubscriptions(tx, { tenantId, id }, listenedTo(after.definition));
  }
  return reread(tx, { tenantId, id });
}

/** Writes what became of a locked workflow, with its version, what the capture gate lets through, and the caches' version. */
export async function writeWorkflow(
  tx: Orm,
  current: Workflow,
  options: { after: WorkflowAfter; actor: string | null },
): Promise<Workflow> {
  const { after, actor } = options;
  const key = { tenantId: current.tenantId, id: current.id };
  const publishedVersion = after.publishes ? (current.publishedVersion ?? 0) + 1 : current.publishedVersion;
  const isActive = after.status === 'active';
  const changesWhatRuns =
    isActive !== (current.status === 'active') || (isActive && (after.publishes || after.name !== current.name));
  const changedAtVersion = changesWhatRuns ? await bumpDefinitionsVersion(tx) : null;
  await updateWorkflow(tx, key, { ...after, publishedVersion, changedAtVersion });
  if (after.publishes && publishedVersion !== null) {
    await insertWorkflowVersion(tx, key, { version: publishedVersion, publishedBy: actor });
  }
  if (changesWhatRuns) {
    const running = isActive && publishedVersion !== null ? await readWorkflowVersion(tx, key, publishedVersion) : null;
    await replaceSubscriptions(tx, key, running ? listenedTo(running.definition) : []);
  }
  return reread(tx, key);
}

function listenedTo(definition: WorkflowDefinition) {
  return definition.triggers.filter((trigger) => trigger.isActive);
}

async function reread(tx: Orm, key: WorkflowKey): Promise<Workflow> {
  const workflow = await readWorkflow(tx, key);
  if (!workflow) throw new Error(`workflow ${key.id} is gone although this transaction holds it`);
  return workflow;
}
