import { sql } from 'drizzle-orm';
import type { SavedQuery } from '../model/saved-query.ts';
import type { Orm } from './database.ts';

/** What definitions of a tenant may name. */
export type WorkflowReferences = {
  readonly savedQueries: readonly SavedQuery[];
  /** Names of stored mail templates. */
  readonly templates: readonly string[];
  /** Names of secrets. */
  readonly secrets: readonly string[];
};

/** Reads everything that definitions of a tenant may name. */
export async function readWorkflowReferences(orm: Orm, tenantId: string): Promise<WorkflowReferences> {
  const result = await orm.execute<WorkflowReferences>(sql`
    select
      (select coalesce(json_agg(definition order by name), '[]')
        from tocsin.saved_queries
        where tenant_id = ${tenantId}) as "savedQueries",
      (select coalesce(json_agg(name order by name), '[]')
        from tocsin.templates
        where tenant_id = ${tenantId}) as templates,
      (select coalesce(json_agg(name order by name), '[]')
        from tocsin.secrets
        where tenant_id = ${tenantId}) as secrets`);
  return result.rows[0] as WorkflowReferences;
}
