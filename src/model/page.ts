import { z } from 'zod';
import { isStorableText } from './storable-text.ts';

/** One page of a list, and where the next one starts: null when there is none. */
export type Page<T> = { readonly items: readonly T[]; readonly nextCursor: string | null };

/** How much of a list is wanted, and from where. */
export const pageInput = z.strictObject({
  limit: z.number().int().min(1).max(1000).default(50),
  /** `nextCursor` of the page before; the start of the list when left out. */
  cursor: z.string().transform(cursorKey).optional(),
});

/**
 * The page that rows make.
 *
 * @param rows one more than `limit` when there is a next page
 * @param keyOf the key the list is ordered by
 */
export function pageOf<T>(rows: readonly T[], limit: number, keyOf: (row: T) => string): Page<T> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  const hasMore = last !== undefined && rows.length > limit;
  return { items, nextCursor: hasMore ? Buffer.from(keyOf(last)).toString('base64url') : null };
}

function cursorKey(cursor: string, context: z.core.$RefinementCtx<string>): string {
  const key = Buffer.from(cursor, 'base64url').toString();
  const isOurs = key !== '' && isStorableText(key) && Buffer.from(key).toString('base64url') === cursor;
  if (isOurs) return key;
  context.addIssue({ code: 'custom', message: 'is not a cursor: use `nextCursor` of the page before', input: cursor });
  return z.NEVER;
}
