import { describe, expect, test } from 'vitest';
import { limits } from '../../../src/deliver/render/limits.ts';
import { exactNumber } from '../../../src/model/decimal.ts';
import { compiled, ended, refused, rendered } from './compile.ts';

describe('limits: at save', () => {
  test.each([
    ['source', 'x'.repeat(limits.sourceChars + 1), 'source_too_large'],
    ['nodes', '{{ 1 }}'.repeat(limits.nodes), 'too_complex'],
    ['nested lists', `{{ ${'['.repeat(60)}1${']'.repeat(60)} }}`, 'too_complex'],
    ['nesting beyond the stack', `{{ ${'('.repeat(30_000)}1${')'.repeat(30_000)} }}`, 'too_complex'],
    ['nested loops', `${'{% for a in b %}'.repeat(60)}${'{% endfor %}'.repeat(60)}`, 'too_complex'],
    ['a long sum', `{{ ${'1+'.repeat(20_000)}1 }}`, 'too_complex'],
    ['blanks before a trim', `x${' '.repeat(60_000)}y{%- if 1 %}{% endif %}`, 'too_complex'],
    ['raw sections', '{% raw %}{% endraw %}'.repeat(limits.rawSections + 1), 'too_complex'],
    ['an open raw section', `{% raw %}${'{%'.repeat(20_000)}`, 'syntax'],
    ['an open raw section in a string', `{{ "{% raw" }}${'{%'.repeat(20_000)}`, 'syntax'],
  ])('%s: refused within 250 ms', (_what, source, code) => {
    const start = process.cpuUsage();
    expect(refused(source).code).toBe(code);
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(250);
  });

  test('long chains are no deep nesting: 200 terms, 100 elifs and 60 filters are fine', () => {
    expect(rendered(`{{ ${'1 + '.repeat(200)}1 }}`)).toBe('201');
    expect(rendered(`{% if 0 %}${'{% elif 0 %}'.repeat(100)}{% else %}x{% endif %}`)).toBe('x');
    expect(rendered(`{{ "a"${' | upper | lower'.repeat(30)} }}`)).toBe('a');
    expect(rendered(`{{ ${'0 or '.repeat(200)}"x" ~ ${'"y" ~ '.repeat(200)}"z" }}`)).toHaveLength(202);
  });
});

describe('limits: in a render', () => {
  const as = 'a'.repeat(20_000);
  const numbers = Array.from({ length: 10_000 }, (_, index) => index);
  const zones = Intl.supportedValuesOf('timeZone').slice(0, 300);
  const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
  const bomb = `{% set x = ["a"] %}${'{% set x = [x, x] %}'.repeat(25)}`;
  const context = { as, numbers, deep: nested(40), big: 10n ** BigInt(limits.numberDigits - 1), zones };

  test.each([
    ['an empty loop body', '{% for a in numbers %}{% for b in numbers %}{% endfor %}{% endfor %}', 'too_many_steps'],
    ['a doubling text', `{% set x = as %}${'{% set x = x ~ x %}'.repeat(30)}`, 'too_much_text'],
    ['replace that grows', '{{ as | replace("a", as) | length }}', 'too_much_text'],
    ['replace of nothing', '{{ as | replace("", as) | length }}', 'too_much_text'],
    ['a wide center', '{{ "a" | center(1000000000) }}', 'too_much_text'],
    ['a wide indent', '{{ as | replace("a", "\n") | indent(100000) }}', 'too_many_steps'],
    ['a large batch', '{{ [1] | batch(1000000000, "x") }}', 'too_many_steps'],
    ['many slices', '{{ [1] | slice(1000000000) }}', 'too_many_steps'],
    [
      'urlencode of urlencode',
      '{{ as | urlencode | replace("a", "%") | urlencode | urlencode | urlencode | urlencode }}',
      'too_much_text',
    ],
    ['a long output', '{% for a in numbers %}{{ as }}{% endfor %}', 'output_too_large'],
    ['a loop over text alone', `{% for a in numbers %}${'x'.repeat(100)}{% endfor %}`, 'output_too_large'],
    ['a long straight output', '{{ as }}'.repeat(20), 'output_too_large'],
    ['a bomb as text', `${bomb}{{ x }}`, 'too_many_steps'],
    ['a bomb as JSON', `${bomb}{{ x | dump }}`, 'too_many_steps'],
    ['a deep value', '{{ deep }}', 'value_too_deep'],
    ['a deep value as JSON', '{{ deep | json }}', 'value_too_deep'],
    ['distinct time zones', '{% for n in numbers %}{{ 0 | date("d", "Zone" ~ n) }}{% endfor %}', 'too_many_steps'],
    [
      'many real time zones',
      '{% for z in zones %}{{ 0 | date("cccc LLLL ffff tttt", z) }}{% endfor %}',
      'too_many_steps',
    ],
    ['distinct locales', '{% for n in numbers %}{{ 1 | currency("EUR", "de-" ~ n) }}{% endfor %}', 'too_many_steps'],
  ])('%s ends with a named error within 250 ms, and the next render goes on', (_what, source, code) => {
    const template = compiled(source);
    const start = process.cpuUsage();
    const text = template.render(context);
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(250);
    expect(text).toMatchObject({ ok: false, error: { code, line: expect.any(Number), column: expect.any(Number) } });
    expect(rendered('{{ as | length }}', context)).toBe('20000');
  });

  test('integers stop growing at their limit and count as missing from there on', () => {
    expect(rendered('{{ big * big }}|{{ big | length }}|{{ big * 10 }}', context)).toBe('|0|');
  });

  test('no arithmetic is slow: whatever the digits, and a number far from the point counts as missing', () => {
    const digits = '7'.repeat(limits.numberDigits / 2 - 1);
    const exact = {
      numbers,
      big: 7n ** 200n,
      long: exactNumber(`${digits}.${digits}`),
      far: exactNumber('1e999999999'),
    };
    const work = ['long * long', 'long / 3', 'big + long', 'big // 3', 'long > big', 'far + 1', 'far > long'];
    for (const expression of work) {
      const start = process.cpuUsage();
      rendered(`{% for n in numbers %}{% if ${expression} %}{% endif %}{% endfor %}`, exact);
      expect([expression, process.cpuUsage(start).user / 1000]).toEqual([
        expression,
        expect.toSatisfy((ms) => ms < 250),
      ]);
    }
    expect(rendered('{{ far + 1 }}|{{ far > 1 }}|{{ far }}', exact)).toBe('|false|1e+999999999');
  });

  test('an error says where the template was when it ended', () => {
    expect(ended('fine\n{% for a in numbers %}\n  {{ as }}{% endfor %}', context)).toMatchObject({
      line: 3,
      column: 3,
    });
  });

  test('searching is linear for needles that make the engine quadratic', () => {
    const start = process.cpuUsage();
    const text = 'a'.repeat(250_000);
    const source = '{{ needle in text }}{{ text | replace(needle, "x") | length }}';
    expect(rendered(source, { text, needle: `b${'a'.repeat(10_000)}` })).toBe('false250000');
    expect(rendered(source, { text: `${text}b`, needle: `${'a'.repeat(10_000)}b` })).toBe('true240001');
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(250);
  });
});
