import { parseJson } from '../model/json.ts';
import type { WorkflowDefinition } from '../model/workflow.ts';
import type { Runner } from './connection.ts';

/** A workflow whose row changed: what runs of it now, or null when nothing does. */
export type ChangedWorkflow = {
  readonly workflowId: string;
  readonly tenantId: string;
  readonly name: string;
  readonly changedAtVersion: number;
  readonly version: number | null;
  readonly definition: WorkflowDefinition | null;
};

/** The version all definitions are at. Read in the flight of every claim: what was loaded up to it is not stale. */
export async function readDefinitionsVersion(runner: Runner): Promise<number> {
  const result = await runner.query<{ version: string }>({
    name: 'tocsin_definitions_version',
    text: 'select version from tocsin.definitions_version',
  });
  return Number(result.rows[0]?.version ?? 0);
}

/**
 * Workflows that changed after `since`, in the order they changed, `limit` at most. A workflow that no longer runs comes
 * without its definition; on the first load (`since` 0) only those that run come at all.
 */
export async function loadChangedWorkflows(
  runner: Runner,
  options: { since: number; afterWorkflowId: string; limit: number },
): Promise<ChangedWorkflow[]> {
  const result = await runner.query<Omit<ChangedWorkflow, 'definition'> & { definition: string | null }>(
    `select w.id as "workflowId", w.tenant_id as "tenantId", w.name, w.changed_at_version::float8 as "changedAtVersion",
       v.version, v.definition::text as definition
     from tocsin.workflows w
     left join tocsin.workflow_versions v
       on v.workflow_id = w.id
       and v.version = w.published_version
       and w.status = 'active'
       and w.deleted_at is null
     where (w.changed_at_version, w.id) > ($1, $2::uuid)
       and ($1 > 0 or v.version is not null)
     order by w.changed_at_version, w.id
     limit $3`,
    [options.since, options.afterWorkflowId, options.limit],
  );
  return result.rows.map((row) => ({
    ...row,
    definition: row.definition === null ? null : readDefinition(row.definition),
  }));
}

/** One published version, running or not; null when it does not exist. */
export async function loadWorkflowVersion(
  runner: Runner,
  options: { workflowId: string; version: number },
): Promise<{ tenantId: string; name: string; definition: WorkflowDefinition } | null> {
  const result = await runner.query<{ tenantId: string; name: string; definition: string }>({
    name: 'tocsin_workflow_version',
    text: `
      select w.tenant_id as "tenantId", w.name, v.definition::text as definition
      from tocsin.workflow_versions v
      join tocsin.workflows w on w.id = v.workflow_id
      where v.workflow_id = $1
        and v.version = $2`,
    values: [options.workflowId, options.version],
  });
  const row = result.rows[0];
  return row ? { ...row, definition: readDefinition(row.definition) } : null;
}

/** Integers beyond 2^53 in conditions stay exact. */
function readDefinition(text: string): WorkflowDefinition {
  return parseJson(text) as unknown as WorkflowDefinition;
}
