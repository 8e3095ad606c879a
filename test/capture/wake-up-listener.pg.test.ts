import { EventEmitter, once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WakeUpListener, type WakeUpListenerOptions } from '../../src/capture/wake-up-listener.ts';
import { wakeUpChannel } from '../../src/model/wake-up.ts';
import { openDatabase } from '../../src/store/database.ts';
import { type Direction, FaultProxy } from '../support/fault-proxy.ts';
import { useTestDatabase } from '../support/test-database.ts';
import { until } from '../support/until.ts';
import { hostSession } from './host-table.ts';

const db = useTestDatabase();

const quick = { checkEveryMs: 50, answerWithinMs: 300 };

/** A listener through a proxy, whose calls are events that can be waited for. */
async function listen(options: Partial<WakeUpListenerOptions> = quick) {
  const proxy = await FaultProxy.start(db.url);
  onTestFinished(() => proxy.stop().catch(() => undefined));
  const calls = new EventEmitter<{ wake: []; lost: [Error] }>();
  const database = openDatabase({ databaseUrl: proxy.url });
  onTestFinished(() => database.close());
  const listener = new WakeUpListener({
    connectionConfig: database.connectionConfig,
    onWake: () => calls.emit('wake'),
    onLost: (error) => calls.emit('lost', error),
    ...options,
  });
  onTestFinished(() => listener.stop());
  return { proxy, listener, calls };
}

async function started(options?: Partial<WakeUpListenerOptions>) {
  const made = await listen(options);
  const connected = once(made.calls, 'wake');
  await made.listener.start();
  await connected;
  return made;
}

async function notify(): Promise<void> {
  await db.database.pool.query(`notify ${wakeUpChannel}`);
}

async function listenerPids(): Promise<number[]> {
  const { rows } = await db.database.pool.query<{ pid: number }>(
    "select pid from pg_stat_activity where application_name = 'tocsin listener' and datname = current_database()",
  );
  return rows.map(({ pid }) => pid);
}

describe('WakeUpListener', () => {
  test('wakes when it is connected and at each NOTIFY, and not at its own checks', async () => {
    const { calls } = await started({ checkEveryMs: 5 });
    let wakes = 0;
    calls.on('wake', () => {
      wakes += 1;
    });
    const woken = once(calls, 'wake');
    const { run } = await hostSession(db);
    for (let i = 0; i < 20; i++) await run('select pg_sleep(0.005)');
    expect(wakes).toBe(0);
    await notify();
    await woken;
    expect(wakes).toBe(1);
  });

  test.each([
    ['cut', (proxy: FaultProxy) => proxy.cut()],
    ['reset', (proxy: FaultProxy) => proxy.reset()],
  ])('is connected anew after its connection is %s, and then wakes', async (_how, fault) => {
    const { proxy, calls } = await started();
    const lost = once(calls, 'lost');
    const woken = once(calls, 'wake');
    fault(proxy);
    expect((await lost)[0]).toBeInstanceOf(Error);
    await woken;
    const again = once(calls, 'wake');
    await notify();
    await again;
  });

  test('is connected anew after its backend is terminated', async () => {
    const { calls } = await started();
    const lost = once(calls, 'lost');
    const woken = once(calls, 'wake');
    const pids = await listenerPids();
    await db.database.pool.query('select pg_terminate_backend(pid) from unnest($1::int[]) pid', [pids]);
    await Promise.all([lost, woken]);
    const again = once(calls, 'wake');
    await notify();
    await again;
  });

  test.each<Direction>(['both', 'to-client', 'to-server'])(
    'notices a connection that hangs (%s) and replaces it, also when the next one hangs for a while',
    async (direction) => {
      const { proxy, calls } = await started();
      const lost = once(calls, 'lost');
      proxy.hang(direction);
      await lost;
      await once(calls, 'lost');
      const woken = once(calls, 'wake');
      proxy.heal();
      await woken;
      const again = once(calls, 'wake');
      await notify();
      await again;
    },
  );

  test('notices by default within 10 seconds that only the server is silent', { timeout: 20_000 }, async () => {
    const { proxy, calls } = await started({});
    const before = performance.now();
    const lost = once(calls, 'lost');
    const woken = once(calls, 'wake');
    proxy.hang('to-client', { onlyExisting: true });
    await lost;
    await woken;
    expect(performance.now() - before).toBeLessThan(10_000);
  });

  test('starts without a database, and is there when the database is', async () => {
    const { proxy, listener, calls } = await listen();
    await proxy.stop();
    const lost = once(calls, 'lost');
    await listener.start();
    expect(String((await lost)[0])).toMatch(/ECONNREFUSED/);
    await once(calls, 'lost');
    const woken = once(calls, 'wake');
    await proxy.restart();
    await woken;
  });

  test('stops at once in every state, calls nothing more and leaves no connection', async () => {
    const { proxy, listener, calls } = await started();
    await listener.stop();
    await listener.stop();
    proxy.hang();
    await listener.start();
    await listener.stop();
    proxy.heal();
    const connected = once(calls, 'wake');
    await listener.start();
    await connected;
    proxy.hang();
    const after: string[] = [];
    calls.on('wake', () => after.push('wake'));
    calls.on('lost', () => after.push('lost'));
    await listener.stop();
    proxy.heal();
    await until('no connection is left', async () => (await listenerPids()).length === 0);
    expect(after).toEqual([]);
  });

  test('says which option does not fit', async () => {
    await expect(listen({ checkEveryMs: 0 })).rejects.toThrow('checkEveryMs must be at least 1, not 0');
  });
});
