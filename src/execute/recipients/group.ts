import { z } from 'zod';
import { directoryName } from '../../model/directory-user.ts';
import type { RecipientQuery } from '../../model/recipient.ts';
import { ok } from '../../model/result.ts';
import type { RecipientResolver } from '../recipient.ts';

const config = z.strictObject({ id: directoryName });

/** Everyone who is in a group when the event is worked on. */
export const groupRecipient: RecipientResolver<z.infer<typeof config>> = {
  type: 'group',
  schema: config,
  compile: ({ id }) => {
    const query = ok<RecipientQuery>({ kind: 'group', name: id });
    return ok({ kind: 'query', query: () => query, reads: [] });
  },
};
