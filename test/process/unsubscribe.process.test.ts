import { describe, expect, test } from 'vitest';
import { unwrap } from '../../src/model/result.ts';
import { createTocsin } from '../../src/tocsin.ts';
import { useTestDatabase } from '../support/test-database.ts';
import { WorkerProcess } from '../support/worker-process.ts';

const t = useTestDatabase();
const secretsKey = Buffer.alloc(32, 7).toString('base64');

/** Starts a worker that serves links below a URL; answers how it answers the link of a user on a port. */
async function startWorker(baseUrl: string, args: readonly string[] = []) {
  const env = { TOCSIN_UNSUBSCRIBE_URL: baseUrl, TOCSIN_SECRETS_KEY: secretsKey };
  const worker = await WorkerProcess.start(t.url, { env, args });
  const tocsin = await createTocsin({ databaseUrl: t.url, secretsKey, unsubscribe: { baseUrl } });
  const follow = async (userId: string, port: number) => {
    const of = { tenantId: 'acme', userId, channel: 'email', workflowId: null };
    const { pathname } = new URL(tocsin.unsubscribe.link(of) ?? '');
    const body = new URLSearchParams({ 'List-Unsubscribe': 'One-Click' });
    const { status } = await fetch(`http://127.0.0.1:${port}${pathname}`, { method: 'POST', body });
    const said = unwrap(await tocsin.preferences.getPreferences('acme', userId));
    return `${status} ${said.map(({ muted }) => (muted ? 'muted' : 'unmuted')).join()}`;
  };
  const stop = async () => {
    await tocsin.close();
    return worker.terminate();
  };
  return { worker, follow, stop };
}

describe('a worker with unsubscribe links', () => {
  test.each([['https://shop.example/unsubscribe'], ['https://unsubscribe.shop.example']])(
    'answers those below %s beside /healthz',
    { timeout: 60_000 },
    async (baseUrl) => {
      const { worker, follow, stop } = await startWorker(baseUrl);
      const user = new URL(baseUrl).hostname;
      expect(await follow(user, worker.httpPort)).toBe('200 muted');
      expect((await fetch(`http://127.0.0.1:${worker.httpPort}/healthz`)).status).toBe(200);
      expect((await fetch(`http://127.0.0.1:${worker.httpPort}/metrics`)).status).toBe(200);
      expect(await stop()).toBe(0);
    },
  );

  test('answers them on a port of their own only, if it has one', { timeout: 60_000 }, async () => {
    const { worker, follow, stop } = await startWorker('https://shop.example/u', ['--unsubscribe-port', '0']);
    const line = worker.log.find((text) => text.includes('unsubscribe links are answered')) ?? '';
    const { port } = JSON.parse(line) as { port: number };
    expect(await follow('bob', worker.httpPort)).toMatch(/^40\d $/);
    expect(await follow('bob', port)).toBe('200 muted');
    expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(404);
    expect(await stop()).toBe(0);
  });
});
