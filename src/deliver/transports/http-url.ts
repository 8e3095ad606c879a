import { isIP } from 'node:net';
import { err, ok, type Result } from '../../model/result.ts';

const longestUrl = 2_048;

/**
 * Reads the URL of an outgoing request the way it will be used. WHATWG parsing writes every odd notation of an address
 * (decimal, octal, hexadecimal, full width) in the usual one, so what is checked afterwards is what is dialled.
 *
 * @returns the URL without its fragment, or what is wrong with it as a phrase (`must begin with https:// or http://`)
 */
export function parseHttpUrl(text: string): Result<URL, string> {
  if (text.length > longestUrl) return err(`is longer than ${longestUrl} characters`);
  // A URL parser drops tabs and line breaks and reads a backslash as a slash: two readers would see two hosts.
  if (/[\p{Cc}\s\\]/u.test(text)) return err('has blanks, control characters or backslashes');
  if (!/^https?:\/\/[^/]/i.test(text)) return err('must begin with https:// or http:// and a host');
  if (!URL.canParse(text)) return err('is not a URL');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return err('must not carry a user name or password');
  url.hash = '';
  return ok(url);
}

/** A host as an operator or tenant writes it, a name or an address, as `plainHost` compares it; null when it is none. */
export function readHost(text: string): string | null {
  const plain = text.replace(/^\[|\]$/g, '');
  const url = isIP(plain) === 6 ? `http://[${plain}]` : `http://${plain}`;
  if (!(isIP(plain) === 6 || /^[^/?#@:\\\s]+$/.test(plain)) || !URL.canParse(url)) return null;
  return plainHost(new URL(url).hostname);
}

/** The host of a URL as it is compared: lower case, no brackets around IPv6, no final dot. */
export function plainHost(hostname: string): string {
  return hostname.toLowerCase().replace(/^\[|\]$|\.$/g, '');
}
