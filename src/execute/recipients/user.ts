import { z } from 'zod';
import { userId } from '../../model/directory-user.ts';
import type { RecipientQuery } from '../../model/recipient.ts';
import { ok } from '../../model/result.ts';
import type { RecipientResolver } from '../recipient.ts';

const config = z.strictObject({
  id: z.union([userId, z.array(userId).min(1).max(1000)], 'is a user id such as "u1", or a list of 1 to 1000 of them'),
});

/** Users named by their id. */
export const userRecipient: RecipientResolver<z.infer<typeof config>> = {
  type: 'user',
  schema: config,
  compile: ({ id }) => {
    const query = ok<RecipientQuery>({ kind: 'users', ids: [...new Set([id].flat())] });
    return ok({ kind: 'query', query: () => query, reads: [] });
  },
};
