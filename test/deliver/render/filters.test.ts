import { describe, expect, test } from 'vitest';
import { filters } from '../../../src/deliver/render/filters/index.ts';
import { stripTags } from '../../../src/deliver/render/filters/strip-tags.ts';
import { exactNumber } from '../../../src/model/decimal.ts';
import { compiled, rendered } from './compile.ts';

const people = [
  { name: 'bo', age: 30, city: { name: 'Ulm' }, on: true },
  { name: 'Al', age: 4, city: { name: 'Bonn' }, on: false },
];
const context = {
  people,
  words: ['b', 'A', 'c'],
  prices: { b: 2, a: 1 },
  text: 'hello big world',
  html: '<p>Hi <b>you</b></p>',
};

describe('textFilters', () => {
  test.each([
    [
      '{{ "aB cD" | upper }}|{{ "aB cD" | lower }}|{{ "aB cD" | capitalize }}|{{ "aB cD" | title }}',
      'AB CD|ab cd|Ab cd|Ab Cd',
    ],
    ['[{{ "  a " | trim }}][{{ "ab" | center(6) }}]', '[a][  ab  ]'],
    [
      '{{ "abcabc" | replace("b", "x") }}|{{ "aaa" | replace("a", "b", 2) }}|{{ "ab" | replace("", "-") }}',
      'axcaxc|bba|-a-b-',
    ],
    [
      '{{ text | truncate(7) }}|{{ text | truncate(7, true) }}|{{ text | truncate(7, true, "") }}|{{ text | truncate(99) }}',
      'hello...|hello b...|hello b|hello big world',
    ],
    ['{{ "a\nb" | indent(2) }}|{{ "a\nb" | indent(2, true) }}', 'a\n  b|  a\n  b'],
    ['{{ html | striptags }}|{{ "Grüße, zwei Worte!" | wordcount }}', 'Hi you|3'],
    [
      '{{ "a b&ä/" | urlencode }}|{{ "<a>" | escape }}|{{ "<a>" | e }}|{{ 5 | string | length }}',
      'a%20b%26%C3%A4%2F|&lt;a&gt;|&lt;a&gt;|1',
    ],
    ['{{ none | upper }}{{ missing | title }}{{ missing | replace("a", "b") }}', ''],
    ['{{ 12 | upper }}{{ words | lower }}', '12b,a,c'],
  ])('%s renders %j', (source, expected) => {
    expect(rendered(source, context)).toBe(expected);
  });

  test('truncate cuts no character in two', () => {
    const source = '{{ x | truncate(n, true, "") }}|{{ x | truncate(n, false, "…") }}';
    expect(rendered(source, { x: 'a\u{1F600}b', n: 2 })).toBe('a|a…');
    expect(rendered(source, { x: 'a\u{1F600}b', n: 3 })).toBe('a\u{1F600}|a\u{1F600}…');
    expect(rendered(source, { x: '\u{1F600}b', n: 1 })).toBe('|…');
  });

  test('urlencode takes lone surrogates', () => {
    expect(rendered('{{ x | urlencode }}', { x: '\ud800' })).toBe('%EF%BF%BD');
  });
});

describe('listFilters', () => {
  test.each([
    ['{{ words | first }}{{ words | last }}{{ "xyz" | first }}{{ [] | first }}{{ prices | first }}', 'bcx'],
    ['{{ words | length }}{{ prices | length }}{{ text | length }}{{ 5 | length }}', '32150'],
    [
      '{{ words | join("-") }}|{{ people | join(", ", "name") }}|{{ people | join(attribute="city.name") }}',
      'b-A-c|bo, Al|UlmBonn',
    ],
    [
      '{{ words | sort }}|{{ words | sort(case_sensitive=true) }}|{{ words | sort(reverse=true) }}',
      'A,b,c|A,b,c|c,b,A',
    ],
    [
      '{{ [10, 9, "b", "a", none] | sort }}|{{ people | sort(attribute="age") | join(" ", "name") }}',
      '9,10,a,b,|Al bo',
    ],
    ['{{ prices | dictsort }}|{{ prices | dictsort(by="value") | first }}', 'a,1,b,2|a,1'],
    ['{{ words | reverse }}|{{ "añ😀" | reverse }}|{{ "ab" | list | join(".") }}', 'c,A,b|😀ña|a.b'],
    ['{{ [1, 2, 3] | batch(2) | dump }}|{{ [1, 2, 3] | batch(2, "x") | dump }}', '[[1,2],[3]]|[[1,2],[3,"x"]]'],
    ['{{ [1, 2, 3] | slice(2) | dump }}|{{ [1, 2, 3] | slice(2, "x") | dump }}', '[[1,2],[3]]|[[1,2],[3,"x"]]'],
    ['{{ people | sum("age") }}|{{ [1, "2.5", "x"] | sum }}|{{ [] | sum(start=1) }}', '34|3.5|1'],
    ['{{ people | selectattr("on") | join("", "name") }}|{{ people | rejectattr("on") | join("", "name") }}', 'bo|Al'],
    ['{{ people | selectattr("name", "Al") | length }}|{{ prices | list | join(",", "key") }}', '1|b,a'],
  ])('%s renders %j', (source, expected) => {
    expect(rendered(source, context)).toBe(expected);
  });

  test('sort leaves the data of the event as it was', () => {
    const own = { words: ['b', 'a'] };
    expect(rendered('{{ words | sort }}{{ words | reverse }}{{ words }}', own)).toBe('a,ba,bb,a');
    expect(own.words).toEqual(['b', 'a']);
  });
});

describe('numberFilters', () => {
  test.each([
    [
      '{{ 3.14159 | round(2) }} {{ 2.5 | round }} {{ 2.1 | round(0, "ceil") }} {{ 2.19 | round(1, "floor") }}',
      '3.14 3 3 2.1',
    ],
    [
      '{{ -3 | abs }} {{ "-2.5" | abs }} {{ "12px" | int }} {{ "x" | int(7) }} {{ "ff" | int(0, 16) }} {{ 2.9 | int }}',
      '3 2.5 12 7 255 2',
    ],
    ['{{ "1.50" | float }} {{ "x" | float(1) }} {{ "9007199254740993" | int }}', '1.5 1 9007199254740993'],
    [
      '{{ 1234.5 | number }}|{{ 1234.5 | number("de-DE", 2) }}|{{ "0.12345678901234567890" | number("en") }}',
      '1,234.5|1.234,50|0.1234567890123456789',
    ],
    ['{{ "x" | number }}{{ none | currency("EUR") }}', ''],
  ])('%s renders %j', (source, expected) => {
    expect(rendered(source, context)).toBe(expected);
  });

  test('currency keeps every digit of decimal text and of large integers', () => {
    const amounts = { a: '1234567890123456.78', b: 9007199254740993n, c: 0.1 };
    const source = '{{ a | currency("EUR", "de-DE") }}|{{ b | currency("JPY", "en") }}|{{ c | currency("usd") }}';
    expect(rendered(source, amounts).replaceAll('\u00a0', ' ')).toBe(
      '1.234.567.890.123.456,78 €|¥9,007,199,254,740,993|$0.10',
    );
  });

  test('a locale or currency from event data that is not usable counts as not given', () => {
    expect(rendered('{{ 1.5 | currency(c, l) }}|{{ 1.5 | number(l) }}', { c: 'XXQ', l: 'no locale!' })).toBe(
      '1.50|1.5',
    );
  });
});

describe('date', () => {
  test.each([
    ["'2026-11-21T23:30:00Z' | date('dd LLL yyyy HH:mm', 'Europe/Berlin')", '22 Nov 2026 00:30'],
    ["'2026-11-21T23:30:00+02:00' | date('HH:mm')", '21:30'],
    ["'2026-11-21T23:30:00' | date('HH:mm', 'UTC')", '23:30'],
    ["'2026-11-21 23:30:00+00' | date('HH:mm', 'Europe/Berlin')", '00:30'],
    ["'2026-11-21' | date('dd.LL.yyyy', 'America/New_York')", '21.11.2026'],
    ["1795303800000 | date('cccc, d. LLLL yyyy', 'Europe/Berlin', 'de')", 'Sonntag, 22. November 2026'],
    ["'2026-03-29T01:30:00Z' | date('HH:mm', 'Europe/Berlin')", '03:30'],
    ["'2026-11-21T23:30:00Z' | date", '2026-11-21 23:30'],
    ["'10000-01-01' | date('d LLL yyyy')", '1 Jan 10000'],
    ["'10000-01-01 00:30:00+02' | date('yyyy-LL-dd HH:mm')", '9999-12-31 22:30'],
    ["'-000043-03-15T00:00:00Z' | date('y G')", '-43 BC'],
    ["'infinity' | date", ''],
    ["'not a date' | date", ''],
    ["none | date | default('never')", 'never'],
    ["'2026-11-21T23:30:00Z' | date('HH:mm', 'Nowhere/Land', 'x!')", 'refused'],
  ])('{{ %s }} renders %j', (expression, expected) => {
    if (expected === 'refused') expect(() => rendered(`{{ ${expression} }}`)).toThrow('unknown time zone');
    else expect(rendered(`{{ ${expression} }}`)).toBe(expected);
  });

  test('a zone or locale from event data that does not exist is UTC and English', () => {
    const context = { at: '2026-11-21T23:30:00Z', zone: 'Nowhere/Land', locale: '../../etc' };
    expect(rendered('{{ at | date("HH:mm LLL", zone, locale) }}', context)).toBe('23:30 Nov');
  });

  test('more locales and formats than are remembered change nothing', () => {
    const locales = ['de', 'fr', 'en', 'ja', 'pt-BR', 'es', 'it', 'nl', 'sv', 'da'];
    const source = (tokens: number) => `{{ at | date(format, "Europe/Berlin", locale) }}${' '.repeat(tokens)}`;
    for (let round = 0; round < 30; round++) {
      for (const locale of locales) {
        const format = `yyyy LL dd HH mm ss SSS ${round}`;
        expect(rendered(source(0), { at: 0, format, locale })).toBe(`1970 01 01 01 00 00 000 ${round}`);
      }
    }
  });
});

describe('filters', () => {
  test.each([
    [
      '{{ missing | default("x") }}{{ none | default("y") }}{{ "" | default("z") }}{{ "" | default("z", true) }}{{ 0 | d(1) }}',
      'xyz0',
    ],
    ['{{ prices | dump }}{{ [1, "a", none, missing] | json }}', '{"b":2,"a":1}[1,"a",null,null]'],
    ['{{ prices | json(2) }}', '{\n  "b": 2,\n  "a": 1\n}'],
  ])('%s renders %j', (source, expected) => {
    expect(rendered(source, context)).toBe(expected);
  });

  test('json prints integers exactly, what JSON cannot hold as null, and asks no object how', () => {
    const value = { a: 9007199254740993n, b: Number.NaN, c: () => 1, d: { toJSON: () => 'no' }, e: '</script>' };
    expect(rendered('{{ value | json }}', { value })).toBe(
      '{"a":9007199254740993,"b":null,"c":null,"d":{"toJSON":null},"e":"</script>"}',
    );
  });

  test('every filter takes every kind of value without throwing', () => {
    const values = [
      undefined,
      null,
      true,
      false,
      0,
      -1.5,
      1e300,
      10n ** 30n,
      exactNumber('12345678901234567.89'),
      exactNumber('1e999999999'),
      '',
      'a\ud800b',
      [],
      [[]],
      [null],
      {},
      { length: 1e9 },
    ];
    for (const [name, { parameters, required }] of filters) {
      for (const value of values) {
        for (const argument of values) {
          const given = parameters.map(() => 'argument').slice(0, required ?? parameters.length);
          const template = compiled(`{{ value | ${name}${given.length > 0 ? `(${given.join(', ')})` : ''} }}`);
          const text = template.render({ value, argument });
          expect(text.ok ? typeof text.value : text.error.code).toMatch(/^(?:string|too_.*)$/);
        }
      }
    }
  });
});

describe('stripTags', () => {
  test.each([
    ['<p>a</p> <!-- x > --> b<br/>', 'a b'],
    ['1 < 2 and 3 > 2', '1 < 2 and 3 > 2'],
    ['<!-- never closed', '<!-- never closed'],
    ['a <b never closed', 'a <b never closed'],
    ['<a title="x">y</a', 'y</a'],
  ])('%s becomes %j', (text, expected) => {
    expect(stripTags(text, false)).toBe(expected);
  });

  test('keeps lines if asked, at most one of them empty', () => {
    expect(stripTags('<p>a</p>\r\n\n\n\n  b   c', true)).toBe('a\n\nb c');
  });

  test('takes linear time for text full of openings', () => {
    const start = process.cpuUsage();
    stripTags('<!--'.repeat(50_000), false);
    stripTags('<a'.repeat(100_000), false);
    stripTags(`${'<!--'.repeat(50_000)}-->`, false);
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(250);
  });
});
