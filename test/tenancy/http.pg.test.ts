import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { OperationsServer } from '../../src/http/operations-server.ts';
import { createUnsubscribeHandler } from '../../src/http/unsubscribe-handler.ts';
import { unwrap } from '../../src/model/result.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';
import { makeWorlds, type Worlds } from './probe.ts';

let operations: OperationsServer;
let links: Server;
const t = useTestTocsin({ unsubscribe: { baseUrl: 'http://127.0.0.1/unsubscribe' } });
let worlds: Worlds;

beforeAll(async () => {
  worlds = await makeWorlds(t, t);
  const handler = createUnsubscribeHandler(t.tocsin.unsubscribe);
  links = createServer((request, response) => void handler(request, response));
  links.listen(0, '127.0.0.1');
  await once(links, 'listening');
  operations = new OperationsServer({
    host: '127.0.0.1',
    port: 0,
    health: () => t.tocsin.listener.health(),
    metrics: () => t.tocsin.metrics.render(),
    unsubscribe: { path: '/unsubscribe', handler },
  });
  await operations.start();
});
afterAll(async () => {
  links.close();
  await operations.stop();
});

/** Everything an answer holds. */
async function ask(url: string, init: RequestInit = {}): Promise<string> {
  const response = await fetch(url, { ...init, headers: { connection: 'close' } });
  return `${response.status} ${JSON.stringify([...response.headers])} ${await response.text()}`;
}

const oneClick = () => ({
  method: 'POST',
  body: new URLSearchParams({ 'List-Unsubscribe': 'One-Click', scope: 'all' }),
});
const preferencesOf = async (tenant: string) =>
  unwrap(await t.tocsin.preferences.list(tenant)).items.map(({ userId, channel, muted }) => ({
    userId,
    channel,
    muted,
  }));

describe('the doors', () => {
  test('say nothing of any tenant to those who ask for health and metrics', async () => {
    const { heard, words } = worlds;
    const token = t.tocsin.unsubscribe
      .link({ ...heard, channel: 'email' })
      ?.split('/')
      .at(-1);
    const base = `http://127.0.0.1:${operations.port}`;
    const paths = [
      '/',
      '/healthz',
      '/metrics',
      '/tenants',
      `/${heard.tenantId}`,
      '/unsubscribe/x',
      `/unsubscribe/${token}`,
    ];
    for (const path of paths) {
      const told = await ask(`${base}${path}`);
      expect(words.filter((word) => told.includes(word))).toEqual([]);
    }
    await t.sql('alter table tocsin.events rename to events_gone');
    const broken = [await ask(`${base}/healthz`), await ask(`${base}/metrics`)];
    await t.sql('alter table tocsin.events_gone rename to events');
    expect(broken.map((told) => told.slice(0, 3))).toEqual(['503', '503']);
    expect(words.filter((word) => broken.join().includes(word))).toEqual([]);
  });

  test('let a link opt out its own tenant’s user only, although both tenants call theirs the same', async () => {
    const { heard } = worlds;
    const { userId } = heard;
    const base = `http://127.0.0.1:${(links.address() as AddressInfo).port}`;
    const tokenOf = (tenantId: string) =>
      t.tocsin.unsubscribe
        .link({ tenantId, userId, channel: 'notification', workflowId: heard.workflowId })
        ?.split('/')
        .at(-1);
    const before = await preferencesOf(heard.tenantId);
    await ask(`${base}/${tokenOf('attacker')}`, oneClick());
    expect(await preferencesOf('attacker')).toEqual([{ userId, channel: 'notification', muted: true }]);
    expect(await preferencesOf(heard.tenantId)).toEqual(before);
    await t.sql("delete from tocsin.preferences where tenant_id = 'attacker'");
    await ask(`${base}/${tokenOf(heard.tenantId)}`, oneClick());
    expect(await preferencesOf('attacker')).toEqual([]);
    expect(await preferencesOf(heard.tenantId)).toHaveLength(before.length + 1);
  });

  test('take no token that was put together of two', async () => {
    const { heard } = worlds;
    const base = `http://127.0.0.1:${(links.address() as AddressInfo).port}`;
    const bytes = (tenantId: string) => {
      const link = t.tocsin.unsubscribe.link({ tenantId, userId: 'ann', channel: 'email', workflowId: null });
      return Buffer.from(String(link?.split('/').at(-1)), 'base64url');
    };
    const own = bytes('attacker');
    const other = bytes(heard.tenantId);
    const before = await preferencesOf(heard.tenantId);
    for (const at of [1, 17, 33, 40]) {
      for (const [head, tail] of [
        [own, other],
        [other, own],
      ] as const) {
        const token = Buffer.concat([head.subarray(0, at), tail.subarray(at)]).toString('base64url');
        const isWhole = [own, other].some((whole) => whole.toString('base64url') === token);
        if (!isWhole) expect(await ask(`${base}/${token}`, oneClick())).toMatch(/^404/);
      }
    }
    expect(await preferencesOf(heard.tenantId)).toEqual(before);
  });
});
