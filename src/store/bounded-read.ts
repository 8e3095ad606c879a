import { WorkflowError } from '../errors.ts';
import { err, type Result } from '../model/result.ts';
import type { Database, Orm } from './database.ts';
import { withTenant } from './with-tenant.ts';

/** PostgreSQL's code for a statement that its time limit ended. */
export const queryCanceled = '57014';

/**
 * Runs reads whose cost depends on what was asked for, each of them for `timeoutMs` at most, so that a search over
 * everything cannot keep a connection busy: then `timeout`, with `remedy`. A tenant of null stands for the operator, who sees
 * those of all tenants.
 */
export async function boundedRead<T>(
  database: Database,
  bounds: { readonly tenantId: string | null; readonly timeoutMs: number; readonly remedy: string },
  read: (tx: Orm) => Promise<Result<T, WorkflowError>>,
): Promise<Result<T, WorkflowError>> {
  const { tenantId, timeoutMs, remedy } = bounds;
  try {
    if (tenantId !== null) return await withTenant(database, { tenantId, statementTimeoutMs: timeoutMs }, read);
    return await database.transaction(read, { begin: `begin; set local statement_timeout = ${timeoutMs}` });
  } catch (error) {
    if (sqlState(error) !== queryCanceled) throw error;
    return err(new WorkflowError('timeout', `the search took too long: ${remedy}`, { cause: error }));
  }
}

/** PostgreSQL's code of an error, also of one that drizzle wrapped; undefined when it has none. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('code' in error && typeof error.code === 'string') return error.code;
  return sqlState(error.cause);
}
