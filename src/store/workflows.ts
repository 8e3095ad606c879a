import { and, desc, eq, inArray, isNull, lt, type SQL, sql } from 'drizzle-orm';
import { parseJson, stringifyJson } from '../model/json.ts';
import type { Workflow, WorkflowDefinition, WorkflowStatus } from '../model/workflow.ts';
import type { Orm } from './database.ts';
import { subscriptions, workflows, workflowVersions } from './schema.ts';

/** One workflow of one tenant. */
export type WorkflowKey = { readonly tenantId: string; readonly id: string };

/** What a workflow row holds that changes. */
export type WorkflowState = Pick<Workflow, 'name' | 'description' | 'status' | 'publishedVersion'> & {
  readonly definition: WorkflowDefinition;
  /** The definitions version of this change; null when what runs is as it was. */
  readonly changedAtVersion: number | null;
};

const workflowColumns = {
  id: workflows.id,
  tenantId: workflows.tenantId,
  name: workflows.name,
  description: workflows.description,
  status: workflows.status,
  pausedReason: workflows.pausedReason,
  definition: sql<string>`${workflows.definition}::text`,
  publishedVersion: workflows.publishedVersion,
  hasUnpublishedChanges: sql<boolean>`${workflowVersions.definition} is distinct from ${workflows.definition}`,
  revision: workflows.revision,
  createdAt: workflows.createdAt,
  updatedAt: workflows.updatedAt,
};

/** One workflow that is not deleted; null when there is none. */
export async function readWorkflow(orm: Orm, key: WorkflowKey): Promise<Workflow | null> {
  const rows = await readWorkflows(orm, { where: [isThis(key), isNull(workflows.deletedAt)], limit: 1 });
  return rows[0] ?? null;
}

/** The workflow that has the name now; null when none has. */
export async function readWorkflowByName(
  orm: Orm,
  options: { tenantId: string; name: string },
): Promise<Workflow | null> {
  const where = [
    eq(workflows.tenantId, options.tenantId),
    eq(workflows.name, options.name),
    isNull(workflows.deletedAt),
  ];
  const rows = await readWorkflows(orm, { where, limit: 1 });
  return rows[0] ?? null;
}

/** Workflows of a tenant that are not deleted, newest first. `name` finds every name that contains it, in any case. */
export async function listWorkflows(
  orm: Orm,
  options: {
    tenantId: string;
    statuses: readonly WorkflowStatus[] | null;
    name: string | null;
    beforeId: string | null;
    limit: number;
  },
): Promise<Workflow[]> {
  const { tenantId, statuses, name, beforeId, limit } = options;
  const where = [
    eq(workflows.tenantId, tenantId),
    isNull(workflows.deletedAt),
    statuses ? inArray(workflows.status, [...statuses]) : undefined,
    name === null ? undefined : sql`position(lower(${name}) in lower(${workflows.name})) > 0`,
    beforeId === null ? undefined : lt(workflows.id, beforeId),
  ];
  return readWorkflows(orm, { where, limit });
}

/** Names of workflows that are not deleted, at most 1000: for saying which one was meant. */
export async function listWorkflowNames(orm: Orm, tenantId: string): Promise<string[]> {
  const rows = await orm
    .select({ name: workflows.name })
    .from(workflows)
    .where(and(eq(workflows.tenantId, tenantId), isNull(workflows.deletedAt)))
    .limit(1000);
  return rows.map((row) => row.name);
}

/** True when the workflow exists, deleted or not: its versions and logs can be read. */
export async function workflowExists(orm: Orm, key: WorkflowKey): Promise<boolean> {
  const rows = await orm.select({ id: workflows.id }).from(workflows).where(isThis(key));
  return rows.length > 0;
}

/** Locks a workflow that is not deleted until the transaction ends; false when there is none. */
export async function lockWorkflow(orm: Orm, key: WorkflowKey): Promise<boolean> {
  const rows = await orm
    .select({ id: workflows.id })
    .from(workflows)
    .where(and(isThis(key), isNull(workflows.deletedAt)))
    .for('update');
  return rows.length > 0;
}

/** Until the transaction ends nobody else can take the name: what is asked about it afterwards stays true. */
export async function lockWorkflowName(orm: Orm, options: { tenantId: string; name: string }): Promise<void> {
  const key = JSON.stringify(['tocsin.workflows', options.tenantId, options.name]);
  await orm.execute(sql`select pg_advisory_xact_lock(hashtextextended(${key}, 0))`);
}

/** Writes a new workflow and answers its id. */
export async function insertWorkflow(orm: Orm, tenantId: string, state: WorkflowState): Promise<string> {
  const rows = await orm
    .insert(workflows)
    .values({
      tenantId,
      name: state.name,
      description: state.description,
      status: state.status,
      definition: asJsonb(state.definition),
      publishedVersion: state.publishedVersion,
      changedAtVersion: state.changedAtVersion ?? 0,
    })
    .returning({ id: workflows.id });
  return (rows[0] as { id: string }).id;
}

/** Writes what changed of a workflow; its revision grows by one. */
export async function updateWorkflow(orm: Orm, key: WorkflowKey, state: WorkflowState): Promise<void> {
  await orm
    .update(workflows)
    .set({
      name: state.name,
      description: state.description,
      status: state.status,
      // Whatever a person does but edit and publish it is their decision from now on.
      ...(state.status === 'inactive' ? {} : { pausedReason: null }),
      definition: asJsonb(state.definition),
      publishedVersion: state.publishedVersion,
      revision: sql`${workflows.revision} + 1`,
      updatedAt: sql`now()`,
      ...(state.changedAtVersion === null ? {} : { changedAtVersion: state.changedAtVersion }),
    })
    .where(isThis(key));
}

/** Deletes a workflow softly: its name is free again, its versions and executions stay. */
export async function markWorkflowDeleted(orm: Orm, key: WorkflowKey): Promise<void> {
  await orm
    .update(workflows)
    .set({ deletedAt: sql`now()`, updatedAt: sql`now()`, revision: sql`${workflows.revision} + 1` })
    .where(isThis(key));
}

/** Makes the capture gate let through what the workflow listens to while it is active: nothing when `triggers` is empty. */
export async function replaceSubscriptions(
  orm: Orm,
  key: WorkflowKey,
  triggers: readonly { entityType: string; operation: string }[],
): Promise<void> {
  await orm
    .delete(subscriptions)
    .where(and(eq(subscriptions.tenantId, key.tenantId), eq(subscriptions.workflowId, key.id)));
  if (triggers.length === 0) return;
  await orm
    .insert(subscriptions)
    .values(
      triggers.map(({ entityType, operation }) => ({
        entityType,
        operation,
        tenantId: key.tenantId,
        workflowId: key.id,
      })),
    )
    .onConflictDoNothing();
}

async function readWorkflows(
  orm: Orm,
  options: { where: readonly (SQL | undefined)[]; limit: number },
): Promise<Workflow[]> {
  const rows = await orm
    .select(workflowColumns)
    .from(workflows)
    .leftJoin(
      workflowVersions,
      and(eq(workflowVersions.workflowId, workflows.id), eq(workflowVersions.version, workflows.publishedVersion)),
    )
    .where(and(...options.where))
    .orderBy(desc(workflows.id))
    .limit(options.limit);
  return rows.map(({ definition, ...row }) => ({
    ...(parseJson(definition) as unknown as WorkflowDefinition),
    ...row,
  }));
}

function isThis(key: WorkflowKey): SQL | undefined {
  return and(eq(workflows.tenantId, key.tenantId), eq(workflows.id, key.id));
}

/** Not through drizzle's own mapping: JSON.stringify refuses bigints. */
function asJsonb(definition: WorkflowDefinition): SQL {
  return sql`${stringifyJson(definition)}::jsonb`;
}
