import { z } from 'zod';
import { pageInput } from '../model/page.ts';

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** True for the text of a UUID: everything else is no id of ours, and PostgreSQL would refuse it. */
export function isUuid(text: string): boolean {
  return uuidPattern.test(text);
}

/** A page of a list that is ordered by id. */
export const idPageInput = z.strictObject({
  limit: z.number().int().min(1).max(500).default(50),
  cursor: pageInput.shape.cursor.refine((key) => key === undefined || isUuid(key), 'is not a cursor of this list'),
});

/** One word of a closed list, or several. */
export function oneOrMany<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z
    .union([z.array(z.enum(words)).min(1), z.enum(words)])
    .transform((given) => [given].flat() as Words[number][]);
}

/** A moment: a Date, or text as ISO 8601 writes it. */
export const momentInput = z
  .union([z.date(), z.string()], 'is not a moment: write it as "2026-11-01T09:00:00Z"')
  .transform((given, context) => {
    const moment = new Date(given);
    if (!Number.isNaN(moment.getTime()) && moment.getTime() >= 0) return moment;
    context.addIssue({ code: 'custom', message: 'is not a moment: write it as "2026-11-01T09:00:00Z"', input: given });
    return z.NEVER;
  });
