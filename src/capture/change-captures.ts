import { WorkflowError } from '../errors.ts';
import { err, type Result } from '../model/result.ts';
import { beginCaptureChange } from '../store/capture-lock.ts';
import type { Runner } from '../store/connection.ts';
import type { Database, Orm } from '../store/database.ts';
import { errorCode } from '../store/database-trouble.ts';

/** Codes of PostgreSQL that have a next step for the caller. */
const refusals: Readonly<Record<string, (table: string, message: string) => WorkflowError>> = {
  '55P03': (table) =>
    new WorkflowError(
      'unavailable',
      `${table} is busy: its writers kept the lock for a second. Nothing was changed; try again`,
    ),
  '40P01': (table) =>
    new WorkflowError('unavailable', `${table} is busy: a deadlock with its writers. Nothing was changed; try again`),
  '42501': (table, message) =>
    new WorkflowError(
      'not_allowed',
      `${table}: ${message}. Install as the role that owns the table and migrated schema tocsin`,
    ),
};

/**
 * Runs a change of captures in a transaction of its own: one at a time, waiting a second at most for locks, so that nobody
 * queues for long behind it. A refusal rolls everything back.
 */
export async function changeCaptures<T>(
  database: Database,
  table: string,
  change: (orm: Orm, client: Runner) => Promise<Result<T, WorkflowError>>,
): Promise<Result<T, WorkflowError>> {
  try {
    return await database.transaction(async (orm, client) => {
      if (!(await beginCaptureChange(client))) throw notMigrated();
      const changed = await change(orm, client);
      if (!changed.ok) throw changed.error;
      return changed;
    });
  } catch (error) {
    if (error instanceof WorkflowError) return err(error);
    const refusal = refusals[errorCode(error) ?? ''];
    if (!refusal) throw error;
    return err(refusal(table, error instanceof Error ? error.message : String(error)));
  }
}

function notMigrated(): WorkflowError {
  return new WorkflowError('not_migrated', 'the database lacks the schema of Tocsin: run `tocsin migrate`');
}
