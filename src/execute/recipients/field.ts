import { z } from 'zod';
import type { Issue } from '../../errors.ts';
import { userId } from '../../model/directory-user.ts';
import type { WorkflowEvent } from '../../model/event.ts';
import { type FieldRead, parseFieldPath, readField } from '../../model/field-path.ts';
import type { Json } from '../../model/json.ts';
import type { RecipientQuery } from '../../model/recipient.ts';
import { err, ok, type Result } from '../../model/result.ts';
import type { RecipientResolver } from '../recipient.ts';

const config = z.strictObject({
  field: z.union(
    [z.string().min(1), z.array(z.string().min(1)).min(1).max(20)],
    'is a field path such as "owner_id", or a list of 1 to 20 of them',
  ),
});

/** The users that fields of the record name: its owner, its assignees. A field holds an id or an array of ids. */
export const fieldRecipient: RecipientResolver<z.infer<typeof config>> = {
  type: 'field',
  schema: config,
  compile: ({ field }, context) => {
    const issues: Issue[] = [];
    const reads: FieldRead[] = [];
    for (const [index, written] of [field].flat().entries()) {
      const path = Array.isArray(field) ? `${context.path}.field[${index}]` : `${context.path}.field`;
      const segments = parseFieldPath(written);
      if (segments) reads.push({ path, segments });
      else issues.push({ path, message: `"${written}" is not a field path such as "owner_id" or "customer.owner_id"` });
    }
    if (issues.length > 0) return err(issues);
    return ok({ kind: 'query', query: (event) => usersNamed(event, reads), reads });
  },
};

/** Fields that name nobody leave the others as they are; the reason is for when all of them do. */
function usersNamed(event: WorkflowEvent, reads: readonly FieldRead[]): Result<RecipientQuery, string> {
  const ids = new Set<string>();
  let reason = 'field_missing';
  for (const { segments } of reads) {
    const value = readField(event, segments);
    if (value === undefined) continue;
    const named = idsIn(value);
    if (named === null) reason = 'field_not_user';
    else if (reason === 'field_missing') reason = 'resolved_to_nobody';
    for (const id of named ?? []) ids.add(id);
  }
  return ids.size > 0 ? ok({ kind: 'users', ids: [...ids] }) : err(reason);
}

/** The ids a value holds; null when it, or one of its elements, is no id. Null and the empty text are nobody. */
function idsIn(value: Json): string[] | null {
  const ids: string[] = [];
  for (const element of Array.isArray(value) ? value : [value]) {
    if (element === null || element === '') continue;
    const id = idOf(element);
    if (id === null) return null;
    ids.push(id);
  }
  return ids;
}

function idOf(value: Json): string | null {
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return String(value);
  return userId.safeParse(value).data ?? null;
}
