import { BlockList, isIP } from 'node:net';

/**
 * IPv4 ranges that are not the public internet: the IANA special-purpose registry (RFC 6890 and later), multicast,
 * reserved, and 168.63.129.16, which Azure answers to every virtual machine with its host agent.
 */
const specialIPv4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '168.63.129.16/32',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
];

/** All that is given out for the public IPv6 internet; everything outside (loopback, mapped, NAT64, ULA, ...) is not it. */
const globalIPv6 = '2000::/3';

/** Inside the global range: protocol assignments with Teredo and ORCHID, documentation, 6to4, AS112. */
const specialIPv6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20', '2620:4f:8000::/48'];

const blockedIPv4 = createRanges(specialIPv4);
const allowedIPv6 = createRanges([globalIPv6]);
const blockedIPv6 = createRanges(specialIPv6);

/**
 * Says whether an address (as text, without brackets) belongs to the public internet. Addresses that carry another one
 * (IPv4-mapped, NAT64, 6to4) or a zone are not public, whatever they carry.
 */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !blockedIPv4.check(address, 'ipv4');
    case 6:
      return !address.includes('%') && allowedIPv6.check(address, 'ipv6') && !blockedIPv6.check(address, 'ipv6');
    default:
      return false;
  }
}

/**
 * A list of address ranges in CIDR notation (`10.0.0.0/8`, `fd00::/8`; an address alone is a range of one).
 *
 * @throws Error that names the range that cannot be read
 */
export function createRanges(cidrs: readonly string[]): BlockList {
  const ranges = new BlockList();
  for (const cidr of cidrs) {
    const [address = '', prefixText, ...rest] = cidr.split('/');
    const family = isIP(address);
    const longest = family === 4 ? 32 : 128;
    const prefix = prefixText === undefined ? longest : /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : Number.NaN;
    if (family === 0 || rest.length > 0 || !(prefix <= longest)) {
      throw new Error(`"${cidr}" is not an address range: write it as 10.0.0.0/8 or fd00::/8`);
    }
    ranges.addSubnet(address, prefix, family === 4 ? 'ipv4' : 'ipv6');
  }
  return ranges;
}

/** Says whether an address as text lies in one of the ranges. */
export function isInRanges(ranges: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && ranges.check(address, family === 4 ? 'ipv4' : 'ipv6');
}
