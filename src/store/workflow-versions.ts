import { and, desc, eq, lt, sql } from 'drizzle-orm';
import { parseJson } from '../model/json.ts';
import type { WorkflowDefinition } from '../model/workflow.ts';
import type { Orm } from './database.ts';
import { workflows, workflowVersions } from './schema.ts';
import type { WorkflowKey } from './workflows.ts';

/** When a version was published and by whom. */
export type WorkflowVersionSummary = {
  readonly version: number;
  readonly publishedAt: Date;
  readonly publishedBy: string | null;
  /** True for the version the workflow points at: what runs while it is active. */
  readonly isPublished: boolean;
};

/** A published version, as it was published. */
export type WorkflowVersion = WorkflowVersionSummary & {
  readonly workflowId: string;
  readonly definition: WorkflowDefinition;
};

const summaryColumns = {
  version: workflowVersions.version,
  publishedAt: workflowVersions.publishedAt,
  publishedBy: workflowVersions.publishedBy,
  isPublished: sql<boolean>`${workflows.publishedVersion} is not distinct from ${workflowVersions.version}`,
};

/** Freezes the working copy of a workflow as a version. */
export async function insertWorkflowVersion(
  orm: Orm,
  key: WorkflowKey,
  options: { version: number; publishedBy: string | null },
): Promise<void> {
  await orm.execute(sql`
    insert into tocsin.workflow_versions (workflow_id, version, tenant_id, definition, published_by)
    select id, ${options.version}, tenant_id, definition, ${options.publishedBy}
    from tocsin.workflows
    where id = ${key.id}
      and tenant_id = ${key.tenantId}`);
}

/** Versions of a workflow, newest first; also of a deleted one. */
export async function listWorkflowVersions(
  orm: Orm,
  key: WorkflowKey,
  options: { before: number | null; limit: number },
): Promise<WorkflowVersionSummary[]> {
  return orm
    .select(summaryColumns)
    .from(workflowVersions)
    .innerJoin(workflows, eq(workflows.id, workflowVersions.workflowId))
    .where(
      and(
        eq(workflowVersions.workflowId, key.id),
        eq(workflowVersions.tenantId, key.tenantId),
        options.before === null ? undefined : lt(workflowVersions.version, options.before),
      ),
    )
    .orderBy(desc(workflowVersions.version))
    .limit(options.limit);
}

/** One version of a workflow, also of a deleted one; null when there is none. */
export async function readWorkflowVersion(
  orm: Orm,
  key: WorkflowKey,
  version: number,
): Promise<WorkflowVersion | null> {
  const rows = await orm
    .select({
      ...summaryColumns,
      workflowId: workflowVersions.workflowId,
      definition: sql<string>`${workflowVersions.definition}::text`,
    })
    .from(workflowVersions)
    .innerJoin(workflows, eq(workflows.id, workflowVersions.workflowId))
    .where(
      and(
        eq(workflowVersions.workflowId, key.id),
        eq(workflowVersions.tenantId, key.tenantId),
        eq(workflowVersions.version, version),
      ),
    );
  const row = rows[0];
  return row ? { ...row, definition: parseJson(row.definition) as unknown as WorkflowDefinition } : null;
}
