import pg from 'pg';
import { afterEach, describe, expect, onTestFinished, test } from 'vitest';
import type { EventProcessor } from '../../src/engine/event-processor.ts';
import { Drain, type DrainOptions } from '../../src/runtime/drain.ts';
import { finishEvents } from '../../src/store/finish-events.ts';
import { createTocsin } from '../../src/tocsin.ts';
import { entriesReadSoFar } from '../support/entries-read.ts';
import { useLogin } from '../support/logins.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';
import { until } from '../support/until.ts';

const t = useTestTocsin();

afterEach(async () => {
  await t.sql('delete from tocsin.events');
  await t.sql('delete from tocsin.event_history');
});

async function client(url = t.url): Promise<pg.Client> {
  const connected = new pg.Client({ connectionString: url, application_name: 'forgotten psql' });
  await connected.connect();
  onTestFinished(() => connected.end());
  return connected;
}

/** A transaction that somebody forgot: it sees what is there now until it ends. */
async function holdSnapshot(url?: string): Promise<pg.Client> {
  const forgotten = await client(url);
  await forgotten.query('begin isolation level repeatable read');
  await forgotten.query('select 1');
  return forgotten;
}

async function store(tenantId: string, count: number): Promise<void> {
  await t.sql(
    `insert into tocsin.events (tenant_id, source, entity_type, entity_id, operation)
     select $1, 'domain', 'order', n::text, 'insert' from generate_series(1, $2::int) n`,
    [tenantId, count],
  );
}

/** Finishes events; notes whose they were, how many were in hand at once, and what index entries were read before each batch. */
function recorder() {
  const seen: string[] = [];
  const reads: number[] = [];
  let inHand = 0;
  const most = { inHand: 0 };
  let readBefore = 0;
  const processor: EventProcessor = {
    prepare: async (connection, events) => {
      const readSoFar = await entriesReadSoFar(connection, 'tocsin.events');
      reads.push(readSoFar >= readBefore ? readSoFar - readBefore : readSoFar);
      readBefore = readSoFar;
      inHand += events.length;
      most.inHand = Math.max(most.inHand, inHand);
      return {
        write: (runner) => [
          finishEvents(
            runner,
            events.map(({ position }) => position),
          ),
        ],
        committed: () => {
          inHand -= events.length;
          seen.push(...events.map(({ tenantId }) => tenantId));
        },
      };
    },
  };
  return { processor, seen, reads, most };
}

function start(processor: EventProcessor, options: Partial<DrainOptions> = {}): Drain {
  const drain = new Drain({ database: t.database, processor, pollMs: 600_000, ...options });
  onTestFinished(() => drain.stop());
  drain.start();
  return drain;
}

/** A drain under an old snapshot that has matched 20,000 events, and that no longer passes by them with every claim. */
async function drainBehindSnapshot() {
  const recorded = recorder();
  const { processor, seen, reads } = recorded;
  await store('big', 20_000);
  await holdSnapshot();
  const drain = start(processor, { lanes: 1, costlyLookMs: 0 });
  await until('all are matched', async () => seen.length === 20_000, 20_000);
  const storeOne = async () => {
    const before = seen.length;
    await store('small', 1);
    drain.wake();
    await until('it is matched', async () => seen.length > before);
    return reads.at(-1) ?? Number.POSITIVE_INFINITY;
  };
  return { ...recorded, drain, storeOne };
}

describe('a big backlog', () => {
  test("F21: 50,000 events of one tenant wait: others' go through at once, and a worker has no more in hand than a few batches", async () => {
    const { processor, seen, most } = recorder();
    await store('big', 25_000);
    await store('small', 20);
    await store('big', 25_000);
    start(processor);
    await until('the backlog is at work', async () => seen.length > 5_000, 20_000);
    await store('other', 20);
    await until('all are matched', async () => seen.length === 50_040, 60_000);
    const lastOf = (tenantId: string) => seen.lastIndexOf(tenantId);
    expect(lastOf('small')).toBeLessThan(10_000);
    expect(lastOf('other')).toBeLessThan(40_000);
    expect(most.inHand).toBeLessThanOrEqual(2 * 600);
  });

  test('F21: claims do not pass by 20,000 matched events each time, although an old snapshot keeps their rows', async () => {
    const { storeOne } = await drainBehindSnapshot();
    await until('claims begin behind them', async () => (await storeOne()) < 2_000, 20_000);
  });

  test('F21, F27: an event that commits below where claims begin is matched too, without a poll or NOTIFY', async () => {
    const slow = await client();
    await slow.query('begin');
    await slow.query(
      "insert into tocsin.events (tenant_id, source, entity_type, operation) values ('late', 'domain', 'order', 'insert')",
    );
    const { storeOne, seen, drain } = await drainBehindSnapshot();
    await until('claims begin behind them', async () => (await storeOne()) < 2_000, 20_000);
    await drain.stop();
    await slow.query('commit');
    drain.start();
    await until('the late one is matched', async () => seen.includes('late'), 20_000);
  });
});

describe('a transaction that stays open', () => {
  test.each(['superuser', 'tocsin_worker'])(
    'F26: is named after a while by a worker whose login is %s',
    async (role) => {
      const url = role === 'superuser' ? t.url : await useLogin(t.url, { roles: [role] });
      const said: { fields: Record<string, unknown>; message: string }[] = [];
      const note = (fields: object, message: string) => said.push({ fields: { ...fields }, message });
      const tocsin = await createTocsin({
        databaseUrl: url,
        worker: { oldTransactionMs: 500 },
        logger: { debug: () => undefined, info: note, warn: note, error: note },
      });
      onTestFinished(() => tocsin.close());
      const forgotten = await holdSnapshot();
      const { rows } = await forgotten.query('select pg_backend_pid() as pid');
      const about = () => said.filter(({ fields }) => fields.pid === rows[0].pid);
      await tocsin.listener.start();
      await until('it is named', async () => about().length > 0);
      expect(about()).toMatchObject([
        {
          message: 'a transaction that stays open keeps vacuum from removing dead rows: end it',
          fields: { kind: 'session', application: 'forgotten psql', state: 'idle in transaction' },
        },
      ]);
      expect((await tocsin.listener.health()).checks.vacuum).toContain(`pid ${rows[0].pid}`);
      const metric = async () =>
        Number(/tocsin_oldest_transaction_seconds ([\d.]+)/.exec((await tocsin.metrics.render()).body)?.[1]);
      expect(await metric()).toBeGreaterThan(0);
      await forgotten.query('rollback');
      await until('its end is said', async () => about().length === 2);
      expect(about()[1]?.message).toBe('an old transaction has ended');
    },
  );
});
