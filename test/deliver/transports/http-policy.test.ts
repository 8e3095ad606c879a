import { describe, expect, test } from 'vitest';
import { createHttpPolicy } from '../../../src/deliver/transports/http-policy.ts';

const policy = createHttpPolicy({}, [80, 443]);

describe('createHttpPolicy', () => {
  const refused: readonly string[] = [
    // Loopback and private addresses in every notation.
    'http://127.0.0.1/',
    'http://127.1/',
    'http://127.0.1/',
    'http://2130706433/',
    'http://0x7f000001/',
    'http://0x7f.1/',
    'http://0177.0.0.1/',
    'http://017700000001/',
    'http://0/',
    'http://0.0.0.0/',
    'http://127.0.0.1./',
    'http://①②⑦.⓪.⓪.①/',
    'http://１２７.０.０.１/',
    'http://127。0。0。1/',
    'http://%31%32%37.0.0.1/',
    'http://10.0.0.1/',
    'http://192.168.1.1/',
    'http://172.16.5.4/',
    'http://169.254.169.254/latest/meta-data/',
    'http://0xa9fea9fe/',
    'http://2852039166/',
    'http://[::1]/',
    'http://[0:0:0:0:0:0:0:1]/',
    'http://[::]/',
    'http://[::ffff:127.0.0.1]/',
    'http://[::ffff:7f00:1]/',
    'http://[::127.0.0.1]/',
    'http://[64:ff9b::7f00:1]/',
    'http://[2002:7f00:1::]/',
    'http://[fd00:ec2::254]/',
    'http://[fe80::1]/',
    'http://[2001:db8::1]/',
    'http://100.100.100.200/',
    'http://168.63.129.16/',
    // Names that are not public ones.
    'http://localhost/',
    'http://LOCALHOST/',
    'http://localhost./',
    'http://intranet/',
    'http://metadata/',
    // Other schemes and tricks.
    'ftp://example.com/',
    'file:///etc/passwd',
    'data:text/plain,hi',
    'javascript:alert(1)',
    'gopher://example.com/',
    '//example.com/',
    'example.com',
    '',
    'http://',
    'http:///example.com',
    'https:example.com',
    'http:/example.com',
    'http://user@example.com/',
    'http://user:pass@example.com/',
    'http://example.com@127.0.0.1/',
    'http://:@example.com@x/',
    'http://example.com\\@127.0.0.1/',
    'http:\\\\example.com/',
    'http://exa\tmple.com/',
    'http://example.com/\r\nHost: x',
    'http://example.com/\0',
    ' http://example.com/',
    'http://example.com /',
    'http://exa mple.com/',
    'http://example.com:99999/',
    `http://example.com/${'x'.repeat(2_048)}`,
    // Ports nobody serves webhooks on.
    'http://example.com:22/',
    'https://example.com:5432/',
    'http://example.com:8080/',
    'http://example.com:0/',
  ];
  test.each(refused)('refuses %j', (url) => {
    expect(policy.check(url).ok).toBe(false);
  });

  test.each([
    ['https://example.com/hook?a=1#part', 'https://example.com/hook?a=1'],
    ['http://Example.COM', 'http://example.com/'],
    ['https://example.com:443/x', 'https://example.com/x'],
    ['http://example.com:443/x', 'http://example.com:443/x'],
    ['https://bücher.example/ü', 'https://xn--bcher-kva.example/%C3%BC'],
    ['https://8.8.8.8/', 'https://8.8.8.8/'],
    ['https://[2606:4700:4700::1111]/', 'https://[2606:4700:4700::1111]/'],
    ['https://example.com./', 'https://example.com./'],
  ])('admits %j', (url, href) => {
    expect(policy.check(url)).toMatchObject({ ok: true, value: { href } });
  });

  test('says what is wrong', () => {
    expect(policy.check('http://10.0.0.1/')).toMatchObject({ error: 'the address is not a public one' });
    expect(policy.check('https://example.com:8443/')).toMatchObject({ error: 'port 8443 is not one of 80, 443' });
  });

  test('admits what the operator listed, and nothing near it', () => {
    const listed = createHttpPolicy(
      { hosts: ['Hooks.Internal', '127.0.0.1', '::1', 'bücher.local'], cidrs: ['10.1.0.0/16'] },
      [443],
    );
    for (const url of [
      'http://hooks.internal:9000/',
      'http://127.1:3000/',
      'http://[::1]:3000/',
      'https://xn--bcher-kva.local/',
    ]) {
      expect(listed.check(url).ok, url).toBe(true);
    }
    expect(listed.check('https://10.1.2.3/').ok).toBe(true);
    for (const url of [
      'http://evil.hooks.internal:9000/',
      'http://127.0.0.2/',
      'https://10.1.2.3:8443/',
      'https://10.2.0.1/',
    ]) {
      expect(listed.check(url).ok, url).toBe(false);
    }
    expect(listed.admits('hooks.internal', '10.9.9.9')).toBe(true);
    expect(listed.admits('example.com', '10.1.9.9')).toBe(true);
    expect(listed.admits('example.com', '10.9.9.9')).toBe(false);
  });

  test.each(['https://example.com', 'example.com:80', 'a b', '', 'user@host', '10.0.0.0/8'])(
    'throws for the host %j',
    (host) => {
      expect(() => createHttpPolicy({ hosts: [host] }, [443])).toThrow(/is not a host/);
    },
  );
});
