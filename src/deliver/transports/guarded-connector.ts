/**
 * The only door to the network for tenants' URLs (SSRF). A name is resolved once, every address it has is checked, and
 * the connection goes to one of those addresses: there is no second look-up that could answer differently. The lookup
 * hook of `net.connect` is not called for addresses written as such, so they are checked before; the address at the other
 * end is checked again after connecting.
 */
import { Resolver, lookup as systemLookup } from 'node:dns/promises';
import { isIP, type LookupFunction } from 'node:net';
import { getCACertificates } from 'node:tls';
import { buildConnector } from 'undici';
import type { HttpPolicy } from './http-policy.ts';

/** All addresses of a name; rejects when it has none. */
export type Lookup = (hostname: string) => Promise<readonly string[]>;

/** A connection was refused by the policy: the host is, or stands for, an address that may not be called. */
export class AddressNotAllowed extends Error {
  override readonly name = 'AddressNotAllowed';

  constructor() {
    super('the host does not stand for public addresses only');
  }
}

export type GuardedConnectorOptions = {
  readonly policy: HttpPolicy;
  /** Milliseconds for look-up, connection and TLS handshake together. */
  readonly connectTimeoutMs: number;
  /** Instead of DNS, for tests. */
  readonly lookup?: Lookup | undefined;
  /** PEM certificates to trust beside the usual ones. */
  readonly ca?: string | undefined;
};

/** An undici connector that only opens connections the policy admits; HTTP/1.1 only. */
export function createGuardedConnector(options: GuardedConnectorOptions): buildConnector.connector {
  const { policy } = options;
  const resolve =
    options.lookup ?? ((hostname) => (policy.isListed(hostname) ? lookUpAsHost(hostname) : lookUpInDns(hostname)));
  const connect = buildConnector({
    allowH2: false,
    timeout: options.connectTimeoutMs,
    lookup: guardLookup(policy, resolve),
    // The default of 250 ms gives up on far hosts before they can answer.
    autoSelectFamilyAttemptTimeout: 2_000,
    ...(options.ca === undefined ? {} : { ca: [...getCACertificates(), options.ca] }),
  });
  return (target, callback) => {
    const { hostname } = target;
    if (isIP(hostname) !== 0 && !policy.admits(hostname, hostname)) {
      callback(new AddressNotAllowed(), null);
      return;
    }
    connect(target, (error, socket) => {
      if (error !== null) {
        callback(error, null);
        return;
      }
      // Undefined when the other side has closed already: then nothing will be sent.
      const peer = socket.remoteAddress;
      if (peer === undefined || policy.admits(hostname, peer)) {
        callback(null, socket);
      } else {
        socket.destroy();
        callback(new AddressNotAllowed(), null);
      }
    });
  };
}

function guardLookup(policy: HttpPolicy, resolve: Lookup): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname).then(
      (addresses) => {
        const first = addresses[0];
        if (first === undefined || !addresses.every((address) => isIP(address) && policy.admits(hostname, address))) {
          callback(new AddressNotAllowed(), '');
        } else if (options.all === true) {
          callback(
            null,
            addresses.map((address) => ({ address, family: isIP(address) })),
          );
        } else {
          callback(null, first, isIP(first));
        }
      },
      (error: Error) => callback(error, ''),
    );
  };
}

/** As other programs of this machine see the name: /etc/hosts and search domains included. */
async function lookUpAsHost(hostname: string): Promise<readonly string[]> {
  return (await systemLookup(hostname, { all: true })).map(({ address }) => address);
}

/**
 * By DNS alone, outside the four threads that `dns.lookup` shares with files and cryptography, so that names that tenants
 * make slow hold up nobody. A resolver per look-up sees changes of the machine's name servers.
 */
async function lookUpInDns(hostname: string): Promise<readonly string[]> {
  const resolver = new Resolver({ timeout: 2_000, tries: 2 });
  const answers = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)]);
  const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  const failed = answers.find((answer) => answer.status === 'rejected');
  if (addresses.length === 0 && failed) throw failed.reason;
  return addresses;
}
