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
  const names = captures.map((capture) => (schemaName === null ? capture.tableName : capture.table));
  const meant = captures[names.indexOf(nearest(table, names) ?? '')];
  const known = captures.map((capture) => capture.table).join(', ');
  const next = meant ? `did you mean ${meant.table}?` : `captured are: ${known || 'none'}`;
  return err(new WorkflowError('not_found', `${table} is not captured: ${next}`));
}
