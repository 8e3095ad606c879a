import { sql } from 'drizzle-orm';
import type { Database, Orm } from './database.ts';

/** PostgreSQL's code for a statement that its time limit ended. */
export const queryCanceled = '57014';

/**
 * Runs reads whose cost depends on what was asked for, each of them for `timeoutMs` at most, so that a search over
 * everything cannot keep a connection busy. Null when the time was up.
 */
export async function boundedRead<T>(
  database: Database,
  timeoutMs: number,
  read: (tx: Orm) => Promise<T>,
): Promise<T | null> {
  try {
    return await database.transaction(async (tx) => {
      await tx.execute(sql`select set_config('statement_timeout', ${String(timeoutMs)}, true)`);
      return read(tx);
    });
  } catch (error) {
    if (sqlState(error) === queryCanceled) return null;
    throw error;
  }
}

/** PostgreSQL's code of an error, also of one that drizzle wrapped; undefined when it has none. */
export function sqlState(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('code' in error && typeof error.code === 'string') return error.code;
  return sqlState(error.cause);
}
