import { describe, expect, test } from 'vitest';
import { compileJsonTemplate, type JsonTemplateOptions } from '../../../src/deliver/render/compile-json-template.ts';
import { limits } from '../../../src/deliver/render/limits.ts';
import { exactNumber } from '../../../src/model/decimal.ts';
import { parseJson, stringifyJson } from '../../../src/model/json.ts';

const payload = {
  id: 42,
  name: 'Ann "<b>" \\ \u2028',
  total: '12.50',
  items: [1, { a: null }],
  ok: false,
  big: 9007199254740993n,
  poison: JSON.parse('{"__proto__":{"x":1},"toJSON":"no"}'),
};

function json(
  value: unknown,
  context: Record<string, unknown> = { payload },
  options: JsonTemplateOptions = {},
): unknown {
  const template = compileJsonTemplate(value, options);
  if (!template.ok) throw new Error(JSON.stringify(template.error));
  const result = template.value.render(context);
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}

describe('compileJsonTemplate', () => {
  test('a string that is one output keeps the type of its value', () => {
    const value = {
      a: '{{ payload.id }}',
      b: '{{ payload.items }}',
      c: '{{ payload.ok }}',
      d: '{{ payload.nothing }}',
      e: '{{payload.big}}',
    };
    expect(json(value)).toEqual({ a: 42, b: [1, { a: null }], c: false, d: null, e: 9007199254740993n });
    expect(json('{{ payload.total | float }}')).toBe(12.5);
    const decimal = { payload: parseJson('{"total": 12345678901234567.89}') };
    expect(stringifyJson(json({ a: '{{ payload.total }}', b: '{{ payload }}' }, decimal))).toBe(
      '{"a":12345678901234567.89,"b":{"total":12345678901234567.89}}',
    );
  });

  test('every other string is text', () => {
    expect(
      json([
        '#{{ payload.id }}',
        ' {{ payload.id }}',
        '{{ payload.id }}{{ payload.ok }}',
        '{% if true %}{{ payload.id }}{% endif %}',
        'plain',
      ]),
    ).toEqual(['#42', ' 42', '42false', '42', 'plain']);
  });

  test('keys, numbers, true, false and null stay as they are', () => {
    const value = { '{{ payload.id }}': [1, true, null, { deep: [] }], n: 1.5 };
    expect(json(value)).toEqual(value);
  });

  test('no value breaks out of its place', () => {
    expect(JSON.parse(stringifyJson(json({ a: 'x {{ payload.name }}', b: '{{ payload.name }}' })))).toEqual({
      a: `x ${payload.name}`,
      b: payload.name,
    });
  });

  test('keys such as __proto__ in a value or in the template stay ordinary keys', () => {
    const text = stringifyJson(json(JSON.parse('{"__proto__":"{{ payload.poison }}"}')));
    expect(text).toBe('{"__proto__":{"__proto__":{"x":1},"toJSON":"no"}}');
    expect('x' in {}).toBe(false);
  });

  test('what JSON cannot hold becomes null', () => {
    const value = { f: () => 1, n: Number.NaN, s: Symbol('s'), d: new Date(0), list: [undefined] };
    expect(json('{{ value }}', { value })).toEqual({ f: null, n: null, s: null, d: {}, list: [null] });
  });

  test('gives a copy: changing the result leaves the event alone', () => {
    const items = [{ a: 1 }];
    const copy = json('{{ payload.items }}', { payload: { items } }) as { a: number }[];
    for (const item of copy) item.a = 2;
    expect(items).toEqual([{ a: 1 }]);
  });

  test('names every path that any leaf reads', () => {
    const template = compileJsonTemplate({ a: '{{ payload.id }}', b: ['{{ payload.id }} {{ event.id }}'] });
    expect(template.ok && template.value.paths).toEqual([
      ['payload', 'id'],
      ['event', 'id'],
    ]);
  });

  test('an error carries the path of its leaf, at save and in a render', () => {
    const atSave = compileJsonTemplate({ items: [{ name: '{{ x | uper }}' }] }, { path: 'payload', roots: ['x'] });
    expect(atSave).toMatchObject({
      ok: false,
      error: { code: 'unknown_filter', path: 'payload.items[0].name', line: 1, column: 8 },
    });
    const template = compileJsonTemplate({ a: [1, '{{ "x" | center(payload.wide) }}'] });
    expect(template.ok && template.value.render({ payload: { wide: 1e9 } })).toMatchObject({
      ok: false,
      error: { code: 'too_much_text', path: 'a[1]', line: 1 },
    });
  });

  test('roots hold for every leaf', () => {
    expect(compileJsonTemplate({ a: '{{ secret.key }}' }, { roots: ['payload'] })).toMatchObject({
      ok: false,
      error: { code: 'unknown_name', path: 'a' },
    });
  });

  test.each([
    ['too many leaves', Array.from({ length: limits.jsonLeaves + 1 }, () => '{{ 1 }}'), 'source_too_large'],
    ['too much source', Array.from({ length: 100 }, () => `{{ 1 }}${'x'.repeat(1000)}`), 'source_too_large'],
    ['too deep', JSON.parse(`${'['.repeat(100)}1${']'.repeat(100)}`), 'too_complex'],
  ])('%s: refused at save', (_what, value, code) => {
    expect(compileJsonTemplate(value)).toMatchObject({ ok: false, error: { code } });
  });

  test('all leaves together stay within one budget', () => {
    const leaves = Array.from({ length: 20 }, () => '{{ payload.text }}!');
    const template = compileJsonTemplate(leaves);
    const text = 'a'.repeat(limits.outputChars / 10);
    expect(template.ok && template.value.render({ payload: { text } })).toMatchObject({
      ok: false,
      error: { code: 'output_too_large', path: '[9]' },
    });
  });

  const many = Math.floor(limits.outputChars / 10);
  test.each([
    ['keys', { ['k'.repeat(many)]: 1 }],
    ['whole numbers', 10n ** BigInt(many)],
    ['decimals', exactNumber(`0.${'1'.repeat(many)}`)],
  ])('%s of a value count as output', (_what, value) => {
    const template = compileJsonTemplate(Array.from({ length: 20 }, () => '{{ payload }}'));
    expect(template.ok && template.value.render({ payload: value })).toMatchObject({
      ok: false,
      error: { code: 'output_too_large', path: '[9]' },
    });
  });
});
