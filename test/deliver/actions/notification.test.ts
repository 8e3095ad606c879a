import { describe, expect, test } from 'vitest';
import { notificationAction } from '../../../src/deliver/actions/notification.ts';
import { ada, compileAction, event } from './attempt.ts';

function compose(config: unknown, payload = event.payload) {
  const { action, issues } = compileAction(notificationAction, config);
  if (action?.kind !== 'inbox') throw new Error(JSON.stringify(issues));
  const workflow = { id: 'w1', name: 'Orders', version: 3 };
  return action.compose({ event: { ...event, payload }, workflow, recipient: ada });
}

describe('notificationAction', () => {
  test('composes title, message, priority and link', () => {
    const composed = compose({
      title: 'Order {{ payload.order_id }} {{ payload.note }}',
      message:
        '{{ recipient.name }}: {{ previous.amount }} -> {{ payload.amount }} by {{ event.actor }} ({{ workflow.name }}) {{ payload.note }}',
      priority: 'high',
      link: '/orders/{{ payload.order_id }}',
    });
    expect(composed).toEqual({
      ok: true,
      value: {
        title: 'Order 7 a b',
        message: 'Ada Lovelace: 10 -> 12.5 by u9 (Orders) a\r\nb',
        priority: 'high',
        link: '/orders/7',
      },
    });
  });

  test.each([
    [{ title: 't', message: '{{ payload.note }} {{ event.actor }} {{ workflow.name }}' }, false],
    [{ title: 'for {{ recipient.name }}', message: 'm' }, true],
    [{ title: 't', message: '{% set to = recipient %}{{ to.id }}' }, true],
    [{ title: 't', message: 'm', link: '/people/{{ recipient.id }}' }, true],
  ])('%j: differs between recipients: %s', (config, isPersonal) => {
    expect(compileAction(notificationAction, config).action).toMatchObject({ kind: 'inbox', isPersonal });
  });

  test('has priority medium and no link unless told', () => {
    expect(compose({ title: 't', message: 'm' })).toMatchObject({ value: { priority: 'medium', link: null } });
  });

  test('does not escape: whoever shows it does', () => {
    expect(compose({ title: 't', message: '{{ payload.customer.name }}' })).toMatchObject({
      value: { message: 'Ada <ada>' },
    });
  });

  test('cuts what is too long for an inbox, and leaves out what PostgreSQL cannot hold', () => {
    const composed = compose(
      { title: '{{ payload.t }}', message: '{{ payload.m }}' },
      { t: 'é'.repeat(999), m: `a\0b\ud800${'🎉'.repeat(9_000)}` },
    );
    if (!composed.ok) throw new Error(composed.error);
    expect(composed.value.title).toBe(`${'é'.repeat(249)}…`);
    expect(composed.value.message).toMatch(/^ab\ufffd🎉.*…$/u);
    expect(composed.value.message.length).toBeLessThanOrEqual(10_000);
    expect(composed.value.message.isWellFormed()).toBe(true);
  });

  test('fails with template_error when a value cannot be rendered', () => {
    expect(compose({ title: 't', message: '{{ payload.huge }}' })).toEqual({ ok: false, error: 'template_error' });
  });

  test.each(['https://shop.example/o/7', 'http://shop.example', '/orders/7?a=1#b', 'orders/7', '#top', '?q=1'])(
    'takes the link %s',
    (link) => {
      expect(compose({ title: 't', message: 'm', link })).toMatchObject({ value: { link } });
    },
  );

  test.each([
    'javascript:alert(1)',
    'JaVaScRiPt:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'https://a:b@shop.example/',
    '/a b',
    '\\\\evil',
    'mailto:a@b.example',
  ])('refuses the link %s', (link) => {
    expect(compileAction(notificationAction, { title: 't', message: 'm', link }).issues).toMatchObject([
      { path: 'actions[0].link' },
    ]);
  });

  test('fails with link_not_allowed when the rendered link leads elsewhere', () => {
    const link = '{% if payload.order_id %}javascript:alert(1){% endif %}';
    expect(compose({ title: 't', message: 'm', link })).toEqual({ ok: false, error: 'link_not_allowed' });
  });

  test('names the place of every mistake', () => {
    const { issues } = compileAction(notificationAction, {
      title: 'Hi {{ paylod.name }}',
      message: 'one\n{{ payload.name ',
      link: '{{ secret.key }}',
    });
    expect(issues).toEqual([
      { path: 'actions[0].title', message: '1:7: unknown name "paylod": did you mean "payload"?' },
      { path: 'actions[0].message', message: expect.stringMatching(/^\d+:\d+: /) },
      { path: 'actions[0].link', message: expect.stringContaining('unknown name "secret"') },
    ]);
    expect(compileAction(notificationAction, { title: 't', message: 'm', prority: 'high' }).issues).toMatchObject([
      { path: 'actions[0].prority', didYouMean: 'priority' },
    ]);
    expect(compileAction(notificationAction, { title: 't', message: 'm', priority: 'hi' }).issues).toHaveLength(1);
  });

  test('tells which fields it reads', () => {
    const { action } = compileAction(notificationAction, {
      title: '{{ payload.customer.name }} {{ recipient.name }}',
      message: '{% for item in payload.items %}{{ item.sku }}{% endfor %}{{ previous.amount }}{{ event.actor }}',
    });
    expect(action?.reads).toEqual([
      { path: 'actions[0].title', segments: ['payload', 'customer', 'name'] },
      { path: 'actions[0].message', segments: ['payload', 'items'] },
      { path: 'actions[0].message', segments: ['previous', 'amount'] },
      { path: 'actions[0].message', segments: ['event', 'actor'] },
    ]);
  });
});
