const safeSchemes: ReadonlySet<string> = new Set(['http', 'https', 'mailto', 'tel']);

/**
 * A link target from event data: unchanged if its scheme is http, https, mailto or tel or if it has none, else `#`.
 * Browsers drop control characters and line breaks inside a scheme, so they are dropped before judging.
 */
export function safeLink(url: string): string {
  const scheme = /^([^:/?#]*):/.exec(url.replace(/[\0-\x20\x7f-\x9f]/g, ''))?.[1];
  return scheme === undefined || safeSchemes.has(scheme.toLowerCase()) ? url : '#';
}
