import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createUnsubscribeHandler } from '../../src/http/unsubscribe-handler.ts';
import { unwrap } from '../../src/model/result.ts';
import { readUnsubscribeKeys, UnsubscribeService } from '../../src/service/unsubscribe-service.ts';
import { executionsOf, newTenant, orderWorkflow } from '../support/orders-workflows.ts';
import { SmtpReceiver } from '../support/smtp-receiver.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

let smtp: SmtpReceiver;
let server: Server;
const faults: Error[] = [];

const t = useTestTocsin(async () => {
  smtp = await SmtpReceiver.start();
  server = createServer((request, response) =>
    createUnsubscribeHandler(t.tocsin.unsubscribe, {
      name: 'Shop & <Söhne>',
      onError: (error) => faults.push(error),
    })(request, response),
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    smtp: { url: smtp.url, from: 'Shop <no-reply@shop.example>' },
    unsubscribe: { baseUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/stop/` },
  };
});
let tenant: string;
beforeAll(async () => {
  tenant = await newTenant(t);
});
afterAll(async () => {
  server.close();
  await smtp.close();
});

const oneClick = new URLSearchParams({ 'List-Unsubscribe': 'One-Click' });
const post = (url: string, body: NonNullable<RequestInit['body']> = oneClick) => fetch(url, { method: 'POST', body });

function linkOf(userId: string, workflowId: string | null = '01931b2a-7c00-7000-8000-00000000000e'): string {
  return t.tocsin.unsubscribe.link({ tenantId: tenant, userId, channel: 'email', workflowId }) ?? '';
}

const saidBy = async (userId: string) => unwrap(await t.tocsin.preferences.getPreferences(tenant, userId));

describe('the link in a mail', () => {
  test('stops the next mail when the mail client posts to it, as RFC 8058 says', async () => {
    const own = await newTenant(t);
    const workflowId = await t.publish(
      own,
      orderWorkflow({
        actions: [{ type: 'email', subject: 's', html: '<a href="{{ unsubscribe_url }}">stop</a>' }],
        recipients: [{ type: 'user', id: 'ann' }],
      }),
    );
    await t.sql('insert into orders (tenant_id) values ($1)', [own]);
    await t.settle();
    const [received] = await smtp.received(1);
    const header = (key: string) => received?.mail.headers.find((one) => one.key === key)?.value;
    const [, url = ''] = /^<([^<>\s]+)>$/.exec(header('list-unsubscribe') ?? '') ?? [];
    expect(header('list-unsubscribe-post')).toBe('List-Unsubscribe=One-Click');
    expect(received?.mail.html).toContain(`<a href="${url}">stop</a>`);
    expect(decodeURIComponent(url)).not.toMatch(/ann|example\.test/);

    expect((await post(url)).status).toBe(200);
    expect(unwrap(await t.tocsin.preferences.getPreferences(own, 'ann'))).toMatchObject([
      { channel: 'email', workflowId, muted: true, source: 'unsubscribe_link' },
    ]);
    await t.sql('insert into orders (tenant_id) values ($1)', [own]);
    await t.settle();
    expect((await executionsOf(t, own))[1]?.deliveries).toMatchObject([{ reason: 'opted_out' }]);
    expect(smtp.mails).toHaveLength(1);
  });
});

describe('createUnsubscribeHandler', () => {
  test.each([
    ['URL-encoded', () => oneClick],
    [
      'multipart',
      () => {
        const form = new FormData();
        form.set('List-Unsubscribe', 'One-Click');
        return form;
      },
    ],
  ])('records the opt-out of a POST, %s, once and again', async (kind, body) => {
    expect((await post(linkOf(kind), body())).status).toBe(200);
    expect((await post(linkOf(kind), body())).status).toBe(200);
    expect(await saidBy(kind)).toMatchObject([{ muted: true, source: 'unsubscribe_link' }]);
  });

  test('a GET shows a page and records nothing: scanners follow links', async () => {
    const answer = await fetch(linkOf('bob'));
    const page = await answer.text();
    expect(answer.status).toBe(200);
    expect(page).toContain('Stop messages from Shop &#38; &#60;Söhne&#62;?');
    expect(page).toContain('<form method="post">');
    expect(page).not.toContain('bob');
    expect((await fetch(linkOf('bob'), { method: 'HEAD' })).status).toBe(200);
    expect(await saidBy('bob')).toEqual([]);
  });

  test('the other button of the page stops all workflows, also those that were unmuted by themselves', async () => {
    const workflowId = await t.publish(tenant, orderWorkflow({}));
    unwrap(await t.tocsin.preferences.unmute(tenant, { userId: 'cas', channel: 'email', workflowId }));
    const all = new URLSearchParams({ 'List-Unsubscribe': 'One-Click', scope: 'all' });
    expect((await post(linkOf('cas'), all)).status).toBe(200);
    expect((await saidBy('cas')).map(({ workflowId, muted }) => [workflowId, muted])).toEqual([
      [null, true],
      [workflowId, true],
    ]);
  });

  test('every answer forbids scripts, frames, referrers and caches', async () => {
    const answers = [await fetch(linkOf('bob')), await fetch(`${linkOf('bob')}x`), await post(linkOf('bob'), 'x')];
    for (const { headers } of answers) {
      expect(headers.get('content-security-policy')).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('cache-control')).toBe('no-store');
    }
  });

  test.each([
    ['nothing', ''],
    ['a wrong field', new URLSearchParams({ 'list-unsubscribe': 'One-Click' })],
    ['another value', new URLSearchParams({ 'List-Unsubscribe': 'yes' })],
    ['JSON', new Blob(['{"List-Unsubscribe":"One-Click"}'], { type: 'application/json' })],
    ['broken multipart', new Blob(['--x\r\nnonsense'], { type: 'multipart/form-data; boundary=x' })],
    ['more than a form has', new URLSearchParams({ 'List-Unsubscribe': 'One-Click', more: 'x'.repeat(5_000) })],
  ])('a POST with %s is not understood, and records nothing', async (_what, body) => {
    expect((await post(linkOf('dan'), body)).status).toBe(400);
    expect(await saidBy('dan')).toEqual([]);
  });

  test('whatever is wrong with a token is answered alike', async () => {
    const link = linkOf('eve');
    const foreign = new UnsubscribeService({
      database: t.database,
      baseUrl: 'https://shop.example',
      keys: readUnsubscribeKeys({
        key: randomBytes(32).toString('hex'),
        previousKeys: [],
        secretsKey: undefined,
        previousSecretsKeys: [],
      }),
    });
    const forged = foreign
      .link({ tenantId: tenant, userId: 'eve', channel: 'email', workflowId: null })
      ?.split('/')
      .at(-1);
    const base = link.slice(0, link.lastIndexOf('/'));
    const bytes = Buffer.from(link.slice(base.length + 1), 'base64url');
    const ofNextVersion = Buffer.concat([Buffer.of(2), bytes.subarray(1)]).toString('base64url');
    const wrong = [
      `${base}/${ofNextVersion}`,
      `${base}/${bytes.subarray(0, 1).toString('base64url')}`,
      `${link.slice(0, -1)}${link.endsWith('A') ? 'B' : 'A'}`,
      link.slice(0, -4),
      `${base}/${forged}`,
      `${base}/${'A'.repeat(8_000)}`,
      `${base}/`,
      `${base}/%00%ff`,
      `${base}/<script>alert(1)</script>`,
    ];
    const answers = await Promise.all(wrong.flatMap((url) => [fetch(url), post(url)]));
    const seen = await Promise.all(answers.map(async (answer) => `${answer.status} ${await answer.text()}`));
    expect(new Set(seen).size).toBe(1);
    expect(seen[0]).toMatch(/^404 .*This link is not valid/s);
    expect(await saidBy('eve')).toEqual([]);
  });

  test('answers paths as long as a server takes them in no time', async () => {
    const path = `/${'a'.repeat(15_000)}/`;
    const start = process.cpuUsage();
    for (let i = 0; i < 20; i++) expect((await fetch(new URL(path, linkOf('ann')))).status).toBe(404);
    expect(process.cpuUsage(start).user / 1000).toBeLessThan(1_000);
  });

  test.each(['PUT', 'DELETE', 'OPTIONS'])('%s is refused', async (method) => {
    const answer = await fetch(linkOf('bob'), { method });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD, POST']);
  });

  test('a body without end is cut', async () => {
    const { port } = server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => undefined);
    const path = new URL(linkOf('bob')).pathname;
    socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-www-form-urlencoded\r\n`);
    socket.write('transfer-encoding: chunked\r\n\r\n');
    socket.write(`2000\r\n${'x'.repeat(0x2000)}\r\n`);
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('a fault is answered with 503 and told to the host, not to the caller', async () => {
    await t.sql('alter table tocsin.preferences rename to preferences_away');
    const answer = await post(linkOf('fay')).finally(() =>
      t.sql('alter table tocsin.preferences_away rename to preferences'),
    );
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '60']);
    expect(await answer.text()).not.toMatch(/preferences|relation|sql/i);
    expect(faults.map((error) => String(error.cause ?? error))).toEqual([expect.stringMatching(/preferences/)]);
  });
});
