import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { HttpRequest } from '../../../src/deliver/action.ts';
import { AddressNotAllowed, createGuardedConnector } from '../../../src/deliver/transports/guarded-connector.ts';
import {
  createHttpTransport,
  type HttpTransport,
  type HttpTransportOptions,
} from '../../../src/deliver/transports/http.ts';
import { createHttpPolicy } from '../../../src/deliver/transports/http-policy.ts';
import { WebhookReceiver } from '../../support/webhook-receiver.ts';
import { certificate } from './certificate.ts';

const never = new AbortController().signal;

let receiver: WebhookReceiver;
const open: HttpTransport[] = [];

function transport(options: HttpTransportOptions = {}): HttpTransport {
  const made = createHttpTransport({ allow: { hosts: ['127.0.0.1'] }, ...options });
  open.push(made);
  return made;
}

function post(url: string, more: Partial<HttpRequest> = {}): HttpRequest {
  return { url, method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"a":1}', ...more };
}

beforeEach(async () => {
  receiver = await WebhookReceiver.start();
});

afterEach(async () => {
  await receiver.close();
  await Promise.all(open.splice(0).map((made) => made.close()));
});

describe('createHttpTransport', () => {
  test('sends method, path, headers and body as given', async () => {
    const { sendHttp } = transport();
    const url = `${receiver.url}/hook/ü?q=1#part`;
    const request = post(url, { method: 'PUT', headers: { 'x-one': 'a', 'content-type': 'text/x' }, body: 'käse' });
    expect(await sendHttp(request, never)).toEqual({ status: 'delivered', detail: { status: 204 } });
    const [received] = receiver.requests;
    expect(received).toMatchObject({ method: 'PUT', path: '/hook/%C3%BC?q=1', body: 'käse' });
    expect(received?.headers).toMatchObject({
      'x-one': 'a',
      'content-type': 'text/x',
      host: `127.0.0.1:${receiver.port}`,
    });
  });

  test('uses a connection again', async () => {
    const { sendHttp } = transport({ connectionsPerOrigin: 1 });
    for (let i = 0; i < 20; i++) {
      receiver.answerNext({ kind: 'answer', status: i % 3 === 0 ? 500 : 200, body: 'x'.repeat(i * 100) });
      await sendHttp(post(receiver.url), never);
    }
    expect(receiver.requests).toHaveLength(20);
    expect(receiver.connections).toBe(1);
  });

  test('opens no more connections to an origin than it may', async () => {
    const { sendHttp } = transport({ connectionsPerOrigin: 3 });
    const outcomes = await Promise.all(Array.from({ length: 30 }, () => sendHttp(post(receiver.url), never)));
    expect(outcomes.every(({ status }) => status === 'delivered')).toBe(true);
    expect(receiver.connections).toBeLessThanOrEqual(3);
  });

  test.each([200, 201, 202, 204, 299])('has delivered with status %i', async (status) => {
    receiver.answerAlways({ kind: 'answer', status });
    expect(await transport().sendHttp(post(receiver.url), never)).toEqual({ status: 'delivered', detail: { status } });
  });

  test.each([408, 425, 429, 500, 502, 503, 504, 599])('tries status %i again', async (status) => {
    receiver.answerAlways({ kind: 'answer', status, body: 'busy' });
    const outcome = await transport().sendHttp(post(receiver.url), never);
    expect(outcome).toEqual({ status: 'retry', reason: 'http_status', detail: { status, body: 'busy' } });
  });

  test.each([300, 301, 302, 304, 307, 308, 400, 401, 403, 404, 409, 410, 413, 422, 451])(
    'gives up with status %i',
    async (status) => {
      receiver.answerAlways({
        kind: 'answer',
        status,
        headers: { location: `${receiver.url}/elsewhere`, 'retry-after': '5' },
      });
      const outcome = await transport().sendHttp(post(receiver.url), never);
      expect(outcome).toEqual({ status: 'failed', reason: 'http_status', detail: { status } });
      expect(receiver.requests).toHaveLength(1);
    },
  );

  test.each([
    ['7', 7_000],
    ['999999', 86_400_000],
    ['Sat, 21 Nov 2026 12:01:00 GMT', 60_000],
  ])('waits as Retry-After %j asks', async (value, afterMs) => {
    const headers = { 'retry-after': value, date: 'Sat, 21 Nov 2026 12:00:00 GMT' };
    for (const status of [429, 503]) {
      receiver.answerAlways({ kind: 'answer', status, headers });
      expect(await transport().sendHttp(post(receiver.url), never)).toMatchObject({ status: 'retry', afterMs });
    }
  });

  test('shows the beginning of a refusal, without control characters', async () => {
    receiver.answerAlways({ kind: 'answer', status: 400, body: `no\0pe\u001b[31m ${'y'.repeat(100_000)}` });
    const outcome = await transport().sendHttp(post(receiver.url), never);
    const { body } = outcome.detail as { body: string };
    expect(body).toMatch(/^no pe \[31m y+$/);
    expect(body).toHaveLength(4_096);
  });

  test('keeps nothing but the status of the answer to a request that carried secrets', async () => {
    for (const status of [400, 503]) {
      receiver.answerNext({ kind: 'echo', status });
      const request = post(receiver.url, { headers: { authorization: 'token-1' }, isConfidential: true });
      const { detail } = await transport().sendHttp(request, never);
      expect(detail).toEqual({ status, body: 'not kept: the request carried a secret' });
    }
    const { detail } = await transport().sendHttp(post(receiver.url, { isConfidential: true }), never);
    expect(detail).toEqual({ status: 204 });
  });

  test('sends no body that is larger than it may be, and counts bytes', async () => {
    const { sendHttp } = transport({ maxRequestBytes: 10 });
    const outcome = await sendHttp(post(receiver.url, { body: 'ééééé-' }), never);
    expect(outcome).toEqual({
      status: 'failed',
      reason: 'request_too_large',
      detail: { error: expect.stringContaining('the body has 11 bytes, more than the 10 that are sent') },
    });
    expect(receiver.connections).toBe(0);
    expect(await sendHttp(post(receiver.url, { body: 'ééééé' }), never)).toMatchObject({ status: 'delivered' });
  });

  test('does not inflate an answer', async () => {
    const body = gzipSync('z'.repeat(10_000_000));
    receiver.answerAlways({ kind: 'answer', status: 400, headers: { 'content-encoding': 'gzip' }, body });
    const outcome = await transport().sendHttp(post(receiver.url), never);
    expect(JSON.stringify(outcome).length).toBeLessThan(20_000);
    expect(outcome).toMatchObject({ detail: { status: 400, body: expect.not.stringContaining('zzzz') } });
  });
});

describe('the deadline of a request', () => {
  test.each([
    ['hangs', { kind: 'hang' } as const],
    ['sends 1xx for ever', { kind: 'informational', everyMs: 5 } as const],
    ['drips header bytes', { kind: 'raw', bytes: 'HTTP/1.1 200 OK\r\nx-a: ' } as const],
  ])('ends one that %s', async (_name, behaviour) => {
    receiver.answerAlways(behaviour);
    const startedAt = performance.now();
    const outcome = await transport().sendHttp(post(receiver.url), AbortSignal.timeout(200));
    expect(outcome).toEqual({ status: 'retry', reason: 'timeout', detail: { error: 'no answer in time' } });
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  test.each([
    [200, 'delivered'],
    [500, 'retry'],
    [404, 'failed'],
  ] as const)('ends a body that drips, and the status %i decides', async (status, expected) => {
    receiver.answerAlways({ kind: 'drip', status, everyMs: 20 });
    const startedAt = performance.now();
    const outcome = await transport().sendHttp(post(receiver.url), AbortSignal.timeout(200));
    expect(outcome).toMatchObject({ status: expected, detail: { status } });
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });

  test.each([
    [200, 'delivered'],
    [500, 'retry'],
  ] as const)(
    'is not needed for a body without end: reading stops at the limit, and the status %i decides',
    async (status, expected) => {
      receiver.answerAlways({ kind: 'endless', status });
      const outcome = await transport().sendHttp(post(receiver.url), never);
      expect(outcome).toMatchObject({ status: expected, detail: { status } });
    },
  );

  test('covers the wait for a connection', async () => {
    receiver.answerAlways({ kind: 'hang' });
    const { sendHttp } = transport({ connectionsPerOrigin: 1 });
    const [first, second] = await Promise.all([
      sendHttp(post(receiver.url), AbortSignal.timeout(200)),
      sendHttp(post(receiver.url), AbortSignal.timeout(100)),
    ]);
    expect(first).toMatchObject({ reason: 'timeout', detail: { error: 'no answer in time' } });
    expect(second).toMatchObject({ reason: 'timeout', detail: { error: 'no connection in time' } });
    expect(receiver.requests).toHaveLength(1);
  });

  test('ends one whose receiver does not read it', async () => {
    const deaf = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
    await once(deaf, 'listening');
    const { port } = deaf.address() as AddressInfo;
    const request = post(`http://127.0.0.1:${port}/`, { body: 'x'.repeat(20_000_000) });
    const outcome = await transport({ maxRequestBytes: 30_000_000 }).sendHttp(request, AbortSignal.timeout(200));
    deaf.close();
    expect(outcome).toMatchObject({ status: 'retry', reason: 'timeout' });
  });

  test('has passed before the request began: nothing is sent', async () => {
    const outcome = await transport().sendHttp(post(receiver.url), AbortSignal.abort());
    expect(outcome).toMatchObject({ status: 'retry', reason: 'timeout' });
    expect(receiver.connections).toBe(0);
  });

  test('covers a name server that does not answer', async () => {
    const { sendHttp } = transport({ lookup: () => new Promise(() => undefined), connectTimeoutMs: 300 });
    expect(await sendHttp(post('http://slow.example.com/'), AbortSignal.timeout(100))).toMatchObject({
      reason: 'timeout',
    });
    const outcome = await sendHttp(post('http://slow.example.com/'), never);
    expect(outcome).toMatchObject({ status: 'retry', reason: 'timeout', detail: { error: 'no connection in time' } });
  });
});

describe('a connection that fails', () => {
  test('before anything was sent is tried again', async () => {
    const { url } = receiver;
    await receiver.close();
    const outcome = await transport().sendHttp(post(url), never);
    expect(outcome).toMatchObject({ status: 'retry', reason: 'connection_failed', detail: { code: 'ECONNREFUSED' } });
    receiver = await WebhookReceiver.start();
  });

  test('to a name nobody knows is tried again', async () => {
    const unknown = Object.assign(new Error('queryA ENOTFOUND'), { code: 'ENOTFOUND' });
    const { sendHttp } = transport({ lookup: () => Promise.reject(unknown) });
    expect(await sendHttp(post('https://gone.example.com/'), never)).toMatchObject({
      status: 'retry',
      reason: 'connection_failed',
      detail: { code: 'ENOTFOUND' },
    });
  });

  test.each([
    ['cuts the connection', { kind: 'drop' } as const],
    ['answers something else than HTTP', { kind: 'raw', bytes: 'SSH-2.0-OpenSSH_9.6\r\n' } as const],
    [
      'switches protocols unasked',
      { kind: 'raw', bytes: 'HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n' } as const,
    ],
    [
      'sends a megabyte of headers',
      { kind: 'raw', bytes: `HTTP/1.1 200 OK\r\n${'x-pad: aaaaaaaaaaaaaaaaaaaa\r\n'.repeat(40_000)}\r\n` } as const,
    ],
    [
      'gives two lengths',
      {
        kind: 'raw',
        bytes: 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nabc',
        close: true,
      } as const,
    ],
    [
      'gives a length and chunks',
      {
        kind: 'raw',
        bytes: 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
        close: true,
      } as const,
    ],
    ['ends inside the headers', { kind: 'raw', bytes: 'HTTP/1.1 200 OK\r\nx-a: b', close: true } as const],
  ])('because the receiver %s leaves the outcome open', async (_name, behaviour) => {
    receiver.answerAlways(behaviour);
    const outcome = await transport().sendHttp(post(receiver.url), AbortSignal.timeout(5_000));
    expect(outcome).toMatchObject({ status: 'retry', reason: 'outcome_unknown' });
  });

  test('after the status line changes nothing any more', async () => {
    receiver.answerAlways({ kind: 'raw', bytes: 'HTTP/1.1 201 Created\r\ncontent-length: 10\r\n\r\nabc', close: true });
    expect(await transport().sendHttp(post(receiver.url), never)).toEqual({
      status: 'delivered',
      detail: { status: 201 },
    });
  });

  test('leaves others alone', async () => {
    const { sendHttp } = transport({ connectionsPerOrigin: 1 });
    receiver.answerNext({ kind: 'drop' });
    const [broken, next] = await Promise.all([
      sendHttp(post(receiver.url), never),
      sendHttp(post(receiver.url), never),
    ]);
    expect([broken.status, next.status].sort()).toEqual(['delivered', 'retry']);
  });
});

describe('where requests may go', () => {
  const closed: HttpTransportOptions = { allow: {} };

  test('refuses loopback, and names only the host as written', async () => {
    const url = receiver.url.replace('127.0.0.1', '2130706433');
    const outcome = await transport({ ...closed, ports: [receiver.port] }).sendHttp(
      post(`${url}/secret?token=1`),
      never,
    );
    expect(outcome).toEqual({
      status: 'failed',
      reason: 'url_not_allowed',
      detail: { host: `127.0.0.1:${receiver.port}`, error: 'the address is not a public one' },
    });
    expect(receiver.connections).toBe(0);
  });

  test.each([
    ['a private address', ['10.0.0.7']],
    ['loopback', ['127.0.0.1']],
    ['the metadata service', ['169.254.169.254']],
    ['an IPv4-mapped address', ['::ffff:127.0.0.1']],
    ['an address behind NAT64', ['64:ff9b::7f00:1']],
    ['a local address behind NAT64', ['64:ff9b:1::7f00:1']],
    ['a 6to4 address', ['2002:7f00:1::1']],
    ['loopback as IPv6', ['::1']],
    ['a unique local address', ['fd00:ec2::254']],
    ['a link-local address with its zone', ['fe80::1%lo']],
    ['the shared address space of providers', ['100.64.0.1']],
    ['multicast', ['224.0.0.1']],
    ['this network', ['0.0.0.0']],
    ['an odd notation', ['0177.0.0.1']],
    ['a public address and a private one', ['93.184.215.14', '127.0.0.1']],
    ['nothing', []],
    ['no address at all', ['localhost']],
  ])('refuses a name that stands for %s', async (_name, addresses) => {
    const { sendHttp } = transport({ ...closed, ports: [receiver.port], lookup: async () => addresses });
    const outcome = await sendHttp(post(`http://inside.example.com:${receiver.port}/`), never);
    expect(outcome).toEqual({
      status: 'failed',
      reason: 'url_not_allowed',
      detail: {
        host: `inside.example.com:${receiver.port}`,
        error: 'the host does not stand for public addresses only',
      },
    });
    expect(receiver.connections).toBe(0);
  });

  test('asks once per connection, so that a name cannot change its mind between check and call', async () => {
    const answers = [['10.0.0.1'], ['127.0.0.1']];
    const asked: string[] = [];
    const lookup = async (hostname: string) => {
      asked.push(hostname);
      return answers.shift() ?? ['127.0.0.1'];
    };
    // The range is allowed, the first answer is not in it; then one that is: it is dialled, and asked no further.
    const { sendHttp } = transport({
      allow: { cidrs: ['127.0.0.0/8'] },
      ports: [receiver.port],
      connectionsPerOrigin: 1,
      lookup,
    });
    const url = `http://rebind.example.com:${receiver.port}/`;
    expect(await sendHttp(post(url), never)).toMatchObject({ reason: 'url_not_allowed' });
    expect(await sendHttp(post(url), never)).toMatchObject({ status: 'delivered' });
    expect(await sendHttp(post(url), never)).toMatchObject({ status: 'delivered' });
    expect(asked).toEqual(['rebind.example.com', 'rebind.example.com']);
    expect(receiver.connections).toBe(1);
  });

  test('looks at the address at the other end again: the machine may have made another one of it', async () => {
    // Connecting to 0.0.0.0 ends at 127.0.0.1, which nobody allowed.
    const { sendHttp } = transport({
      allow: { cidrs: ['0.0.0.0/8'] },
      ports: [receiver.port],
      lookup: async () => ['0.0.0.0'],
    });
    expect(await sendHttp(post(`http://zero.example.com:${receiver.port}/`), never)).toMatchObject({
      status: 'failed',
      reason: 'url_not_allowed',
    });
    expect(receiver.requests).toEqual([]);
  });

  test('dials no address that is not allowed, whoever asks: not even to see where it ends', async () => {
    const policy = createHttpPolicy({}, [receiver.port]);
    const connect = createGuardedConnector({ policy, connectTimeoutMs: 1_000 });
    const host = `127.0.0.1:${receiver.port}`;
    const target = { hostname: '127.0.0.1', host, protocol: 'http:', port: String(receiver.port) };
    const answered = Promise.withResolvers<unknown>();
    connect(target, (...[error]) => answered.resolve(error));
    expect(await answered.promise).toBeInstanceOf(AddressNotAllowed);
    // One that is allowed: whatever was dialled before it has been accepted by then.
    expect(await transport().sendHttp(post(receiver.url), never)).toMatchObject({ status: 'delivered' });
    expect(receiver.connections).toBe(1);
  });

  test('goes straight there, whatever proxy the environment names', async () => {
    const proxy = await WebhookReceiver.start();
    const before = { ...process.env };
    Object.assign(process.env, { http_proxy: proxy.url, HTTP_PROXY: proxy.url, NODE_USE_ENV_PROXY: '1' });
    const outcome = await transport().sendHttp(post(receiver.url), never);
    process.env = before;
    await proxy.close();
    expect(outcome).toMatchObject({ status: 'delivered' });
    expect([proxy.connections, receiver.connections]).toEqual([0, 1]);
  });

  test('finds a host that the operator listed as other programs of this machine do', async () => {
    const { sendHttp } = transport({ allow: { hosts: ['localhost'] } });
    expect(await sendHttp(post(`http://localhost:${receiver.port}/`), never)).toMatchObject({ status: 'delivered' });
  });

  test('does not follow a redirect to an inner address', async () => {
    receiver.answerAlways({ kind: 'answer', status: 302, headers: { location: 'http://169.254.169.254/latest/' } });
    const outcome = await transport().sendHttp(post(receiver.url, { method: 'GET', body: null }), never);
    expect(outcome).toEqual({ status: 'failed', reason: 'http_status', detail: { status: 302 } });
  });

  test('tries the next address of a name when the first does not answer', async () => {
    const lookup = async () => ['127.0.0.2', '127.0.0.1'];
    const { sendHttp } = transport({ allow: { hosts: ['two.example.com'] }, lookup });
    expect(await sendHttp(post(`http://two.example.com:${receiver.port}/`), never)).toMatchObject({
      status: 'delivered',
    });
  });
});

describe('HTTPS', () => {
  test('checks the certificate against the name while it dials the address', async () => {
    const secured = await WebhookReceiver.start({ tls: certificate });
    const lookup = async () => ['127.0.0.1'];
    const hosts = ['hooks.example.test', 'other.example.test'];
    const trusting = transport({ allow: { hosts }, lookup, ca: certificate.cert });
    const good = await trusting.sendHttp(post(`https://hooks.example.test:${secured.port}/`), never);
    const wrongName = await trusting.sendHttp(post(`https://other.example.test:${secured.port}/`), never);
    const unknown = await transport({ allow: { hosts }, lookup }).sendHttp(
      post(`https://hooks.example.test:${secured.port}/`),
      never,
    );
    await secured.close();
    expect(good).toMatchObject({ status: 'delivered' });
    expect(wrongName).toMatchObject({ reason: 'connection_failed', detail: { code: 'ERR_TLS_CERT_ALTNAME_INVALID' } });
    expect(unknown).toMatchObject({ reason: 'connection_failed', detail: { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' } });
    expect(secured.requests).toHaveLength(1);
  });
});
