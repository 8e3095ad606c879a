import { nearest, WorkflowError } from '../errors.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { CaptureInfo } from '../store/capture-registry.ts';
import { parseTableName } from './table-name.ts';

/** The capture of a table as somebody wrote its name; without a schema it must be the only one of that name. */
export function findCapture(captures: readonly CaptureInfo[], table: string): Result<CaptureInfo, WorkflowError> {
  const name = parseTableName(table);
  if (!name.ok) return name;
  const { schemaName, tableName } = name.value;
  const [found, another] = captures.filter(
    (capture) => capture.tableName === tableName && (schemaName === null || capture.schemaName === schemaName),
  );
  if (found && another) {
    return err(new WorkflowError('invalid', `${table} may be ${found.table} or ${another.table}: write its schema`));
  }
  if (found) return ok(found);
  const known = captures.map((capture) => capture.table);
  const meant = nearest(table, known);
  const next = meant ? `did you mean ${meant}?` : `captured are: ${known.join(', ') || 'none'}`;
  return err(new WorkflowError('not_found', `${table} is not captured: ${next}`));
}
