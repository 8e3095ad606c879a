const shortestSecret = 4;
const mark = '[redacted]';

/**
 * Makes a function that puts `[redacted]` in the place of each secret in a text: as it is, as it stands in a header, JSON
 * text, HTML, URL, hexadecimal or Base64, alone or inside more of it; and of a tail that is the beginning of one, since
 * texts are cut. The look-up is built with the first text that is long enough to hold a secret.
 *
 * @param secrets clear texts; those shorter than 4 characters are left alone
 */
export function createMask(secrets: readonly string[]): (text: string) => string {
  const hidden = secrets.flatMap(spellings);
  const shortest = Math.min(...hidden.map((secret) => secret.length));
  let search: Search | undefined;
  return (text) => {
    if (text.length < shortest) return text;
    search ??= createSearch(hidden);
    return maskText(text, search);
  };
}

/** The texts to look for, and one expression that finds any of them. */
type Search = { readonly forms: readonly string[]; readonly anyForm: RegExp };

function createSearch(hidden: readonly string[]): Search {
  const forms = [...new Set(hidden.flatMap(encodings))].sort((a, b) => b.length - a.length);
  const escaped = forms.map((form) => form.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  return { forms, anyForm: new RegExp(escaped.join('|'), 'giu') };
}

/** A secret as a header writes it (one line, trimmed), and each of several that stand in one value. */
function spellings(secret: string): string[] {
  const text = secret.toWellFormed();
  return [text, text.replace(/\p{Cc}+/gu, ' ').trim(), ...text.split(/\s+/)].filter(
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
  const masked = text.replace(anyForm, mark);
  const tail = Math.max(...forms.map((form) => openTail(masked, form)));
  return tail === 0 ? masked : `${masked.slice(0, -tail)}${mark}`;
}

/** How many characters at the end of a text are the beginning of a secret that was cut off. */
function openTail(text: string, form: string): number {
  for (let length = Math.min(form.length - 1, text.length); length >= shortestSecret; length--) {
    if (text.at(-length) === form[0] && text.endsWith(form.slice(0, length))) return length;
  }
  return 0;
}
