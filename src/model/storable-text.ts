/**
 * True when PostgreSQL keeps the text as it is: it has no NUL and no lone surrogate. Everything else would make a
 * statement fail, and with it the batch of other tenants' rows that travels in the same statement.
 */
export function isStorableText(text: string): boolean {
  return text.isWellFormed() && !text.includes('\u0000');
}

/** What is wrong with a text that is not storable. */
export const unstorable = 'holds a NUL character or half of a surrogate pair, which PostgreSQL cannot store';

/** The text with U+FFFD for what PostgreSQL cannot keep. */
export function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\u0000', '\uFFFD');
}

/** True when every key and every text of a JSON value is storable. */
export function isStorableJson(value: unknown): boolean {
  if (typeof value === 'string') return isStorableText(value);
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every(isStorableJson);
  return Object.entries(value).every(([key, part]) => isStorableText(key) && isStorableJson(part));
}
