/**
 * The text without HTML tags and comments, blanks squeezed; in linear time, also for text full of unclosed `<!--`.
 * For plain-text parts only: what comes out is text, never markup that could be trusted.
 */
export function stripTags(text: string, keepLines: boolean): string {
  const bare = withoutTags(text).trim();
  if (!keepLines) return bare.replace(/\s+/g, ' ');
  return bare
    .split(/\r\n|\n/)
    .map((line) => line.trim().replace(/ +/g, ' '))
    .join('\n')
    .replace(/\n{3,}/g, '\n\n');
}

function withoutTags(text: string): string {
  let result = '';
  let from = 0;
  const lastComment = text.lastIndexOf('-->');
  const lastTag = text.lastIndexOf('>');
  for (let open = text.indexOf('<'); open >= 0; open = text.indexOf('<', open + 1)) {
    if (open < from) continue;
    const end = endOfTag(text, open, { lastComment, lastTag });
    if (end < 0) continue;
    result += text.slice(from, open);
    from = end;
  }
  return result + text.slice(from);
}

/** Where the tag or comment that opens here ends; -1 if none does. Knows the last possible end, so it never searches in vain. */
function endOfTag(text: string, open: number, last: { lastComment: number; lastTag: number }): number {
  if (text.startsWith('<!--', open)) {
    return last.lastComment >= open + 4 ? text.indexOf('-->', open + 4) + 3 : -1;
  }
  const name = text.charAt(open + 1) === '/' ? text.charAt(open + 2) : text.charAt(open + 1);
  return /[A-Za-z]/.test(name) && last.lastTag > open ? text.indexOf('>', open) + 1 : -1;
}
