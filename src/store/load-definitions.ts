import { parseJson } from '../model/json.ts';
import type { PublishedWorkflow, WorkflowDefinition } from '../model/workflow.ts';
import type { promptly, Runner } from './connection.ts';

/** A workflow whose row changed: what runs of it now, or null when nothing does. */
export type ChangedWorkflow = {
  readonly workflowId: string;
  readonly tenantId: string;
  readonly name: string;
  readonly changedAtVersion: number;
  readonly version: number | null;
  readonly definition: WorkflowDefinition | null;
};

/** The version all definitions are at: what was loaded up to it is not stale. Claims of events read it themselves. */
export async function readDefinitionsVersion(runner: Runner, limits: Partial<typeof promptly> = {}): Promise<number> {
  const result = await runner.query<{ version: string }>({
    ...limits,
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

/**
 * Workflows that run, `limit` at most, by tenant and name: those of some tenants, or of all (null), that come after one.
 * Names are unique in a tenant; the index on both serves this in order.
 */
export async function loadRunningWorkflows(
  runner: Runner,
  options: {
    tenantIds: readonly string[] | null;
    after: Pick<PublishedWorkflow, 'tenantId' | 'name'>;
    limit: number;
  },
): Promise<PublishedWorkflow[]> {
  const { tenantIds, after, limit } = options;
  const result = await runner.query<Omit<PublishedWorkflow, 'definition'> & { definition: string }>(
    `select w.id as "workflowId", w.tenant_id as "tenantId", w.name, v.version, v.definition::text as definition
     from tocsin.workflows w
     join tocsin.workflow_versions v on v.workflow_id = w.id and v.version = w.published_version
     where w.status = 'active'
       and w.deleted_at is null
       and (w.tenant_id, w.name) > ($1, $2)
       ${tenantIds === null ? '' : 'and w.tenant_id = any($4::text[])'}
     order by w.tenant_id, w.name
     limit $3`,
    [after.tenantId, after.name, limit, ...(tenantIds === null ? [] : [tenantIds])],
  );
  return result.rows.map((row) => ({ ...row, definition: readDefinition(row.definition) }));
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
