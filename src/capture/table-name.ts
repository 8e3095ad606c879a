import { type Issue, invalid, type WorkflowError } from '../errors.ts';
import { err, ok, type Result } from '../model/result.ts';

/** A table as somebody wrote it; without a schema the search path decides. */
export type WrittenTableName = { readonly schemaName: string | null; readonly tableName: string };

const identifierPattern = /(?:"((?:[^"]|"")+)"|([\p{L}_][\p{L}\p{N}_$]*))(\.|$)/uy;

/**
 * Reads a table name as SQL does: `public.orders`, `orders`, `Sales."Order Lines"`. What is not in quotes is lower case, a
 * doubled quote stands for one.
 */
export function parseTableName(text: string): Result<WrittenTableName, WorkflowError> {
  const parts: string[] = [];
  const pattern = new RegExp(identifierPattern);
  let isOpen = true;
  while (isOpen) {
    const match = pattern.exec(text);
    if (!match) return err(invalid(`table name ${JSON.stringify(text)}`, [issue]));
    parts.push(match[1]?.replaceAll('""', '"') ?? (match[2] as string).toLowerCase());
    isOpen = match[3] === '.';
  }
  const [first, second] = parts;
  if (parts.length === 1) return ok({ schemaName: null, tableName: first as string });
  if (parts.length === 2) return ok({ schemaName: first as string, tableName: second as string });
  return err(invalid(`table name ${JSON.stringify(text)}`, [issue]));
}

const issue: Issue = {
  path: 'table',
  message: 'write schema.table, with double quotes around names that are not lower case words',
};
