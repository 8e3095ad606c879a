import type { RecipientResolver } from '../recipient.ts';
import { attributeRecipient } from './attribute.ts';
import { fieldRecipient } from './field.ts';
import { groupRecipient } from './group.ts';
import { roleRecipient } from './role.ts';
import { userRecipient } from './user.ts';

/** The recipient types every worker knows. */
export const builtInRecipients: readonly RecipientResolver[] = [
  userRecipient,
  roleRecipient,
  groupRecipient,
  attributeRecipient,
  fieldRecipient,
];
