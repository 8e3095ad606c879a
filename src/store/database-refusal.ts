import { WorkflowError } from '../errors.ts';
import { errorCode } from './database-trouble.ts';

const notMigratedCodes = ['42P01', '3F000', '42703', '42883'];
const unreachableCodes = ['ECONNREFUSED', 'ENOTFOUND', 'ETIMEDOUT', 'ECONNRESET', '57P03', '57P01'];
const refusedCodes = ['28P01', '28000', '3D000'];

/** A fault of the database that the caller can mend, as a refusal with the next step; null for every other error. */
export function databaseRefusal(error: unknown): WorkflowError | null {
  const code = errorCode(error);
  if (code === undefined) return null;
  if (notMigratedCodes.includes(code)) {
    const message = 'the database lacks (part of) schema tocsin: run `tocsin migrate`';
    return new WorkflowError('not_migrated', message, { cause: error });
  }
  if (unreachableCodes.includes(code)) {
    const message = `the database cannot be reached (${code}): check DATABASE_URL and the server`;
    return new WorkflowError('unavailable', message, { cause: error });
  }
  if (refusedCodes.includes(code)) {
    const said = error instanceof Error ? error.message : String(error);
    return new WorkflowError('unavailable', `the database refuses the connection: ${said}`, { cause: error });
  }
  return null;
}
