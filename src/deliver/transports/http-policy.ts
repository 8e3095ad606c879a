import { isIP } from 'node:net';
import { err, ok, type Result } from '../../model/result.ts';
import { parseHttpUrl, plainHost, readHost } from './http-url.ts';
import { createRanges, isInRanges, isPublicAddress } from './public-address.ts';

/** What the operator lets tenants call beside the public internet. */
export type HttpAllowList = {
  /** Exact host names or addresses; reachable at any address and port. */
  readonly hosts?: readonly string[];
  /** Address ranges such as `10.20.0.0/16`, on the usual ports. */
  readonly cidrs?: readonly string[];
};

/** Decides where requests may go: once by URL, once more by the addresses the name stands for. */
export type HttpPolicy = {
  /** The URL to call; or why it may not be called, as a phrase. */
  readonly check: (url: string) => Result<URL, string>;
  /** Whether the operator named this host. */
  readonly isListed: (hostname: string) => boolean;
  /** Whether a connection for this host may be opened to this address. */
  readonly admits: (hostname: string, address: string) => boolean;
};

/**
 * The rules of `HttpAllowList`: public addresses on the given ports for everyone, the listed hosts and ranges beside.
 *
 * @throws Error that names a host or range that cannot be read
 */
export function createHttpPolicy(allow: HttpAllowList, ports: readonly number[]): HttpPolicy {
  const hosts = new Set((allow.hosts ?? []).map(allowedHost));
  const ranges = createRanges(allow.cidrs ?? []);

  const isListed = (hostname: string): boolean => hosts.has(plainHost(hostname));

  const admits = (hostname: string, address: string): boolean =>
    isListed(hostname) || isPublicAddress(address) || isInRanges(ranges, address);

  function decide(text: string): Result<URL, string> {
    const parsed = parseHttpUrl(text);
    if (!parsed.ok) return parsed;
    const url = parsed.value;
    const host = plainHost(url.hostname);
    if (hosts.has(host)) return ok(url);
    const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
    if (!ports.includes(port)) return err(`port ${port} is not one of ${ports.join(', ')}`);
    if (isIP(host) !== 0) return admits(host, host) ? ok(url) : err('the address is not a public one');
    return host.includes('.') ? ok(url) : err('the host has no dot, so it is not a public name');
  }

  // Most requests go where the one before went.
  let last = { text: '', decision: decide('') };

  function check(text: string): Result<URL, string> {
    if (text !== last.text) last = { text, decision: decide(text) };
    return last.decision;
  }

  return { check, isListed, admits };
}

function allowedHost(text: string): string {
  const host = readHost(text);
  if (host === null) throw new Error(`"${text}" is not a host: write a name or an address, without scheme and port`);
  return host;
}
