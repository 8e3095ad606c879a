import type { Issue } from '../../errors.ts';

const mostHeaders = 30;
const longestValue = 4_096;

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$/;

/** What undici writes: visible ASCII, blanks, and Latin-1. */
const writable = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Headers that belong to the connection, to proxies, to cookies or to our signature. */
const ours =
  /^(?:host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|expect|content-length|forwarded|via|cookie|set-cookie|x-real-ip|x-forwarded-.*|webhook-.*|tocsin-.*|proxy-.*|sec-.*)$/i;

/** What is wrong with the headers a tenant wrote; values are templates and are looked at when rendered. */
export function checkHeaderNames(headers: Readonly<Record<string, string>>, path: string): Issue[] {
  const names = Object.keys(headers);
  const issues: Issue[] = [];
  if (names.length > mostHeaders) issues.push({ path, message: `at most ${mostHeaders} headers` });
  const seen = new Set<string>();
  for (const name of names) {
    const at = `${path}.${name}`;
    if (!token.test(name)) issues.push({ path: at, message: 'this is not a name of an HTTP header' });
    else if (ours.test(name))
      issues.push({ path: at, message: `the header "${name}" is set by Tocsin or the connection: leave it out` });
    else if (seen.has(name.toLowerCase())) issues.push({ path: at, message: `the header "${name}" is written twice` });
    seen.add(name.toLowerCase());
  }
  return issues;
}

/** Why a rendered value cannot be sent, or null. */
export function headerValueProblem(value: string): string | null {
  if (value.length > longestValue) return `longer than ${longestValue} characters`;
  return writable.test(value) ? null : 'holds characters that HTTP headers cannot carry: use the urlencode filter';
}
