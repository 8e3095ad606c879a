import { domainToASCII } from 'node:url';

const longestAddressBytes = 254;
const longestLocalBytes = 64;
const longestDomain = 253;

/** Dot-atom of RFC 5322 with the letters RFC 6531 adds; quoted local parts are refused, though the RFC knows them. */
const localPart = /^[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+(?:\.[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+)*$/u;
const domainText = /^[\p{L}\p{M}\p{N}.-]+$/u;
const domainLabel = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * Says whether a text is one mail address that can be handed to a mail server: nothing in it that a parser of headers
 * could read as a second address, a group, a name, a comment or a line break, and within the lengths of RFC 5321.
 * Narrower than the RFCs: no quoted local part and no address literal.
 */
export function isMailAddress(text: string): boolean {
  if (Buffer.byteLength(text) > longestAddressBytes) return false;
  const [local = '', domain = '', ...rest] = text.split('@');
  if (rest.length > 0 || Buffer.byteLength(local) > longestLocalBytes) return false;
  return localPart.test(local) && isDomain(domain);
}

function isDomain(domain: string): boolean {
  // A domain that another normalisation would change could be sent to another one than was checked.
  if (!domainText.test(domain) || domain.normalize('NFKC') !== domain) return false;
  const ascii = domainToASCII(domain);
  const labels = ascii.split('.');
  const top = labels.at(-1) ?? '';
  return ascii.length <= longestDomain && labels.every((label) => domainLabel.test(label)) && /\D/.test(top);
}

/**
 * A display name that cannot pass for something else: one line, no `@`, no characters that are invisible or turn the
 * direction of writing, no encoded word (RFC 2047) that a reader would decode into these, 100 characters at most. Null when
 * nothing is left.
 */
export function plainDisplayName(name: string | null): string | null {
  const plain = (name ?? '')
    .toWellFormed()
    .replace(/\p{Cf}/gu, '')
    .replace(/[\p{Cc}\p{Zl}\p{Zp}@＠﹫<>]+/gu, ' ')
    .replaceAll('=?', '= ?')
    .replace(/\s+/g, ' ')
    .trim();
  return plain === '' ? null : [...plain].slice(0, 100).join('').trim();
}
