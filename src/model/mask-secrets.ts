const shortestSecret = 4;
const mark = '[redacted]';
/** Parts of one value that are hidden by themselves: the keys of a signing secret that is being changed. */
const mostParts = 10;
const leastReach = 64;

/**
 * Makes a function that puts `[redacted]` in the place of each secret in a text: as it is, as it stands in a header, JSON
 * text, HTML, URL, hexadecimal or Base64, alone or inside more of it; and of a tail that is the beginning of one, since
 * texts are cut. Tenants choose how many secrets there are and how long: what a look-up costs grows with the text.
 *
 * @param secrets clear texts; those shorter than 4 characters are left alone
 */
export function createMask(secrets: readonly string[]): (text: string) => string {
  if (secrets.length === 0) return (text) => text;
  const hidden = [...new Set(secrets.flatMap(spellings))];
  let search: Search | undefined;
  return (text) => {
    if (hidden.length === 0 || text.length < shortestSecret) return text;
    if (search === undefined || search.reach < text.length) search = createSearch(hidden, text.length);
    return maskText(text, search);
  };
}

/** What to look for in texts of up to `reach` characters, and one expression that finds any of it; null: nothing fits whole. */
type Search = { readonly reach: number; readonly forms: readonly string[]; readonly anyForm: RegExp | null };

function createSearch(hidden: readonly string[], length: number): Search {
  const reach = Math.max(leastReach, 2 ** Math.ceil(Math.log2(length)));
  // Of a secret that is longer than the text only the beginning can stand there, as the tail.
  const begun = hidden.map((secret) => secret.slice(0, 2 * reach).toWellFormed());
  const forms = [...new Set(begun.flatMap(encodings))].sort((a, b) => b.length - a.length);
  const escaped = forms
    .filter((form) => form.length <= reach)
    .map((form) => form.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return { reach, forms, anyForm: escaped.length === 0 ? null : new RegExp(escaped.join('|'), 'giu') };
}

/** A secret as a header writes it (one line, trimmed), and each of several that stand in one value. */
function spellings(secret: string): string[] {
  const text = secret.toWellFormed();
  const parts = text.split(/\s+/, mostParts + 1);
  return [text, text.replace(/\p{Cc}+/gu, ' ').trim(), ...(parts.length > mostParts ? [] : parts)].filter(
    (spelling) => spelling.length >= shortestSecret,
  );
}

function encodings(text: string): string[] {
  const percent = encodeURIComponent(text);
  const html = text.replace(/[&<>"']/g, (sign) => htmlSigns[sign] ?? sign);
  const base64 = [0, 1, 2].map((offset) => base64Inside(text, offset));
  const base64Url = base64.map((form) => form.replaceAll('+', '-').replaceAll('/', '_'));
  const json = JSON.stringify(text).slice(1, -1);
  const jsonInJson = JSON.stringify(json).slice(1, -1);
  const hex = Buffer.from(text).toString('hex');
  return [text, json, jsonInJson, html, percent, percent.replaceAll('%20', '+'), hex, ...base64, ...base64Url];
}

const htmlSigns: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** The characters of Base64 that a text gives wherever it stands in the encoded bytes, as in `user:secret`. */
function base64Inside(text: string, offset: number): string {
  const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(text)]);
  return bytes.toString('base64').slice(Math.ceil((offset * 8) / 6), Math.floor((bytes.length * 8) / 6));
}

function maskText(text: string, { forms, anyForm }: Search): string {
  const masked = anyForm === null ? text : text.replace(anyForm, mark);
  const tail = forms.reduce((longest, form) => Math.max(longest, openTail(masked, form)), 0);
  return tail === 0 ? masked : `${masked.slice(0, -tail)}${mark}`;
}

/** How many characters at the end of a text are the beginning of a secret that was cut off. */
function openTail(text: string, form: string): number {
  for (let length = Math.min(form.length - 1, text.length); length >= shortestSecret; length--) {
    if (text.at(-length) === form[0] && text.endsWith(form.slice(0, length))) return length;
  }
  return 0;
}
