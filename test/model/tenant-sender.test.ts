import { describe, expect, test } from 'vitest';
import { effectiveSender } from '../../src/model/tenant-sender.ts';

describe('effectiveSender', () => {
  const sender = { name: 'Acme', address: 'orders@acme.example', replyTo: null };

  test.each([
    ['its domain is on the list', sender, ['other.example', 'acme.example'], 'orders@acme.example'],
    [
      'its domain is written in another way',
      { ...sender, address: 'o@BÜCHER.example' },
      ['xn--bcher-kva.example'],
      'o@BÜCHER.example',
    ],
    ['only the domain above it is', { ...sender, address: 'o@mail.acme.example' }, ['acme.example'], null],
    ['only a domain below it is', sender, ['mail.acme.example'], null],
    ['a domain that ends alike is', sender, ['me.example', 'example'], null],
    ['none is', sender, [], null],
    ['it has no address', { ...sender, address: null }, ['acme.example'], null],
  ])('when %s', (_what, given, domains, address) => {
    const effective = effectiveSender({ ...given, domains });
    expect(effective).toMatchObject({ name: 'Acme', address });
    expect(effective.refusedAddress).toBe(address === null ? given.address : null);
  });
});
