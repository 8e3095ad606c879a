import { createHash, createVerify, type KeyObject } from 'node:crypto';

/** What a DKIM signature says of itself, by tag. */
export type DkimTags = Readonly<Record<string, string>>;

/**
 * Verifies the DKIM signature at the top of a message as RFC 6376 tells verifiers to, relaxed/relaxed, with `node:crypto`
 * alone; answers its tags, or null when it does not hold.
 */
export function verifyDkim(raw: string, publicKey: KeyObject): DkimTags | null {
  const end = raw.indexOf('\r\n\r\n');
  const fields = raw.slice(0, end).split(/\r\n(?![ \t])/);
  const signature = fields.find((field) => /^dkim-signature:/i.test(field));
  if (signature === undefined) return null;
  const tags = tagsOf(signature.slice(signature.indexOf(':') + 1));
  if (tags.v !== '1' || tags.a !== 'rsa-sha256' || tags.c !== 'relaxed/relaxed') return null;
  const bodyHash = createHash('sha256')
    .update(relaxedBody(raw.slice(end + 4)), 'latin1')
    .digest('base64');
  if (bodyHash !== tags.bh?.replace(/\s/g, '')) return null;

  const verify = createVerify('RSA-SHA256');
  // Section 5.4.2: of fields that repeat the last one not taken yet; of those that are not there nothing.
  const left = [...fields];
  for (const name of (tags.h ?? '').split(':')) {
    const at = left.findLastIndex((field) => field.slice(0, field.indexOf(':')).trim().toLowerCase() === name.trim());
    if (at < 0) continue;
    verify.update(`${relaxedField(left[at] ?? '')}\r\n`, 'latin1');
    left.splice(at, 1);
  }
  // Section 3.7: the field itself comes last, with nothing after `b=` and without a line break.
  verify.update(relaxedField(signature.replace(/(\bb=)[^;]*$/s, '$1')), 'latin1');
  return verify.verify(publicKey, (tags.b ?? '').replace(/\s/g, ''), 'base64') ? tags : null;
}

function tagsOf(list: string): DkimTags {
  return Object.fromEntries(
    list.split(';').map((tag) => {
      const at = tag.indexOf('=');
      return [tag.slice(0, at).trim(), tag.slice(at + 1).trim()];
    }),
  );
}

/** Section 3.4.2. */
function relaxedField(field: string): string {
  const at = field.indexOf(':');
  const value = field
    .slice(at + 1)
    .replace(/\r\n/g, '')
    .replace(/[ \t]+/g, ' ')
    .trim();
  return `${field.slice(0, at).trim().toLowerCase()}:${value}`;
}

/** Section 3.4.4. */
function relaxedBody(body: string): string {
  const lines = body.split('\r\n').map((line) => line.replace(/[ \t]+/g, ' ').replace(/ $/, ''));
  while (lines.at(-1) === '') lines.pop();
  return lines.length === 0 ? '' : `${lines.join('\r\n')}\r\n`;
}
