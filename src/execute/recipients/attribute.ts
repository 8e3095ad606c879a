import { z } from 'zod';
import { directoryName } from '../../model/directory-user.ts';
import type { RecipientQuery } from '../../model/recipient.ts';
import { ok } from '../../model/result.ts';
import { isStorableText, unstorable } from '../../model/storable-text.ts';
import type { RecipientResolver } from '../recipient.ts';

const attributeValue = z.union(
  [z.string().max(1000).refine(isStorableText, unstorable), z.number(), z.boolean()],
  'is the value that the attribute of the user must equal: a text, a number, true or false',
);

const config = z.strictObject({
  /** The name of the attribute. */
  id: directoryName,
  value: attributeValue,
  /** Not a field: answers definitions that keep the value where other systems keep it. */
  notification_config: z.never({ error: (issue) => valueInstead(issue.input) }).optional(),
});

/** Everyone with an attribute of this value, compared as JSON: the text "5" is not the number 5. */
export const attributeRecipient: RecipientResolver<z.infer<typeof config>> = {
  type: 'attribute',
  schema: config,
  compile: ({ id, value }) => {
    const query = ok<RecipientQuery>({ kind: 'attribute', name: id, value });
    return ok({ kind: 'query', query: () => query, reads: [] });
  },
};

function valueInstead(written: unknown): string {
  const found = z.looseObject({ attribute_value: attributeValue }).safeParse(written);
  const example = found.success ? JSON.stringify(found.data.attribute_value) : '"sales"';
  return `is not a field here: write the value beside the id, as "value": ${example}`;
}
