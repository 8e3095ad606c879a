import { describe, expect, test } from 'vitest';
import { parseJson } from '../../../src/model/json.ts';
import { compiled, refused, rendered } from './compile.ts';

const payload = {
  username: 'ann',
  name: 'Ann <b>',
  total: '12.50',
  items: [1, 2, 3],
  people: [
    { name: 'Bo', city: { name: 'Ulm' } },
    { name: 'Al', city: { name: 'Bonn' } },
  ],
  prices: { a: 1, b: 2 },
  nothing: null,
  yes: true,
};
const context = { payload, event: { id: 'e-1' } };

describe('compileTemplate: values', () => {
  test.each([
    ['Hello {{ payload.username }}!', 'Hello ann!'],
    ['{{ payload["username"] }}{{ payload.items[1] }}{{ payload.people[0].city.name }}', 'ann2Ulm'],
    ['{{ payload[payload.key] }}|{{ payload.items[9] }}|{{ payload.items[-1] }}', '||'],
    ['{{ payload.missing }}{{ payload.missing.deeper.still }}{{ payload.nothing }}', ''],
    ['{{ payload.items.length }}{{ payload.username.length }}', '33'],
    ['{{ payload.items }}|{{ payload.prices }}|{{ payload.yes }}', '1,2,3|{"a":1,"b":2}|true'],
    ['{{ "a\\"b" }}{{ 1.5 }}{{ true }}{{ none }}{{ [1, "x"] }}', 'a"b1.5true1,x'],
    ['{# a comment {{ x }} #}{% raw %}{{ x }}{% endraw %}', '{{ x }}'],
    ['a  {%- if true -%}  b  {%- endif %}  c', 'ab  c'],
  ])('%s renders %j', (source, expected) => {
    expect(rendered(source, context)).toBe(expected);
  });

  test('prints numbers as JSON does, and decimal text exactly as it is', () => {
    const numbers = { a: 1e21, b: 0.1, c: -0, d: '9007199254740993.10', e: 9007199254740993n, f: Number.NaN, g: 1 / 0 };
    expect(rendered('{{ p.a }} {{ p.b }} {{ p.c }} {{ p.d }} {{ p.e }} {{ p.f }}{{ p.g }}', { p: numbers })).toBe(
      '1e+21 0.1 0 9007199254740993.10 9007199254740993 ',
    );
  });

  test('reads own data only, whatever the context is called and made of', () => {
    const poison = JSON.parse('{"__proto__":{"x":1},"constructor":{"name":"c"},"toString":7,"length":1e9}');
    const host = { fn: () => 'ran', sym: Symbol('s'), date: new Date(0), map: new Map([['a', 1]]), poison };
    expect(
      rendered('{{ p.fn }}{{ p.sym }}{{ p.map.a }}{{ p.date.getTime }}{{ toString }}{{ p.hasOwnProperty }}', {
        p: host,
      }),
    ).toBe('');
    const isThere = '{{ p.fn is defined }}{{ p.sym is defined }}{% for x in l %}{{ x is defined }}{% endfor %}';
    expect(rendered(isThere, { p: host, l: [host.fn, host.sym] })).toBe('false'.repeat(4));
    expect(rendered('{{ p.poison.x }}{{ p.poison.toString }}', { p: host })).toBe('7');
    expect(rendered('{{ p.poison[k] }}', { p: host, k: '__proto__' })).toBe('{"x":1}');
    expect(rendered('{{ p[k] }}{{ p[["fn"]] }}', { p: {}, k: 'constructor' })).toBe('');
    expect(rendered('{{ p[k] }}{{ k in p }}', { p: {}, k: '__proto__' })).toBe('false');
    expect(rendered('{{ p.a }}{{ p | length }}{{ p }}', { p: Object.create({ a: 'inherited' }) })).toBe('0{}');
    expect(rendered('{% for x in p.poison %}x{% else %}none{% endfor %}', { p: host })).toBe('none');
  });
});

describe('compileTemplate: operators', () => {
  test.each([
    ['{{ 1 + 2 * 3 - 4 / 2 }} {{ 7 // 2 }} {{ 7 % 4 }} {{ 2 ** 3 }} {{ -5 + +2 }}', '5 3 3 8 -3'],
    ['{{ "a" + 1 }}{{ "a" ~ 1 ~ none ~ "b" }}', 'a1a1b'],
    ['{{ payload.total * 2 }} {{ payload.total + 1 }}', '25 12.501'],
    ['{{ payload.missing * 2 }}|{{ 1 / 0 }}|{{ payload.items + 1 }}|{{ payload.nothing + 1 }}', '|||'],
    ['{{ 1 < 2 }} {{ "10" > 9 }} {{ "b" > "a" }} {{ none < 1 }} {{ [1] < [2] }}', 'true true true false false'],
    [
      '{{ 1 == "1" }} {{ 1 === "1" }} {{ none == payload.missing }} {{ 0 == "" }} {{ "a" != "b" }}',
      'true false true true true',
    ],
    ['{{ [1] == "1" }} {{ payload.items == payload.items }} {{ 1 !== 1 }}', 'false true false'],
    [
      '{{ 2 in payload.items }} {{ "nn" in payload.username }} {{ "a" in payload.prices }} {{ "toString" in payload.prices }}',
      'true true true false',
    ],
    [
      '{{ 1 not in payload.items }} {{ payload.items in "1,2" }} {{ payload.missing in payload.items }}',
      'false false false',
    ],
    ['{{ payload.missing or "x" }} {{ 0 and 1 }} {{ not payload.missing }} {{ 1 and 2 or 3 }}', 'x 0 true 2'],
    ['{{ "a" if payload.yes else "b" }}{{ "c" if payload.missing }}', 'a'],
  ])('%s renders %j', (source, expected) => {
    expect(rendered(source, context)).toBe(expected);
  });

  test('counts whole numbers exactly beyond 2^53', () => {
    const big = { p: { id: 9007199254740993n, text: '9007199254740993' } };
    expect(
      rendered(
        '{{ p.id + 1 }} {{ p.text * 2 }} {{ p.id == p.text }} {{ p.id > 9007199254740992 }} {{ p.id % 10 }}',
        big,
      ),
    ).toBe('9007199254740994 18014398509481986 true true 3');
    expect(rendered('{{ p.id // 2 }} {{ -p.id }} {{ p.id / 2 }} {{ p.id / 3 }} {{ p.id / 7 }}', big)).toBe(
      '4503599627370496 -9007199254740993 4503599627370496.5 3002399751580331 1286742750677284.8',
    );
  });

  test.each([
    [
      '{{ p.a }} {{ p.b }} {{ p.list }} {{ p | json }}',
      '12345678901234567.89 -0.00000000000000012345678901234567 12345678901234567.89 {"a":12345678901234567.89,"b":-0.00000000000000012345678901234567,"list":[12345678901234567.89],"text":"12345678901234567.90"}',
    ],
    [
      '{{ p.a + 1 }} {{ p.a + p.a }} {{ p.a - p.text }} {{ p.a * 100 }} {{ -p.a }}',
      '12345678901234568.89 24691357802469135.78 -0.01 1234567890123456789 -12345678901234567.89',
    ],
    [
      '{{ p.a / 2 }} {{ p.a // 1 }} {{ p.a % 1 }} {{ p.a / 3 }} {{ p.a / 0 }}',
      '6172839450617283.945 12345678901234567 0.89 4115226300411522.63 ',
    ],
    [
      '{{ p.a > p.text }} {{ p.a < p.text }} {{ p.a == "12345678901234567.890" }} {{ p.a == 12345678901234567 }}',
      'false true true false',
    ],
    [
      '{{ p.a === p.a }} {{ p.a in p.list }} {{ p.a != p.text }} {{ p.a is number }} {{ p.a is mapping }} {{ p.a.text }}',
      'true true true true false ',
    ],
    [
      '{{ p.a | round(1) }} {{ p.a | round }} {{ p.a | round(1, "floor") }} {{ p.b | abs }} {{ p.a | int }} {{ p.text | float }}',
      '12345678901234567.9 12345678901234568 12345678901234567.8 0.00000000000000012345678901234567 12345678901234567 12345678901234567.9',
    ],
    [
      '{{ p.a | number }} {{ p.a | number("de-DE", 1) }} {{ p.list | sum }} {{ [p.text, p.a, 5] | sort }}',
      '12,345,678,901,234,567.89 12.345.678.901.234.567,9 12345678901234567.89 5,12345678901234567.89,12345678901234567.90',
    ],
  ])('keeps every digit of a decimal: %s renders %s', (source, expected) => {
    const exact = parseJson(
      '{"a": 12345678901234567.89, "b": -1.2345678901234567e-16, "list": [12345678901234567.890], "text": "12345678901234567.90"}',
    );
    expect(rendered(source, { p: exact })).toBe(expected);
  });

  test.each([
    ['payload.username is defined', true],
    ['payload.missing is defined', false],
    ['payload.missing is undefined', true],
    ['payload.nothing is none', true],
    ['payload.nothing is defined', true],
    ['3 is odd', true],
    ['-3 is odd', true],
    ['4 is even', true],
    ['"a" is even', false],
    ['9 is divisibleby(3)', true],
    ['payload.items is iterable', true],
    ['payload.prices is mapping', true],
    ['"a" is string and 1 is number and true is boolean', true],
    ['"abc" is lower and "ABC" is upper', true],
    ['3 is gt(2) and 2 is le(2) and 1 is ne(2) and 1 is sameas(1)', true],
    ['1 is not odd', false],
    ['"" is falsy and "x" is truthy', true],
  ])('the test %s is %s', (expression, expected) => {
    expect(rendered(`{{ ${expression} }}`, context)).toBe(String(expected));
  });
});

describe('compileTemplate: statements', () => {
  test.each([
    ['{% if payload.missing %}a{% elif payload.yes %}b{% else %}c{% endif %}', 'b'],
    ['{% if payload.missing %}a{% elseif none %}b{% else %}c{% endif %}', 'c'],
    [
      '{% for i in payload.items %}{{ loop.index }}/{{ loop.length }}:{{ i }}{% if not loop.last %},{% endif %}{% endfor %}',
      '1/3:1,2/3:2,3/3:3',
    ],
    [
      '{% for i in payload.items %}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }} {% endfor %}',
      '032true 121false 210false ',
    ],
    ['{% for k, v in payload.prices %}{{ k }}={{ v }};{% endfor %}', 'a=1;b=2;'],
    ['{% for a, b in [[1, 2], [3, 4], 5] %}{{ a }}{{ b }} {% endfor %}', '12 34  '],
    ['{% for i in [] %}x{% else %}none{% endfor %}{% for i in 5 %}x{% else %}none{% endfor %}', 'nonenone'],
    ['{% for i in payload.prices %}x{% else %}none{% endfor %}', 'none'],
    [
      '{% for a in [1, 2] %}{% for b in [3, 4] %}{{ a }}{{ b }}{{ loop.index }} {% endfor %}{{ loop.index }}{% endfor %}',
      '131 142 1231 242 2',
    ],
    ['{% set x = 1 %}{% for i in payload.items %}{% set x = x + i %}{% endfor %}{{ x }}', '7'],
    ['{% for i in [1, 2] %}{% if loop.first %}{% set seen = i %}{% endif %}{{ seen }}{% endfor %}', '11'],
    [
      '{% for a in [1, 2] %}{% for b in [1, 2] %}{% if a == 1 %}{% set seen = "s" %}{% endif %}{{ seen }}{% endfor %}|{% endfor %}',
      'ss||',
    ],
    ['{% if true %}{% set x = 2 %}{% endif %}{{ x }}', '2'],
  ])('%s renders %j', (source, expected) => {
    expect(rendered(source, context)).toBe(expected);
  });

  test('without roots a variable that was not set yet is the field of that name', () => {
    const source = '{% if not title %}{% set title = "none" %}{% endif %}{{ title }}';
    expect([rendered(source, { title: 'given' }), rendered(source)]).toEqual(['given', 'none']);
  });
});

describe('compileTemplate: paths', () => {
  test.each([
    [
      '{{ payload.username }} {{ event.id }} {{ payload.username }}',
      [
        ['payload', 'username'],
        ['event', 'id'],
      ],
    ],
    ['{{ payload["a b"].c }}', [['payload', 'a b', 'c']]],
    ['{{ payload.items[0].name }} {{ payload.items.length }}', [['payload', 'items']]],
    ['{{ payload.length }}', [['payload', 'length']]],
    ['{% for row in payload.rows %}{{ row.name }}{{ loop.index }}{% endfor %}', [['payload', 'rows']]],
    [
      '{% set x = payload.a %}{{ x.b }}{% if payload.c %}{% endif %}',
      [
        ['payload', 'a'],
        ['payload', 'c'],
      ],
    ],
    ['{{ payload[event.key] | default(payload.d) }}', [['payload', 'd'], ['event', 'key'], ['payload']]],
  ])('%s reads %j', (source, paths) => {
    expect(compiled(source).paths).toEqual(paths);
  });
});

describe('compileTemplate: refusals', () => {
  const roots = ['payload', 'event'];

  test.each([
    ['Hi\n {{ paylod.x }}', 'unknown_name', 'unknown name "paylod": did you mean "payload"?', 2, 5],
    ['{{ zzzzzz }}', 'unknown_name', 'unknown name "zzzzzz"; known names: payload, event', 1, 4],
    ['{% for row in payload.rows %}{% endfor %}{{ row.x }}', 'unknown_name', 'unknown name "row"', 1, 45],
    ['{{ loop.index }}', 'unknown_name', '"loop" exists only inside {% for %}', 1, 4],
    ['{% for x in payload.l %}{{ loop.parent }}{% endfor %}', 'unknown_name', 'loop has the fields index', 1, 28],
    ['{{ payload.x | uper }}', 'unknown_filter', 'unknown filter "uper": did you mean "upper"?', 1, 16],
    ['{{ payload.x | safe }}', 'unknown_filter', 'unknown filter "safe"', 1, 16],
    ['{{ payload.x is od }}', 'unknown_test', 'unknown test "od": did you mean "odd"?', 1, 17],
    ['{{ payload.x | upper(1) }}', 'bad_argument', 'the filter upper takes no arguments', 1, 16],
    ['{{ payload.x | replace("a") }}', 'bad_argument', 'the filter replace needs the argument new', 1, 16],
    ['{{ payload.x | sort(revers=true) }}', 'bad_argument', 'did you mean "reverse"?', 1, 21],
    ['{{ payload.x | sort(true, reverse=true) }}', 'bad_argument', 'the filter sort got an argument twice', 1, 16],
    ['{{ 1 is divisibleby }}', 'bad_argument', 'the test divisibleby takes one argument', 1, 9],
    ['{{ payload.x() }}', 'forbidden_syntax', 'nothing can be called', 1, 13],
    ['{{ {"a": 1} }}', 'forbidden_syntax', 'an object cannot be written', 1, 4],
    ['{{ r/a/ }}', 'forbidden_syntax', 'this literal is not allowed', 1, 4],
    ['{% include "x" %}', 'forbidden_syntax', 'a template stands alone', 1, 4],
    ['{% set x %}a{% endset %}', 'forbidden_syntax', 'a set block is not allowed', 1, 4],
    ['{% filter upper %}a{% endfilter %}', 'forbidden_syntax', 'a block of text cannot be captured', 1, 11],
    ['{% switch 1 %}{% case 1 %}{% endswitch %}', 'forbidden_syntax', 'use if, elif, else', 1, 4],
    ['{{ payload.constructor }}', 'forbidden_name', 'the name "constructor" cannot be used', 1, 12],
    ['{% set __proto__ = 1 %}', 'forbidden_name', 'the name "__proto__" cannot be used', 1, 8],
    ['{% set payload = 1 %}', 'forbidden_name', '"payload" has a meaning already', 1, 8],
    ['{% for loop in payload.x %}{% endfor %}', 'forbidden_name', '"loop" has a meaning already', 1, 8],
    ['{{ größe }}', 'forbidden_name', 'is not a name', 1, 4],
    ['{{ payload.a < payload.b < 3 }}', 'syntax', 'one comparison at a time', 1, 26],
    ['{% set a, b = 1 %}', 'syntax', 'set names one variable', 1, 4],
    ['{% for a, b, c in payload.x %}{% endfor %}', 'syntax', 'a loop has one variable, or two', 1, 8],
    ['a\nb {% raw %} c', 'syntax', 'the {% raw %} section is not closed', 2, 3],
    ['{% if payload.x %}', 'syntax', 'expected elif, else, or endif', 1, 19],
    ['{% foo %}', 'syntax', 'unknown or misplaced tag "foo"', 1, 4],
    ['{{ payload. ', 'syntax', 'breaks off', 1, 13],
    ['{{ payload.x | date("yyyy", "Europe/Berln") }}', 'bad_argument', 'did you mean "Europe/Berlin"?', 1, 16],
    ['{{ payload.x | currency("ERU") }}', 'bad_argument', 'unknown currency "ERU"', 1, 16],
    ['{{ payload.x | number("x-!") }}', 'bad_argument', 'unknown locale', 1, 16],
  ])('%s is refused as %s: %s (line %i, column %i)', (source, code, message, line, column) => {
    expect(refused(source, { roots })).toMatchObject({ code, message: expect.stringContaining(message), line, column });
  });

  test('what the tenant wrote stands in a message on one line and cut short', () => {
    const { message } = refused(`{{ payload | a\u0000\u202e${'x'.repeat(500)} }}`);
    expect(message).toMatch(/^unknown filter "a {2}x+\.\.\."/);
    expect(message.length).toBeLessThan(400);
  });
});
