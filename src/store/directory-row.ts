import { type Json, parseJson } from '../model/json.ts';
import type { Recipient } from '../model/recipient.ts';

/** The columns of `tocsin.directory_users as u` that make a recipient. Attributes come as text, so that integers stay exact. */
export const recipientColumns =
  'u.id, u.name, u.email, u.locale, u.timezone, u.attributes::text as attributes, u.active';

/** A row of `recipientColumns`. */
export type RecipientRow = Omit<Recipient, 'attributes'> & { readonly attributes: string };

const noAttributes: Recipient['attributes'] = Object.freeze({});

export function toRecipient(row: RecipientRow): Recipient {
  const { id, name, email, locale, timezone, active } = row;
  const attributes =
    row.attributes === '{}' ? noAttributes : (parseJson(row.attributes) as Readonly<Record<string, Json>>);
  return { id, name, email, locale, timezone, attributes, active };
}
