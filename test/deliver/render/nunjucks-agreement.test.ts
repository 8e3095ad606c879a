import { Environment } from 'nunjucks';
import { describe, expect, test } from 'vitest';
import { rendered } from './compile.ts';

const payload = {
  name: 'Ann <b> & "co"',
  text: 'the quick brown fox',
  count: 3,
  price: 2.5,
  none: null,
  items: [3, 1, 2],
  rows: [
    { sku: 'b', qty: 2 },
    { sku: 'a', qty: 1 },
  ],
  object: { x: 1, y: 2 },
};

describe('compileTemplate agrees with nunjucks where both have an answer', () => {
  const environment = new Environment([], { autoescape: true });

  test.each([
    'Hello {{ payload.name }}, {{ payload.count }} {{ payload.price }} {{ payload.missing }}{{ payload["none"] }}',
    '{{ payload.items }} {{ payload.items[0] }} {{ payload.items.length }} {{ payload.object.x }}',
    '{{ 1 + 2 }} {{ 7 // 2 }} {{ 7 % 3 }} {{ 2 ** 3 }} {{ payload.count * payload.price }} {{ "a" ~ 1 }} {{ "a" + 1 }} {{ -payload.count }}',
    '{{ 1 < 2 }} {{ 1 == "1" }} {{ 1 === "1" }} {{ "a" < "b" }} {{ 1 in payload.items }} {{ "x" in payload.object }} {{ not 1 }}',
    '{{ payload.count and payload.missing }} {{ payload.missing or "x" }} {{ "a" if payload.count else "b" }}',
    '{% if payload.count > 2 %}many{% elif payload.count %}some{% else %}none{% endif %}',
    '{% for row in payload.rows %}{{ loop.index }}{{ loop.first }}{{ loop.last }}{{ loop.revindex }}:{{ row.sku }} {% else %}-{% endfor %}',
    '{% for k, v in payload.object %}{{ k }}{{ v }}{% endfor %}{% for a, b in [[1, 2]] %}{{ a }}{{ b }}{% endfor %}',
    '{% for i in payload.missing %}x{% else %}empty{% endfor %}{% for i in payload.count %}x{% else %}empty{% endfor %}',
    '{% set x = 1 %}{% for i in payload.items %}{% set x = x + i %}{% endfor %}{{ x }}',
    '{%- if true -%}  a  {%- endif -%}  b {# c #} {% raw %}{{ d }}{% endraw %}',
    '{{ payload.text | upper }} {{ payload.text | title }} {{ payload.text | capitalize }} {{ payload.text | truncate(12) }}',
    '{{ payload.text | replace("quick", "slow") }} {{ payload.text | wordcount }} {{ payload.text | length }} {{ " x " | trim }}',
    '{{ payload.items | sort }} {{ payload.items | first }} {{ payload.items | last }} {{ payload.items | join("-") }} {{ payload.items | reverse }}',
    '{{ payload.rows | sort(attribute="qty") | join(",", "sku") }} {{ payload.rows | sum("qty") }} {{ payload.object | dictsort }}',
    '{{ payload.missing | default("x") }} {{ "" | default("y", true) }} {{ 2.567 | round(2) }} {{ "12px" | int }} {{ "1.5x" | float }} {{ -2 | abs }}',
    '{{ payload.name | escape }} {{ payload.object | dump }} {{ "a b" | urlencode }} {{ "<p>a</p>" | striptags }} {{ "a" | center(5) }}',
    '{{ [1, 2, 3, 4, 5] | batch(2) | dump }} {{ [1, 2, 3, 4, 5] | slice(2) | dump }} {{ "ab" | list | join("+") }}',
    '{{ 3 is odd }} {{ 4 is even }} {{ payload.missing is defined }} {{ 9 is divisibleby(3) }} {{ 1 is not odd }} {{ "a" is string }}',
    '<p title="{{ payload.name }}">{{ payload.name }}</p>',
  ])('%s', (source) => {
    expect(rendered(source, { payload }, { sink: 'html' })).toBe(environment.renderString(source, { payload }));
  });
});
