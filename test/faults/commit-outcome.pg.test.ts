import pg from 'pg';
import { describe, expect, onTestFinished, test } from 'vitest';
import { DomainEvent } from '../../src/capture/domain-event.ts';
import { unwrap } from '../../src/model/result.ts';
import { openDatabase } from '../../src/store/database.ts';
import { FaultProxy } from '../support/fault-proxy.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';
import { until } from '../support/until.ts';

const t = useTestTocsin();

class RefundRequested extends DomainEvent {}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  onTestFinished(() => client.end().catch(() => undefined));
  return client;
}

describe('what a writer cannot know', () => {
  test('F3: the answer to a commit is lost: the same event dispatched again is the same event', async () => {
    const proxy = await FaultProxy.start(t.url);
    onTestFinished(() => proxy.stop());
    const event = new RefundRequested({ tenantId: 'lost-answer', idempotencyKey: 'refund-1' });
    const stored = async () =>
      (await t.sql("select id from tocsin.events where tenant_id = 'lost-answer'")).rows.map(({ id }) => id);

    const client = await connect(proxy.url);
    await client.query('begin');
    const first = unwrap(await t.tocsin.events.dispatch(event, { tx: client }));
    expect(await stored()).toEqual([]);
    proxy.hang('to-client');
    const commit = client.query('commit').then(
      () => 'answered',
      () => 'nobody knows',
    );
    await until('it is committed', async () => (await stored()).length === 1);
    proxy.cut();
    expect(await commit).toBe('nobody knows');

    const again = unwrap(await t.tocsin.events.dispatch(event, { tx: await connect(t.url) }));
    expect(again).toEqual({ eventId: first.eventId, duplicate: true });
    expect(await stored()).toEqual([first.eventId]);
  });

  test('F31: an idle connection of the pool dies: the process lives and the pool replaces it', async () => {
    const died = Promise.withResolvers<Error>();
    const database = openDatabase({ databaseUrl: t.url, onIdleError: died.resolve });
    onTestFinished(() => database.close());
    const { rows } = await database.pool.query('select pg_backend_pid() as pid');

    await t.sql('select pg_terminate_backend($1)', [rows[0].pid]);

    expect((await died.promise).message).toContain('terminating connection');
    expect((await database.pool.query('select 1 as one')).rows).toEqual([{ one: 1 }]);
  });
});
