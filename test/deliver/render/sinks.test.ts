import { describe, expect, test } from 'vitest';
import { refused, rendered } from './compile.ts';

const hostile = `"'><script>alert(1)</script>&\\`;
const context = {
  text: hostile,
  attr: 'x onmouseover=alert(1)',
  js: 'javascript:alert(1)',
  url: 'https://example.com/?a=1&b=2',
  lines: 'a\r\nb\nc<d',
  yes: true,
  list: ['a', 'b'],
};

describe('html: escaping', () => {
  test.each([
    ['{{ text }}', '&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;&#92;'],
    ['<p title="{{ attr }}">', '<p title="x onmouseover=alert(1)">'],
    ["<p title='{{ text }}'>", "<p title='&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;&#92;'>"],
    [
      '<title>{{ lines }}</title><textarea>{{ text }}</textarea>',
      '<title>a\r\nb\nc&lt;d</title><textarea>&quot;&#39;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;&#92;</textarea>',
    ],
    ['{{ lines | nl2br }}', 'a<br />\nb<br />\nc&lt;d'],
    ['{{ lines | upper | nl2br }}', 'A<br />\nB<br />\nC&lt;D'],
    ['{{ lines | escape }}{{ "&" | e | upper }}', 'a\r\nb\nc&lt;d&amp;'],
    ['{{ "&lt;" | replace("&lt;", "<") }}', '&lt;'],
    ['{{ list }}{{ [text] | dump }}'.replace('[text]', '["<"]'), 'a,b[&quot;&lt;&quot;]'],
  ])('%s renders %j', (source, expected) => {
    expect(rendered(source, context, { sink: 'html' })).toBe(expected);
  });
});

describe('html: links', () => {
  const hrefOf = (source: string, url: string) => rendered(source, { url, yes: true }, { sink: 'html' });

  test.each([
    ['https://example.com/?a=1&b', 'https://example.com/?a=1&amp;b'],
    ['HTTP://EXAMPLE.COM', 'HTTP://EXAMPLE.COM'],
    ['mailto:a@example.com', 'mailto:a@example.com'],
    ['tel:+49123', 'tel:+49123'],
    ['/orders/1', '/orders/1'],
    ['orders/1:2', 'orders/1:2'],
    ['?a=b:c', '?a=b:c'],
    ['', ''],
    ['javascript:alert(1)', '#'],
    [' java\nscript\t:alert(1)', '#'],
    ['\u0001JavaScript:alert(1)', '#'],
    ['data:text/html,<script>', '#'],
    ['vbscript:x', '#'],
    ['blob:https://x/y', '#'],
    ['javascript&colon;alert(1)', 'javascript&amp;colon;alert(1)'],
  ])('href of %j is %j', (url, expected) => {
    expect(hrefOf('<a href="{{ url }}">x</a>', url)).toBe(`<a href="${expected}">x</a>`);
  });

  test.each([
    '<a href="https://example.com/{{ url }}">',
    '<a href="/{{ url }}?x={{ url }}">',
    '<a href="mailto:{{ url }}">',
    '<a href="{{ url }}/more?x={{ url }}">',
    '<a href=" {{ url }} ">',
    '<a href="{% if yes %}{{ url }}{% else %}https://example.com{% endif %}">',
    '<a href="https://example.com{% if yes %}/a{% endif %}/{{ url }}">',
    '<a href="/x{% for c in url %}/{{ c }}{% endfor %}">',
    '<img src="cid:logo" alt="{{ url }}">',
    '<img SRC = "{{ url }}">',
  ])('%s is allowed', (source) => {
    expect(() => hrefOf(source, 'x')).not.toThrow();
  });

  test.each([
    '<a href="java{{ url }}">',
    '<a href="javascript:go(\'{{ url }}\')">',
    '<a href="java&#115;cript:{{ url }}/{{ url }}">',
    '<a href="{{ url }}{{ url }}">',
    '<a href="{{ url }}script:alert(1)">',
    '<a href="{{ url }}:{{ url }}">',
    '<a href="{% if yes %}java{% endif %}script:/{{ url }}">',
    '<a href="{% if yes %}{{ url }}{% else %}javascript:{% endif %}/{{ url }}">',
    '<a href="{% for c in url %}{{ c }}{% endfor %}">',
    `<a href="${'x'.repeat(500)}:/{{ url }}">`,
    '<img srcset="{{ url }}">',
    '<a ping="{{ url }}">',
    '<svg><use data:href="x{{ url }}"/></svg>',
  ])('%s is refused', (source) => {
    expect(refused(source, { sink: 'html' }).code).toBe('unsafe_position');
  });
});

describe('html: positions', () => {
  test.each([
    ['<a title={{ attr }}>x</a>', 'needs quotes: write title="{{ ... }}"', 1, 10],
    ['<a onclick="{{ attr }}">', 'no value may stand in the attribute onclick of <a>', 1, 13],
    ['<a style="color:{{ attr }}">', 'no value may stand in the attribute style of <a>', 1, 17],
    ['<a {{ attr }}>', 'a value may stand only in text or in a quoted attribute', 1, 4],
    ['<a data-{{ attr }}="x">', 'a value may stand only in text or in a quoted attribute', 1, 9],
    ['<{{ attr }}>', 'a value may stand only in text or in a quoted attribute', 1, 2],
    ['</{{ attr }}>', 'a value may stand only in text or in a quoted attribute', 1, 3],
    ['\n<script>var a = "{{ attr }}"</script>', 'no value may stand in <script>', 2, 18],
    ['<SCRIPT\n>{{ attr }}</SCRIPT>', 'no value may stand in <script>', 2, 2],
    ['<style>p { color: {{ attr }} }</style>', 'no value may stand in <style>', 1, 19],
    ['<!-- {{ attr }} -->', 'no value may stand in an HTML comment', 1, 6],
    ['<!--[if mso]>{{ attr }}<![endif]-->', 'no value may stand in an HTML comment', 1, 14],
    ['<!{{ attr }}>', 'no value may stand in an HTML comment', 1, 3],
    ['<iframe src="{{ attr }}"></iframe>', 'no value may stand in the attribute src of <iframe>', 1, 14],
    [
      '<meta http-equiv="refresh" content="0;{{ attr }}">',
      'no value may stand in the attribute content of <meta>',
      1,
      39,
    ],
    ['<p @click="{{ attr }}">', 'no value may stand in the attribute @click', 1, 12],
    ['<p title="{{ lines | nl2br }}">', 'nl2br makes tags', 1, 11],
    ['<noscript>a</noscript>{{ attr }}', 'in two ways', 1, 23],
    ['<svg><style><a></style>{{ attr }}', 'in two ways', 1, 24],
    ['{% if yes %}<a title="{% endif %}{{ attr }}">', 'every way through {% if %} must end at the same place', 1, 4],
    [
      '<{% if yes %}p{% else %}script{% endif %} id="a">{{ attr }}',
      'every way through {% if %} must end at the same place',
      1,
      5,
    ],
    ['{% for x in list %}<a title="{% endfor %}">', 'every way through {% for %} must end at the same place', 1, 4],
    ['<p {% if yes %}on{% endif %}click="{{ attr }}">', 'no value may stand in the attribute ?click', 1, 36],
    ['<p title="{{ attr }}', 'the template ends inside the tag <p', 1, 11],
    ['<p>{{ attr }}<!-- ', 'the template ends inside a comment', 1, 14],
  ])('%s is refused: %s (line %i, column %i)', (source, message, line, column) => {
    const error = refused(source, { sink: 'html' });
    expect(error).toMatchObject({ code: 'unsafe_position', message: expect.stringContaining(message), line, column });
  });

  test.each([
    '<p {% if yes %}class="a"{% else %}hidden{% endif %} title="{{ attr }}">',
    '<option {% if yes %}selected{% endif %}>{{ text }}</option>',
    '{% if yes %}<b>{{ text }}</b>{% else %}<i>{{ text }}</i>{% endif %}',
    '<ul>{% for x in list %}<li class="{{ x }}">{{ x }}</li>{% else %}<li>{{ text }}</li>{% endfor %}</ul>',
    '<p class="{% for x in list %}{{ x }} {% endfor %}">',
    '<style>a > b { color: red }</style><!-- > --><p>{{ text }}</p>',
    '<!DOCTYPE html><html><head><title>{{ text }}</title></head><body>1 < 2 & {{ text }}</body></html>',
    '<!--[if !mso]><!-->{{ text }}<!--<![endif]-->',
    '<!-->{{ text }}',
    '<script>if (a < b) { "</scr" }</script>{{ text }}',
    '<svg><title>Logo</title><path d="M0 0"/></svg>{{ text }}',
    '<br/>{{ text }}<img alt="{{ text }}"/>{{ text }}',
  ])('%s is allowed', (source) => {
    expect(() => rendered(source, context, { sink: 'html' })).not.toThrow();
  });
});

describe('line', () => {
  test('makes one line of values and of the template', () => {
    const value = 'hi\r\nBcc: evil@example.com\u0000\u0085\u2028x\ty\u007f';
    expect(rendered('Re:\n{{ value }}', { value }, { sink: 'line' })).toBe('Re: hi Bcc: evil@example.com x y ');
  });
});

describe('text and json', () => {
  test.each(['text', 'json'] as const)('%s changes nothing', (sink) => {
    expect(rendered('<{{ text }}\n', context, { sink })).toBe(`<${hostile}\n`);
  });

  test.each(['text', 'json', 'line', 'url'] as const)('%s knows no nl2br', (sink) => {
    expect(refused('/{{ text | nl2br }}', { sink })).toMatchObject({
      code: 'bad_argument',
      message: 'nl2br makes HTML: it is only for html templates',
    });
  });
});

describe('url', () => {
  test.each([
    [
      'https://example.com/o/{{ text }}?q={{ attr }}#{{ yes }}',
      "https://example.com/o/%22'%3E%3Cscript%3Ealert(1)%3C%2Fscript%3E%26%5C?q=x%20onmouseover%3Dalert(1)#true",
    ],
    ['/orders/{{ url }}', '/orders/https%3A%2F%2Fexample.com%2F%3Fa%3D1%26b%3D2'],
    ['mailto:{{ attr }}', 'mailto:x%20onmouseover%3Dalert(1)'],
    ['{% if yes %}https://a.example/{% else %}https://b.example/{% endif %}{{ yes }}', 'https://a.example/true'],
    ['https://example.com/{{ missing }}', 'https://example.com/'],
  ])('%s renders %s', (source, expected) => {
    expect(rendered(source, context, { sink: 'url' })).toBe(expected);
  });

  test.each([
    '{{ url }}',
    'https://{{ attr }}/x',
    'https://example.com{{ attr }}/x',
    'https:{{ attr }}',
    '//{{ attr }}/x',
    '{% if yes %}https://a.example/{% endif %}{{ attr }}',
    '{% for x in list %}https://{{ x }}/{% endfor %}',
  ])('%s is refused: a value must not decide where a URL leads', (source) => {
    expect(refused(source, { sink: 'url' }).code).toBe('unsafe_position');
  });

  test.each([
    ['https://example.com/a/{{ x }}/b', '..'],
    ['https://example.com/a/{{ x }}', '.'],
    ['https://example.com/a/{{ x }}{{ x }}/b', '.'],
    ['/{{ missing }}/evil.example', ''],
    ['https://example.com/a/%2e{{ x }}/b', '.'],
    ['https://example.com/a/{{ x }}%2E', '.'],
  ])('%s with %j is ended: the value would change the path', (source, x) => {
    expect(() => rendered(source, { x }, { sink: 'url' })).toThrow('a value changes the path of the URL');
  });

  test.each(['/\\{{ yes }}', '/\t/{{ yes }}', 'https://\n/{{ yes }}'])(
    '%j is refused: URL parsers read it otherwise than people do',
    (source) => {
      expect(refused(source, { sink: 'url' }).code).toBe('unsafe_position');
    },
  );

  test('dots in the middle, in a query or in a name are fine', () => {
    expect(rendered('https://example.com/{{ x }}.html?up={{ up }}', { x: 'a..b', up: '..' }, { sink: 'url' })).toBe(
      'https://example.com/a..b.html?up=..',
    );
  });
});
