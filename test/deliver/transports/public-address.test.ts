import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createRanges, isInRanges, isPublicAddress } from '../../../src/deliver/transports/public-address.ts';

const notPublic = [
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '10.255.255.255',
  '100.64.0.1',
  '100.100.100.200',
  '100.127.255.254',
  '127.0.0.1',
  '127.255.255.254',
  '168.63.129.16',
  '169.254.0.1',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.1',
  '192.0.0.192',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.0.1',
  '198.18.0.1',
  '198.19.255.255',
  '198.51.100.7',
  '203.0.113.9',
  '224.0.0.1',
  '239.255.255.255',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::ffff:127.0.0.1',
  '::ffff:8.8.8.8',
  '::ffff:7f00:1',
  '::7f00:1',
  '64:ff9b::7f00:1',
  '64:ff9b::8.8.8.8',
  '64:ff9b:1::1',
  '100::1',
  '2001::1',
  '2001:0:4136:e378::',
  '2001:10::1',
  '2001:20::1',
  '2001:db8::1',
  '2002:7f00:1::',
  '2002:a00:1::1',
  '2620:4f:8000::1',
  '3fff::1',
  '5f00::1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fe80::1%eth0',
  'fec0::1',
  'ff02::1',
  '2606:4700::1%lo',
];
const publicAddresses = [
  '1.1.1.1',
  '8.8.8.8',
  '9.255.255.255',
  '11.0.0.0',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.1',
  '169.253.255.255',
  '172.15.255.255',
  '172.32.0.0',
  '192.1.0.1',
  '192.169.0.1',
  '198.17.255.255',
  '198.20.0.1',
  '223.255.255.255',
  '2606:4700:4700::1111',
  '2a00:1450:4001::1',
  '2001:4860:4860::8888',
  '2620:4f:8001::1',
];

describe('isPublicAddress', () => {
  test.each(notPublic)('refuses %s', (address) => {
    expect(isPublicAddress(address)).toBe(false);
  });

  test.each(publicAddresses)('admits %s', (address) => {
    expect(isPublicAddress(address)).toBe(true);
  });

  test('refuses what is not an address', () => {
    for (const text of ['', 'localhost', '127.1', '0x7f.0.0.1', '1.2.3', '[::1]', '8.8.8.8 ', '08.8.8.8']) {
      expect(isPublicAddress(text)).toBe(false);
    }
  });

  test('refuses every IPv4 address written inside an IPv6 one', () => {
    fc.assert(
      fc.property(
        fc.ipV4(),
        (address) => !isPublicAddress(`::ffff:${address}`) && !isPublicAddress(`64:ff9b::${address}`),
      ),
    );
  });
});

describe('createRanges', () => {
  test('holds ranges and single addresses of both families', () => {
    const ranges = createRanges(['10.20.0.0/16', '192.168.1.7', 'fd00::/8']);
    expect(['10.20.255.1', '192.168.1.7', 'fd12::1'].every((address) => isInRanges(ranges, address))).toBe(true);
    expect(['10.21.0.1', '192.168.1.8', 'fe80::1', 'no address'].some((address) => isInRanges(ranges, address))).toBe(
      false,
    );
  });

  test.each(['10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', 'example.com', '10.0.0/8', 'fd00::/129', ''])(
    'refuses %j',
    (range) => {
      expect(() => createRanges([range])).toThrow(/is not an address range/);
    },
  );
});
