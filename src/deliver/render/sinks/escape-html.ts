const special = /[&"'<>\\]/g;

/** Makes text harmless in HTML text and in quoted attributes; the same six characters as nunjucks. */
export function escapeHtml(text: string): string {
  return needsEscape(text) ? text.replace(special, entityOf) : text;
}

function needsEscape(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit === 38 || unit === 60 || unit === 62 || unit === 34 || unit === 39 || unit === 92) return true;
  }
  return false;
}

function entityOf(character: string): string {
  switch (character) {
    case '&':
      return '&amp;';
    case '<':
      return '&lt;';
    case '>':
      return '&gt;';
    case '"':
      return '&quot;';
    case "'":
      return '&#39;';
    default:
      return '&#92;';
  }
}
