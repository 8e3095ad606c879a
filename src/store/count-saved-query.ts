import type { Json } from '../model/json.ts';
import type { Database } from './database.ts';
import { loadEntityTypes } from './entity-types.ts';
import { runSavedQuery } from './run-saved-query.ts';
import { readSavedQuery } from './saved-queries.ts';

/**
 * Counts the rows that a tenant's saved query finds, as query and entity type are now.
 *
 * @throws when there is no such query, a parameter does not fit, or the statement fails or takes too long: then the condition
 * cannot be decided
 */
export async function countSavedQuery(
  database: Database,
  run: {
    tenantId: string;
    query: string;
    parameters: Readonly<Record<string, Json>>;
    atMost: number;
    timeoutMs: number;
    role?: string | null;
  },
): Promise<number> {
  const query = await readSavedQuery(database.orm, { tenantId: run.tenantId, name: run.query });
  if (!query) throw new Error(`no saved query "${run.query}": create it, or change the condition`);
  const [entityType] = await loadEntityTypes(database.orm, [query.entityType]);
  if (!entityType)
    throw new Error(`the entity type "${query.entityType}" of the query "${run.query}" is no longer registered`);
  const found = await runSavedQuery(database, { ...run, query, entityType });
  if (!found.ok) throw found.error;
  return found.value;
}
