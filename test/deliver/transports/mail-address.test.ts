import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isMailAddress, plainDisplayName } from '../../../src/deliver/transports/mail-address.ts';

describe('isMailAddress', () => {
  test.each([
    'ada@example.com',
    'ada.lovelace+tag@mail.example.co.uk',
    "o'brien@example.com",
    'a@b.io',
    'root@localhost',
    'x_y-z%1@sub-domain.example',
    'jürgen@example.com',
    'ada@bücher.example',
    '用户@例子.广告',
    `${'a'.repeat(64)}@example.com`,
  ])('takes %s', (address) => {
    expect(isMailAddress(address)).toBe(true);
  });

  test.each([
    '',
    ' ',
    '@',
    'ada',
    'ada@',
    '@example.com',
    'ada@@example.com',
    'ada@evil.com@example.com',
    'ada example@example.com',
    'ada@exam ple.com',
    ' ada@example.com',
    'ada@example.com ',
    'ada@example.com\n',
    'ada@example.com\r\nBcc: evil@example.com',
    'ada\r\n@example.com',
    'ada\0@example.com',
    'ada@example.com\0',
    'ada@example.com,evil@example.com',
    'ada@example.com, evil@example.com',
    'ada@example.com;evil@example.com',
    'Team: ada@example.com, evil@example.com;',
    'group:ada@example.com;',
    'Ada <ada@example.com>',
    '<ada@example.com>',
    'ada@example.com>',
    '"ada"@example.com',
    '"a@b"@example.com',
    '"ada, evil@x"@example.com',
    'ada(comment)@example.com',
    'ada@example.com(comment)',
    'ada@[127.0.0.1]',
    'ada@[IPv6:::1]',
    '.ada@example.com',
    'ada.@example.com',
    'a..da@example.com',
    'ada@.example.com',
    'ada@example.com.',
    'ada@example..com',
    'ada@-example.com',
    'ada@example-.com',
    'ada@exam_ple.com',
    'ada@example.123',
    'ada@1.2.3.4',
    'ada\\@example.com',
    'ada@example.com\\',
    'ada`@exa`mple.com',
    'ada\u202e@example.com',
    'ada\u200b@example.com',
    'ada@exa\u200bmple.com',
    'ada@ｅxample.com',
    'ada@example。com',
    'ada@exam\u00adple.com',
    'ada＠example.com',
    'a\ud800@example.com',
    `${'a'.repeat(65)}@example.com`,
    `ada@${'a'.repeat(64)}.com`,
    `ada@${'a.'.repeat(126)}com`,
    `${'ü'.repeat(33)}@example.com`,
    'mailto:ada@example.com',
    'ada@example.com?subject=x',
    'ada%0a@exam%0aple.com',
    '=?utf-8?q?ada?=@example.com,x@y',
  ])('refuses %j', (address) => {
    expect(isMailAddress(address)).toBe(false);
  });

  test('takes nothing that holds a character by which a parser of headers would split it', () => {
    const splitting = fc.constantFrom(
      '@',
      ',',
      ';',
      ':',
      '<',
      '>',
      '(',
      ')',
      '"',
      '\\',
      '[',
      ']',
      ' ',
      '\t',
      '\r',
      '\n',
      '\0',
    );
    fc.assert(
      fc.property(fc.emailAddress(), splitting, fc.nat(), (address, sign, place) => {
        const at = place % (address.length + 1);
        return !isMailAddress(`${address.slice(0, at)}${sign}${address.slice(at)}`);
      }),
    );
  });
});

describe('plainDisplayName', () => {
  test.each([
    ['Ada Lovelace', 'Ada Lovelace'],
    ['  Ada\r\nBcc: evil@example.com ', 'Ada Bcc: evil example.com'],
    ['support@bank.example', 'support bank.example'],
    ['Bank\u202egro.elpmaxe', 'Bankgro.elpmaxe'],
    ['B\u200ba\u200dn\ufeffk', 'Bank'],
    ['Ada <evil@example.com>', 'Ada evil example.com'],
    ['boss＠bank.example ﹫', 'boss bank.example'],
    ['=?utf-8?q?boss=40bank.example?=', '= ?utf-8?q?boss=40bank.example?='],
    ['=\u200b?utf-8?q?boss=40bank.example?=', '= ?utf-8?q?boss=40bank.example?='],
    ['x'.repeat(300), 'x'.repeat(100)],
  ])('makes %j plain', (name, plain) => {
    expect(plainDisplayName(name)).toBe(plain);
  });

  test.each([null, '', '  ', '\u200b', '@'])('gives null when nothing is left of %j', (name) => {
    expect(plainDisplayName(name)).toBeNull();
  });
});
