import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';
import { unwrap } from '../../src/model/result.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { orderNotification, orderWorkflow } from '../support/orders-workflows.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';
import { until } from '../support/until.ts';
import { WorkerProcess } from '../support/worker-process.ts';
import poison from './poison.config.ts';

const config = fileURLToPath(new URL('poison.config.ts', import.meta.url));
const t = useTestTocsin(poison);
const stops: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** Runs a worker and starts it again whenever it ends, as a supervisor does; counts how often it ended. */
function supervise(): { readonly crashes: number } {
  const state = { crashes: 0 };
  let current: WorkerProcess | null = null;
  let isOver = false;
  const run = async () => {
    while (!isOver) {
      current = await WorkerProcess.start(t.url, { args: ['--config', config] }).catch(() => null);
      await current?.ended();
      if (!isOver) state.crashes += 1;
    }
  };
  const running = run();
  stops.push(async () => {
    isOver = true;
    await current?.terminate();
    await running;
  });
  return state;
}

async function newPeople(tenant: string): Promise<void> {
  unwrap(await t.tocsin.directory.putUsers(tenant, [{ id: 'ann' }]));
}

const count = async (query: string, values: unknown[] = []) => (await t.sql(query, values)).rows[0]?.n as number;

/** Orders with a note for the process in their middle. */
const order = (tenant: string, note: string, orders = 300) =>
  t.sql(
    `insert into orders (tenant_id, note)
     select $1, case when n = $3 / 2 then $2 end from generate_series(1, $3::int) n`,
    [tenant, note, orders],
  );

describe('a worker that is ended by what it works on', () => {
  test.each(['abort', 'hang'])(
    'an event whose match makes the process %s is a dead letter after five attempts; its neighbours are told once, and new events flow meanwhile',
    { timeout: 180_000 },
    async (note) => {
      const tenant = `match-${note}`;
      await newPeople(tenant);
      await t.publish(
        tenant,
        orderWorkflow({ conditions: [{ type: 'poisonous_match' }], recipients: [{ type: 'user', id: 'ann' }] }),
      );
      await order(tenant, note);
      const supervisor = supervise();
      const told = () => count('select count(*)::int as n from tocsin.notifications where tenant_id = $1', [tenant]);
      await until('its neighbours are told', async () => (await told()) === 299, 90_000);
      await t.sql("insert into orders (tenant_id, note) values ($1, 'after')", [tenant]);
      await until('a new order is told', async () => (await told()) === 300, 30_000);
      await until(
        'the poison is given up',
        async () => {
          const { items } = unwrap(await t.tocsin.deadLetters.list(tenant, { kind: 'event' }));
          return items.length === 1 && items[0]?.reason === 'worker_crashed';
        },
        90_000,
      );
      expect(await count('select count(*)::int as n from tocsin.events')).toBe(0);
      expect(await told()).toBe(300);
      const { items } = unwrap(await t.tocsin.deadLetters.list(tenant, {}));
      expect(items).toMatchObject([{ kind: 'event', reason: 'worker_crashed', attempts: 5 }]);
      // The first one went by unnoticed, the second took a whole batch along, four more were of the event alone.
      expect(supervisor.crashes).toBeLessThanOrEqual(7);
      expect(await brokenInvariants(t.database)).toEqual([]);
    },
  );

  test('a look-up that ends the process fails its own execution and no other', { timeout: 180_000 }, async () => {
    await newPeople('lookup');
    await t.publish(
      'lookup',
      orderWorkflow({ conditions: [{ type: 'poisonous_lookup' }], recipients: [{ type: 'user', id: 'ann' }] }),
    );
    await order('lookup', 'abort', 6);
    supervise();
    await until(
      'the others are told',
      async () => {
        return (await count("select count(*)::int as n from tocsin.notifications where tenant_id = 'lookup'")) === 5;
      },
      120_000,
    );
    await until(
      'the poison is given up',
      async () => {
        const { items } = unwrap(await t.tocsin.deadLetters.list('lookup', {}));
        return items.length === 1 && items[0]?.reason === 'attempts_exhausted';
      },
      60_000,
    );
  });

  test('a handler that ends the process loses its own delivery and no other', { timeout: 180_000 }, async () => {
    await newPeople('handler');
    await t.publish(
      'handler',
      orderWorkflow({
        actions: [{ type: 'poisonous_action', retry: { maxAttempts: 4 } }, orderNotification],
        recipients: [{ type: 'user', id: 'ann' }],
      }),
    );
    await order('handler', 'abort', 6);
    supervise();
    await until(
      'the poison is given up',
      async () => {
        const { items } = unwrap(await t.tocsin.deadLetters.list('handler', {}));
        return items.length === 1 && items[0]?.reason === 'attempts_exhausted';
      },
      120_000,
    );
    await until(
      'the others are delivered',
      async () => {
        return (
          (await count(
            "select count(*)::int as n from tocsin.deliveries where tenant_id = 'handler' and status = 'delivered' and action_type = 'poisonous_action'",
          )) === 5
        );
      },
      60_000,
    );
    expect(await brokenInvariants(t.database)).toEqual([]);
  });
});
