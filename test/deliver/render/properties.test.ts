import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compileJsonTemplate } from '../../../src/deliver/render/compile-json-template.ts';
import { compileTemplate } from '../../../src/deliver/render/compile-template.ts';
import { filters } from '../../../src/deliver/render/filters/index.ts';
import { findText } from '../../../src/deliver/render/run/find-text.ts';
import { Meter } from '../../../src/deliver/render/run/meter.ts';
import { safeLink } from '../../../src/deliver/render/sinks/safe-link.ts';
import { stringifyJson } from '../../../src/model/json.ts';
import { rendered } from './compile.ts';

const anyText = fc.string({ unit: 'binary' });
const anyContext = fc.dictionary(fc.string(), fc.jsonValue()).map((fields) => ({ payload: fields, ...fields }));

const expressions = [
  ...[
    'payload',
    'payload.a',
    'payload["__proto__x"]',
    'payload.a.b.c',
    'payload.a[0]',
    'a',
    'b.c',
    'payload[a]',
    'a[b]',
    'a[a]',
  ],
  ...[
    'a + b',
    'a ~ b',
    'a < b',
    'a == b',
    'a in b',
    'payload in a',
    'a // b',
    'a ** b',
    '-a',
    'not a',
    'a if b else payload',
  ],
  ...['a is odd', 'a is defined', 'a is divisibleby(b)', 'a is gt(b)', 'a is lower', '[a, b, payload]'],
  ...[...filters.keys()].map((name) => `payload.a | ${name}${['replace'].includes(name) ? '(a, b)' : '(b)'}`),
];

/** Templates from the expressions above, loops and conditions around them. */
const anyTemplate = fc
  .array(fc.constantFrom(...expressions), { minLength: 1, maxLength: 5 })
  .chain((parts) =>
    fc.constantFrom(
      parts.map((part) => `{{ ${part} }}`).join(' '),
      `{% for x in ${parts[0]} %}{{ x }}{{ loop.index }}{% else %}none{% endfor %}`,
      `{% for k, v in ${parts[0]} %}{{ k }}{{ v }}{% endfor %}`,
      `{% if ${parts[0]} %}{{ ${parts.at(-1)} }}{% endif %}`,
      `{% set y = ${parts[0]} %}{{ y | dump }}{{ y }}`,
    ),
  );

describe('compileTemplate, for any JSON context', () => {
  test('a render gives text or a named error, never throws, and gives the same again', () => {
    fc.assert(
      fc.property(anyTemplate, anyContext, (source, context) => {
        const template = compileTemplate(source, { sink: 'text' });
        if (!template.ok) return template.error.code === 'bad_argument';
        const first = template.value.render(context);
        expect(template.value.render(structuredClone(context))).toEqual(first);
        return first.ok ? typeof first.value === 'string' : first.error.message.length > 0;
      }),
      { numRuns: 3000 },
    );
  });

  test('html text and attributes hold no markup from a value', () => {
    fc.assert(
      fc.property(anyText, anyTemplate, anyContext, (text, source, context) => {
        expect(rendered('{{ text }}<p title="{{ text }}">', { text }, { sink: 'html' })).not.toMatch(
          /<(?!p title=")|"[^">]*"[^>]/,
        );
        const template = compileTemplate(source, { sink: 'html' });
        const html = template.ok ? template.value.render(context) : template;
        return !html.ok || !/[<>"']/.test(html.value);
      }),
      { numRuns: 2000 },
    );
  });

  test('a line is one line', () => {
    fc.assert(
      fc.property(
        anyText,
        (text) => !/\p{Cc}|[\u2028\u2029]/u.test(rendered('{{ text }}', { text }, { sink: 'line' })),
      ),
    );
  });

  test('a URL keeps its host, its path and its parameters, whatever the values are', () => {
    fc.assert(
      fc.property(anyText, anyText, (id, query) => {
        const template = compileTemplate('https://example.com/a/{{ id }}/b?q={{ query }}', { sink: 'url' });
        const url = template.ok ? template.value.render({ id, query }) : template;
        if (!url.ok) return /^\.{1,2}$/.test(id);
        const { host, pathname, searchParams, hash } = new URL(url.value);
        expect([host, pathname.split('/').length, [...searchParams.keys()], hash]).toEqual([
          'example.com',
          4,
          ['q'],
          '',
        ]);
        return searchParams.get('q') === query.toWellFormed();
      }),
    );
  });

  test('a rendered JSON template is JSON again and holds the text exactly', () => {
    fc.assert(
      fc.property(anyText, fc.jsonValue(), (text, value) => {
        const template = compileJsonTemplate({ a: 'x{{ text }}', b: '{{ value }}' });
        const json = template.ok ? template.value.render({ text, value }) : template;
        if (!json.ok) return json.error.code === 'value_too_deep';
        return stringifyJson(json.value) === JSON.stringify({ a: `x${text}`, b: value });
      }),
    );
  });
});

describe('findText', () => {
  test('finds what indexOf finds', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 200 });
    const needles = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 30 });
    fc.assert(
      fc.property(letters, needles, fc.nat(50), (text, needle, from) => {
        const start = Math.min(from, text.length);
        return findText(text, needle, start, new Meter()) === text.indexOf(needle, start);
      }),
    );
  });
});

describe('safeLink', () => {
  test('lets nothing through that a browser reads as another scheme', () => {
    const parts = fc.constantFrom(
      'java',
      'script',
      ':',
      '\t',
      '\n',
      ' ',
      '/',
      '?',
      '#',
      'https',
      'data',
      '//',
      '\u0000',
      'x',
      '&colon;',
      '\\',
    );
    fc.assert(
      fc.property(fc.array(parts, { maxLength: 8 }), (pieces) => {
        const link = safeLink(pieces.join(''));
        const url = URL.parse(link, 'https://base.example/');
        return url === null || ['http:', 'https:', 'mailto:', 'tel:'].includes(url.protocol);
      }),
      { numRuns: 3000 },
    );
  });
});
