import { createPrivateKey, type KeyObject } from 'node:crypto';
import { senderDomain } from '../../model/tenant-sender.ts';
import { isMailAddress } from './mail-address.ts';

/** A key that signs mails of one domain (RFC 6376). */
export type DkimKey = {
  /** Domain whose DNS has the public key, at `<keySelector>._domainkey.<domainName>`. */
  readonly domainName: string;
  readonly keySelector: string;
  /** RSA private key, PEM. */
  readonly privateKey: string;
};

export type DkimOptions = DkimKey & {
  /** Keys of further domains, of which tenants send. */
  readonly domains?: readonly DkimKey[] | undefined;
};

/** What nodemailer signs one mail with. */
export type DkimSignature = DkimKey & { readonly headerFieldNames: string };

/** RFC 8301, section 3.2: verifiers must refuse shorter ones. */
const leastKeyBits = 1024;
const selector = /^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?)*$/i;

/** What a signature covers: who, what, and (RFC 8058, section 4) both headers for opting out. */
const headerFieldNames = [
  'from',
  'to',
  'reply-to',
  'subject',
  'date',
  'message-id',
  'mime-version',
  'content-type',
  'content-transfer-encoding',
  'auto-submitted',
  'list-unsubscribe',
  'list-unsubscribe-post',
].join(':');

/**
 * Answers which key signs a mail from an address: that of its domain, else that of the nearest domain above it, else the
 * deployment's own.
 *
 * @throws Error that names the option that cannot be used, never a key
 */
export function readDkim(options: DkimOptions): (fromAddress: string) => DkimSignature {
  const { domains = [], ...own } = options;
  const keys = new Map<string, DkimSignature>();
  for (const [index, key] of domains.entries()) {
    const signature = readKey(key, `smtp.dkim.domains[${index}]`);
    if (keys.has(signature.domainName)) {
      throw new Error(`smtp.dkim.domains[${index}].domainName "${key.domainName}" stands there twice: keep one key`);
    }
    keys.set(signature.domainName, signature);
  }
  const fallback = readKey(own, 'smtp.dkim');
  return (fromAddress) => {
    const labels = senderDomain(fromAddress).split('.');
    const above = labels.map((_label, index) => labels.slice(index).join('.'));
    const domain = above.find((name) => keys.has(name) || name === fallback.domainName);
    return (domain === undefined ? undefined : keys.get(domain)) ?? fallback;
  };
}

function readKey(key: DkimKey, option: string): DkimSignature {
  const domainName = senderDomain(key.domainName);
  if (!isMailAddress(`postmaster@${key.domainName}`)) {
    throw new Error(`${option}.domainName "${key.domainName}" is not a domain: write it as example.com`);
  }
  if (!selector.test(key.keySelector)) {
    throw new Error(`${option}.keySelector "${key.keySelector}" is not a selector: letters, digits and "-", as in DNS`);
  }
  const parsed = parseKey(key.privateKey, option);
  const bits = parsed.asymmetricKeyDetails?.modulusLength ?? 0;
  if (parsed.asymmetricKeyType !== 'rsa' || bits < leastKeyBits) {
    throw new Error(`${option}.privateKey is not an RSA key of ${leastKeyBits} bits or more: 2048 are usual`);
  }
  const privateKey = parsed.export({ type: 'pkcs8', format: 'pem' }).toString();
  return { domainName, keySelector: key.keySelector, privateKey, headerFieldNames };
}

function parseKey(pem: string, option: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // The cause could show the key.
    throw new Error(`${option}.privateKey is not a private key as PEM: make one with openssl genrsa 2048`);
  }
}
