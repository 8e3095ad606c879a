import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Transports } from '../../../src/deliver/action.ts';
import { webhookAction } from '../../../src/deliver/actions/webhook.ts';
import { createHttpTransport, type HttpTransport } from '../../../src/deliver/transports/http.ts';
import { parseJson } from '../../../src/model/json.ts';
import { type ReceivedRequest, WebhookReceiver } from '../../support/webhook-receiver.ts';
import { attemptContext, compileAction, event, externalAction, placesOf } from './attempt.ts';

let receiver: WebhookReceiver;
let http: HttpTransport;
let transports: Transports;

beforeAll(async () => {
  receiver = await WebhookReceiver.start();
  http = createHttpTransport({ allow: { hosts: ['127.0.0.1'] } });
  transports = { sendHttp: http.sendHttp, sendMail: () => Promise.reject(new Error('no mail expected')) };
});

afterAll(async () => {
  await http.close();
  await receiver.close();
});

function context(more: Parameters<typeof attemptContext>[0] = {}) {
  return attemptContext({ transports, recipient: null, ...more });
}

async function call(config: object, more: Parameters<typeof attemptContext>[0] = {}): Promise<ReceivedRequest> {
  const count = receiver.requests.length;
  const outcome = await externalAction(webhookAction, { url: receiver.url, ...config }).deliver(context(more));
  if (outcome.status !== 'delivered') throw new Error(JSON.stringify(outcome));
  return receiver.requests[count] as ReceivedRequest;
}

function key(fill: number): string {
  return `whsec_${Buffer.alloc(32, fill).toString('base64')}`;
}

function signed(request: ReceivedRequest): Record<string, string> {
  return request.headers as Record<string, string>;
}

describe('webhookAction', () => {
  test('posts the event when there is no payload', async () => {
    const request = await call({});
    expect(request).toMatchObject({
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'Tocsin' },
    });
    expect(parseJson(request.body)).toEqual({
      event: {
        id: event.id,
        source: 'db',
        entity_type: 'order',
        entity_id: '7',
        operation: 'update',
        changed: ['amount'],
        actor: 'u9',
        occurred_at: '2026-11-21T12:00:00.000Z',
        idempotency_key: null,
      },
      payload: event.payload,
      previous: event.previous,
      changed: ['amount'],
    });
  });

  test('posts a payload of its own, values with their kind and integers exact', async () => {
    const request = await call(
      {
        url: `${receiver.url}/orders/{{ payload.order_id }}?c={{ payload.customer.name }}`,
        method: 'PUT',
        headers: {
          'X-Order': '{{ payload.order_id }} {{ payload.note }}',
          Authorization: 'Bearer {{ secret.api_key }}',
        },
        payload: {
          event: 'order.created',
          order_id: '{{ payload.order_id }}',
          text: 'Order {{ payload.order_id }}: "{{ payload.customer.name }}"',
          big: '{{ payload.big }}',
          nested: [1, null, { items: '{{ payload.items }}', key: '{{ secret.api_key }}' }],
        },
      },
      { secrets: { api_key: 'top-secret-1' } },
    );
    expect(request).toMatchObject({
      method: 'PUT',
      path: '/orders/7?c=Ada%20%3Cada%3E',
      headers: { 'x-order': '7 a b', authorization: 'Bearer top-secret-1' },
    });
    expect(parseJson(request.body)).toEqual({
      event: 'order.created',
      order_id: 7,
      text: 'Order 7: "Ada <ada>"',
      big: 9007199254740993n,
      nested: [1, null, { items: ['x'], key: 'top-secret-1' }],
    });
  });

  test('sends no body with GET, and with DELETE only one of its own', async () => {
    const get = await call({ method: 'GET' });
    const bare = await call({ method: 'DELETE' });
    const full = await call({ method: 'DELETE', payload: { id: '{{ payload.order_id }}' } });
    expect([get.body, bare.body, full.body]).toEqual(['', '', '{"id":7}']);
    expect(get.headers['content-type']).toBeUndefined();
  });

  test('lets a header of the workflow stand for one of ours', async () => {
    const request = await call({ headers: { 'Content-Type': 'application/vnd.api+json', 'User-Agent': 'Acme' } });
    expect(request.headers).toMatchObject({ 'content-type': 'application/vnd.api+json', 'user-agent': 'Acme' });
  });

  test('goes out under the id of the delivery, the same for every attempt', async () => {
    const attempt = context();
    const action = externalAction(webhookAction, { url: receiver.url });
    receiver.answerNext({ kind: 'answer', status: 500 });
    const count = receiver.requests.length;
    expect(await action.deliver(attempt)).toMatchObject({
      status: 'retry',
      reason: 'http_status',
      detail: { status: 500 },
    });
    expect(await action.deliver({ ...attempt, attempt: 2 })).toMatchObject({ status: 'delivered' });
    const ids = receiver.requests.slice(count).map((request) => request.headers['webhook-id']);
    expect(ids).toEqual([attempt.deliveryId, attempt.deliveryId]);
  });

  test('ends at the deadline of the attempt', async () => {
    receiver.answerNext({ kind: 'hang' });
    const outcome = await externalAction(webhookAction, { url: receiver.url }).deliver(
      context({ signal: AbortSignal.timeout(100) }),
    );
    expect(outcome).toMatchObject({ status: 'retry', reason: 'timeout' });
  });

  test('does not call an address that is not allowed', async () => {
    const outcome = await externalAction(webhookAction, { url: 'http://[::1]/' }).deliver(context());
    expect(outcome).toMatchObject({ status: 'failed', reason: 'url_not_allowed', detail: { host: '[::1]' } });
  });
});

describe('the signature of a webhook', () => {
  const now = new Date();

  test('is one that the Standard Webhooks library verifies', async () => {
    const request = await call(
      { signingSecret: 'hook', payload: { text: 'käse {{ payload.order_id }}' } },
      { secrets: { hook: key(1) }, now },
    );
    const library = new Webhook(key(1));
    expect(library.verify(request.body, signed(request))).toEqual({ text: 'käse 7' });
    expect(request.headers['webhook-signature']).toBe(
      library.sign(request.headers['webhook-id'] as string, now, request.body),
    );
  });

  test('does not fit another body, id, time or key', async () => {
    const request = await call({ signingSecret: 'hook' }, { secrets: { hook: key(1) }, now });
    const library = new Webhook(key(1));
    expect(() => library.verify(`${request.body} `, signed(request))).toThrow();
    expect(() => library.verify(request.body, { ...signed(request), 'webhook-id': 'another' })).toThrow();
    expect(() =>
      library.verify(request.body, {
        ...signed(request),
        'webhook-timestamp': String(Math.floor(Date.now() / 1_000) - 30),
      }),
    ).toThrow();
    expect(() => new Webhook(key(2)).verify(request.body, signed(request))).toThrow();
    const old = await call(
      { signingSecret: 'hook' },
      { secrets: { hook: key(1) }, now: new Date(now.getTime() - 301_000) },
    );
    expect(() => library.verify(old.body, signed(old))).toThrow(/too old/);
  });

  test('is there for each of two keys while they are changed', async () => {
    const request = await call({ signingSecret: 'hook' }, { secrets: { hook: `${key(1)}\n ${key(2)} ` }, now });
    expect(new Webhook(key(1)).verify(request.body, signed(request))).toBeTruthy();
    expect(new Webhook(key(2)).verify(request.body, signed(request))).toBeTruthy();
    expect(() => new Webhook(key(3)).verify(request.body, signed(request))).toThrow();
  });

  test('is there for an empty body', async () => {
    const request = await call({ method: 'GET', signingSecret: 'hook' }, { secrets: { hook: key(1) }, now });
    expect(() => new Webhook(key(1)).verify('', signed(request), { jsonParse: false })).not.toThrow();
    expect(() => new Webhook(key(2)).verify('', signed(request), { jsonParse: false })).toThrow();
  });

  test.each([
    '',
    'wrong',
    'whsec_',
    'whsec_c2hvcnQ=',
    'whsec_!!!!',
    `${key(1)} other`,
    `whsec_${Buffer.alloc(65).toString('base64')}`,
  ])('is not made with %j', async (hook) => {
    const outcome = await externalAction(webhookAction, { url: receiver.url, signingSecret: 'hook' }).deliver(
      context({ secrets: { hook } }),
    );
    expect(outcome).toMatchObject({
      status: 'failed',
      reason: 'secret_missing',
      detail: { secret: 'hook', error: expect.stringContaining('holds no key') },
    });
    if (hook.length > 8) expect(JSON.stringify(outcome)).not.toContain(hook);
  });
});

describe('secrets of a webhook', () => {
  const secret = 'tok/en+"42" &é';
  const config = () => ({
    url: receiver.url,
    headers: { Authorization: 'Bearer {{ secret.api_key }}', 'X-Hex': '{{ secret.plain }}' },
    payload: { key: '{{ secret.api_key }}' },
    signingSecret: 'hook',
  });
  const secrets = { api_key: secret, plain: 'plain-secret', hook: key(5) };

  test('never come back in an outcome, however the receiver echoes them', async () => {
    const basic = Buffer.from(`user:${secret}`).toString('base64');
    const behaviours = [
      { kind: 'echo', status: 400 } as const,
      { kind: 'echo', status: 500 } as const,
      ...[
        secret,
        basic,
        encodeURIComponent(secret),
        Buffer.from(secret).toString('hex'),
        JSON.stringify(secret),
        key(5),
        'plain-secret',
      ]
        .flatMap((text) => [text, `${'x'.repeat(4_096 - 8)}${text}`, `${'x'.repeat(2_048 - 8)}${text}`])
        .map((body) => ({ kind: 'answer', status: 403, body }) as const),
    ];
    const action = externalAction(webhookAction, config());
    for (const behaviour of behaviours) {
      receiver.answerNext(behaviour);
      const outcome = await action.deliver(context({ secrets }));
      const text = JSON.stringify(outcome);
      for (const hidden of [
        secret,
        'tok/en',
        basic,
        'plain-secret',
        'plain-se',
        key(5).slice(6, 20),
        'tok%2Fen',
        '746f6b2f',
      ]) {
        expect(text).not.toContain(hidden);
      }
    }
  });

  test('that are missing fail the delivery and are named', async () => {
    const outcome = await externalAction(webhookAction, config()).deliver(
      context({ secrets: { api_key: secret, plain: 'plain' } }),
    );
    expect(outcome).toEqual({ status: 'failed', reason: 'secret_missing', detail: { secret: 'hook' } });
  });

  test('are told as references, with their places', () => {
    expect(placesOf(externalAction(webhookAction, config()).references)).toEqual([
      'secret api_key at actions[0].headers.Authorization',
      'secret api_key at actions[0].payload',
      'secret hook at actions[0].signingSecret',
      'secret plain at actions[0].headers.X-Hex',
    ]);
  });

  test('cannot be taken by a name from the data, or all at once', () => {
    for (const value of ['{{ secret[payload.x] }}', '{{ secret }}', '{% for name in secret %}{{ name }}{% endfor %}']) {
      expect(
        compileAction(webhookAction, { url: receiver.url, headers: { 'X-A': value } }).issues.length,
      ).toBeGreaterThan(0);
    }
  });

  test('are 20 at most: each is opened for every attempt', () => {
    const names = (count: number) => Array.from({ length: count }, (_, index) => `{{ secret.key_${index} }}`);
    const { issues } = compileAction(webhookAction, { url: receiver.url, payload: names(20), signingSecret: 'hook' });
    expect(issues).toEqual([{ path: 'actions[0]', message: expect.stringContaining('at most 20 secrets') }]);
    expect(compileAction(webhookAction, { url: receiver.url, payload: names(20) }).issues).toEqual([]);
  });

  test('are not for the URL', () => {
    const { issues } = compileAction(webhookAction, { url: 'https://example.com/{{ secret.api_key }}' });
    expect(issues).toMatchObject([
      { path: 'actions[0].url', message: expect.stringContaining('unknown name "secret"') },
    ]);
  });
});

describe('what a webhook may be', () => {
  const url = 'https://example.com/';

  test.each([
    'Host',
    'host',
    'Connection',
    'Keep-Alive',
    'TE',
    'Trailer',
    'Transfer-Encoding',
    'Upgrade',
    'Expect',
    'Content-Length',
    'Forwarded',
    'X-Forwarded-For',
    'X-Real-IP',
    'Via',
    'Cookie',
    'Set-Cookie',
    'Proxy-Authorization',
    'Sec-Fetch-Site',
    'webhook-id',
    'Webhook-Signature',
  ])('not one that sets the header %s', (name) => {
    const { issues } = compileAction(webhookAction, { url, headers: { [name]: 'x' } });
    expect(issues).toEqual([{ path: `actions[0].headers.${name}`, message: expect.stringContaining('leave it out') }]);
  });

  test.each(['', 'a b', 'a\r\nb', 'a:b', 'ä', 'x'.repeat(101)])('not one with the header name %j', (name) => {
    expect(compileAction(webhookAction, { url, headers: { [name]: 'x' } }).issues).toHaveLength(1);
  });

  test('not one with a header twice, or with too many', () => {
    expect(compileAction(webhookAction, { url, headers: { 'X-A': '1', 'x-a': '2' } }).issues).toMatchObject([
      { path: 'actions[0].headers.x-a' },
    ]);
    const many = Object.fromEntries(Array.from({ length: 31 }, (_, i) => [`X-${i}`, 'x']));
    expect(compileAction(webhookAction, { url, headers: many }).issues).toMatchObject([{ path: 'actions[0].headers' }]);
  });

  test.each([
    ['characters that headers cannot carry', '漢'],
    ['more than 4096 characters', 'x'.repeat(5_000)],
  ])('not sent with %s in a header', async (_name, value) => {
    const action = externalAction(webhookAction, { url, headers: { 'X-A': '{{ payload.value }}' } });
    const outcome = await action.deliver(context({ event: { ...event, payload: { value } } }));
    expect(outcome).toMatchObject({ status: 'failed', reason: 'template_error', detail: { part: 'headers.X-A' } });
  });

  test('sent with line breaks of data as blanks in a header', async () => {
    const payload = { value: 'a\r\nX-Evil: 1\r\n\r\nbody' };
    const request = await call({ headers: { 'X-A': '{{ payload.value }}' } }, { event: { ...event, payload } });
    expect(request.headers['x-a']).toBe('a X-Evil: 1 body');
    expect(request.headers['x-evil']).toBeUndefined();
  });

  test.each([
    [{ url: 'ftp://example.com/' }, 'url', 'https://'],
    [{ url: 'https://user:pass@example.com/' }, 'url', 'user name'],
    [{ url: 'https://{{ payload.host }}/' }, 'url', 'a value must not decide where a URL leads'],
    [{ url: '{{ payload.url }}' }, 'url', 'a value must not decide where a URL leads'],
    [{ url, payload: { order_id: ['{{ payload.order_id'] } }, 'payload.order_id[0]', '1:'],
    [{ url, payload: { who: '{{ recipient.name }}' } }, 'payload.who', 'unknown name "recipient"'],
    [{ url, headers: { 'X-A': '{{ nobody }}' } }, 'headers.X-A', '1:4: unknown name "nobody"'],
    [{ url, method: 'GET', payload: {} }, 'payload', 'a GET request has no payload'],
    [{ url, method: 'TRACE' }, 'method', 'unknown value "TRACE"'],
    [{ url, retries: 3 }, 'retries', 'unknown field "retries"'],
  ])('says what is wrong with %j', (config, path, message) => {
    expect(compileAction(webhookAction, config).issues).toMatchObject([
      { path: `actions[0].${path}`, message: expect.stringContaining(message) },
    ]);
  });

  test('fails for a value that changes the path of the URL', async () => {
    const action = externalAction(webhookAction, { url: 'https://example.com/a/{{ payload.x }}/b' });
    const outcome = await action.deliver(context({ event: { ...event, payload: { x: '..' } } }));
    expect(outcome).toMatchObject({ status: 'failed', reason: 'template_error', detail: { part: 'url' } });
  });

  test('tells which fields it reads', () => {
    const action = externalAction(webhookAction, {
      url: 'https://example.com/{{ payload.a }}',
      headers: { 'X-A': '{{ previous.b }}' },
      payload: ['{{ event.actor }}'],
    });
    expect(action.reads).toEqual([
      { path: 'actions[0].url', segments: ['payload', 'a'] },
      { path: 'actions[0].headers.X-A', segments: ['previous', 'b'] },
      { path: 'actions[0].payload', segments: ['event', 'actor'] },
    ]);
  });
});
