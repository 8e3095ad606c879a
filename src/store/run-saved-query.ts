import { escapeIdentifier, escapeLiteral } from 'pg';
import { invalid, WorkflowError } from '../errors.ts';
import type { EntityType } from '../model/entity-type.ts';
import type { Json } from '../model/json.ts';
import { err, ok, type Result } from '../model/result.ts';
import { fitParameters, type SavedQuery } from '../model/saved-query.ts';
import { queryCanceled, sqlState } from './bounded-read.ts';
import type { Database } from './database.ts';
import { savedQuerySql } from './saved-query-sql.ts';

/** Classes of codes for a table, column, type or value that is not as expected. */
const unfitClasses = ['22', '42'];

/**
 * How many of the tenant's rows a saved query finds, `atMost` at most. It runs in a read-only transaction that says for
 * which tenant (`tocsin.tenant_id`, for row level security of the host), for `timeoutMs` at most, and as `role` (null: the
 * login), which then needs to read nothing but the tables that saved queries are about.
 *
 * `invalid` when parameters are missing or do not fit, or the table is no longer what the query was written for; `timeout`.
 */
export async function runSavedQuery(
  database: Database,
  options: {
    tenantId: string;
    query: SavedQuery;
    entityType: EntityType;
    parameters: Readonly<Record<string, Json>>;
    atMost: number;
    timeoutMs: number;
    role?: string | null;
  },
): Promise<Result<number, WorkflowError>> {
  const { tenantId, query, entityType, atMost, timeoutMs, role = null } = options;
  const name = `the saved query "${query.name}"`;
  const parameters = fitParameters(query, options.parameters);
  if (!parameters.ok) return err(invalid(`what ${name} was given`, parameters.error));
  const statement = savedQuerySql({ tenantId, query, entityType, parameters: parameters.value, atMost });
  if (!statement.ok) return err(invalid(name, statement.error));
  const { value: counting } = statement;
  if (counting === null) return ok(0);
  const begin = [
    'begin read only',
    `set local statement_timeout = ${timeoutMs}`,
    "set local timezone = 'UTC'",
    `set local tocsin.tenant_id = ${escapeLiteral(tenantId)}`,
    ...(role === null ? [] : [`set local role ${escapeIdentifier(role)}`]),
  ].join('; ');
  let hasBegun = false;
  try {
    return await database.transaction(
      async (_orm, client) => {
        hasBegun = true;
        const result = await client.query<{ found: number }>(counting.text, [...counting.values]);
        return ok(result.rows[0]?.found ?? 0);
      },
      { begin },
    );
  } catch (error) {
    if (!hasBegun && role !== null) throw new Error(`saved queries cannot run as the role "${role}"`, { cause: error });
    const state = sqlState(error) ?? '';
    if (state === queryCanceled) {
      const message = `${name} took longer than ${timeoutMs} ms: an index on what it filters by makes it faster`;
      return err(new WorkflowError('timeout', message, { cause: error }));
    }
    if (!unfitClasses.includes(state.slice(0, 2))) throw error;
    const message = `${name} does not fit the table of "${entityType.name}": ${whyUnfit(state, error)}`;
    return err(new WorkflowError('invalid', message, { cause: error }));
  }
}

/** PostgreSQL's words, but not about a value: it may be of a row that another tenant has, looked at before its tenant is. */
function whyUnfit(state: string, error: unknown): string {
  if (state.startsWith('22')) {
    return `a column holds a value that is not of the type the entity type says (${state}): register it with the column's type`;
  }
  return error instanceof Error ? error.message : String(error);
}
