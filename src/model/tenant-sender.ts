import { domainToASCII } from 'node:url';

/** Who a tenant's mails are from. What is null is the deployment's. */
export type TenantSender = {
  readonly name: string | null;
  readonly address: string | null;
  readonly replyTo: string | null;
};

/** A tenant's sender, and the domains the operator lets it send from. */
export type SenderSettings = TenantSender & {
  /** In ASCII and lower case. A domain does not stand for its subdomains. */
  readonly domains: readonly string[];
};

/** The domain of an address as the list of allowed domains writes it. */
export function senderDomain(address: string): string {
  return domainToASCII(address.slice(address.lastIndexOf('@') + 1)).toLowerCase();
}

/**
 * The sender as it may be used now. A domain that the operator took off the list since takes the address with it: the mail
 * then goes out under the deployment's, and `refusedAddress` is the one that was not used.
 */
export function effectiveSender(settings: SenderSettings): TenantSender & { readonly refusedAddress: string | null } {
  const { name, address, replyTo, domains } = settings;
  const isAllowed = address === null || domains.includes(senderDomain(address));
  return { name, address: isAllowed ? address : null, replyTo, refusedAddress: isAllowed ? null : address };
}
