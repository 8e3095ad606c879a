import { domainToASCII } from 'node:url';

/** Why mails to an address are stopped. */
export const suppressionReasons = ['hard_bounce', 'complaint', 'host'] as const;
export type SuppressionReason = (typeof suppressionReasons)[number];

/** An address that a tenant's mails do not go to. */
export type Suppression = {
  /** As `addressKey` writes it. */
  readonly address: string;
  readonly reason: SuppressionReason;
  /** What the mail server said, or a note. */
  readonly detail: string | null;
  readonly createdAt: Date;
};

/**
 * An address as it is compared: in lower case, its domain in ASCII, so that no other way of writing it gets past a
 * suppression. (Mail servers that tell `Ada@` from `ada@` are a thing of the past.)
 */
export function addressKey(address: string): string {
  const at = address.lastIndexOf('@');
  const domain = address.slice(at + 1);
  return `${address.slice(0, at + 1)}${domainToASCII(domain) || domain}`.normalize('NFC').toLowerCase();
}
