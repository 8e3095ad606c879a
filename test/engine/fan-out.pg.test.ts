import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import type { ActionHandler } from '../../src/deliver/action.ts';
import { ok, unwrap } from '../../src/model/result.ts';
import { Drain } from '../../src/runtime/drain.ts';
import type { Person } from '../support/directory-contract.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { memoryDirectory, sampleUser } from '../support/memory-directory.ts';
import { executionsOf, orderWorkflow } from '../support/orders-workflows.ts';
import { TableLock } from '../support/table-lock.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';
import { until } from '../support/until.ts';

/** As many users as the engine asks for at a time. */
const pageSize = 2_000;

let tenant: string;
let people: Person[] = [];
/** What happens before the directory answers its first, second, ... question. */
let beforeAnswer: ((question: number) => Promise<void>) | undefined;
let questions = 0;
let composed = 0;

const t = useTestTocsin({
  directory: {
    find: async (...question) => {
      questions += 1;
      await beforeAnswer?.(questions);
      return memoryDirectory(people).find(...question);
    },
    rolesOf: async () => new Map(),
  },
});

/** A notification that counts how often it is composed. */
function countingAction(type: string, isPersonal: boolean): ActionHandler {
  return {
    type,
    schema: z.strictObject({}),
    audience: 'recipients',
    defaultTimeoutMs: 1_000,
    compile: () =>
      ok({
        kind: 'inbox',
        isPersonal,
        compose: ({ recipient }) => {
          composed += 1;
          return ok({ title: 'New', message: `for ${recipient?.id}`, priority: 'low', link: null });
        },
        reads: [],
        references: [],
      }),
  };
}

beforeEach(() => {
  tenant = randomUUID();
  people = staff('user', 5_000);
  questions = 0;
  composed = 0;
});

afterEach(async () => {
  beforeAnswer = undefined;
  for (const table of ['notifications', 'deliveries', 'executions']) await t.sql(`delete from tocsin.${table}`);
});

/** So many people of role sales. */
function staff(name: string, count: number): Person[] {
  return Array.from({ length: count }, (_, index) => ({
    tenantId: tenant,
    user: sampleUser(`${name}-${String(index).padStart(5, '0')}`),
    roles: ['sales'],
  }));
}

/** An order that is matched, and no more. */
async function order(workflow: Parameters<typeof orderWorkflow>[0] = {}): Promise<void> {
  await t.publish(tenant, orderWorkflow(workflow));
  await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
  await new Drain({ database: t.database, processor: t.tocsin.engine }).runOnce();
}

const execute = (signal = new AbortController().signal) => t.tocsin.engine.executeDue(1, signal);

async function told(): Promise<number> {
  const { rows } = await t.sql('select count(*)::int as told from tocsin.notifications');
  return Number(rows[0]?.told);
}

describe('a fan-out', () => {
  test('reads the next page while one is written, and no further', async () => {
    await order();
    const standing: number[] = [];
    beforeAnswer = async (question) => {
      if (question > 2) standing.push(await told());
    };
    const lock = await TableLock.take(t.url, 'tocsin.notifications', 'share');
    const executed = execute();
    try {
      await lock.stopsSomebody('update tocsin.executions');
      await until('the second page is read', async () => questions === 2, 5_000);
    } finally {
      await lock.release();
      await executed;
    }
    expect(standing[0]).toBeGreaterThanOrEqual(pageSize);
    expect(await told()).toBe(people.length);
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  const taken: Readonly<Record<string, { by: () => Promise<unknown>; status: string }>> = {
    'is leased to another worker': {
      by: () => t.sql('update tocsin.executions set lease_token = gen_random_uuid()'),
      status: 'pending',
    },
    'is cancelled': {
      by: async () => {
        const [execution] = await executionsOf(t, tenant);
        unwrap(await t.tocsin.workflows.cancelExecution(tenant, execution?.id ?? ''));
      },
      status: 'cancelled',
    },
  };

  test.each(Object.keys(taken))('writes no page more once its execution %s', async (what) => {
    await order();
    beforeAnswer = async (question) => {
      if (question !== 3) return;
      await until('the second page is written', async () => (await told()) === 2 * pageSize);
      await taken[what]?.by();
    };
    await execute();
    expect(await told()).toBe(2 * pageSize);
    const { rows } = await t.sql('select status from tocsin.executions');
    expect(rows).toEqual([{ status: taken[what]?.status }]);
  });

  test.each(Object.keys(taken))('does not end its execution once it %s', async (what) => {
    people = staff('user', pageSize);
    await order();
    beforeAnswer = async (question) => {
      if (question !== 2) return;
      await until('the only page is written', async () => (await told()) === pageSize);
      await taken[what]?.by();
    };
    await execute();
    const { rows } = await t.sql('select status from tocsin.executions');
    expect(rows).toEqual([{ status: taken[what]?.status }]);
  });

  test('counts what it told and whom it left out', async () => {
    people = staff('user', 300).map((person, index) =>
      index < 10 ? { ...person, user: { ...person.user, active: false } } : person,
    );
    await order();
    await execute();
    const { rows } = await t.sql(
      'select status, deliveries_open as open, deliveries_done as done, deliveries_failed as failed from tocsin.executions',
    );
    expect(rows).toEqual([{ status: 'success', open: 0, done: 290, failed: 0 }]);
    expect(await brokenInvariants(t.database, { isDrained: true })).toEqual([]);
  });

  test('goes on where a worker stopped that gave it back: nobody is told twice, and no more than may be', async () => {
    const maxRecipients = 2_200;
    await order({ settings: { maxRecipients } });
    const stop = new AbortController();
    beforeAnswer = async (question) => {
      if (question === 2) stop.abort(new Error('the worker stops'));
    };
    await execute(stop.signal);
    expect(await told()).toBe(pageSize);
    expect((await t.sql('select attempts, lease_token from tocsin.executions')).rows).toEqual([
      { attempts: 0, lease_token: null },
    ]);

    people = [...staff('colleague', 1_000), ...people.slice(1_000)];
    await execute();

    expect(await told()).toBe(maxRecipients);
    expect(await executionsOf(t, tenant)).toMatchObject([{ status: 'success' }]);
    expect(await brokenInvariants(t.database, { isDrained: true })).toEqual([]);
  });

  test.each([
    ['that is the same for everybody is composed once for each page', false, 3],
    ['that names the recipient is composed for each', true, 5_000],
  ])('a message %s', async (_what, isPersonal, times) => {
    const type = `counting_${isPersonal}`;
    t.tocsin.engine.registerActionHandler(countingAction(type, isPersonal));
    await order({ actions: [{ type }] });
    await execute();
    expect(composed).toBe(times);
    const { rows } = await t.sql(
      "select count(*)::int as told, count(*) filter (where message = 'for ' || user_id)::int as own from tocsin.notifications",
    );
    expect(rows).toEqual([{ told: people.length, own: times }]);
  });
});
