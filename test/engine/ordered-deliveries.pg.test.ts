import pg from 'pg';
import { beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineAction } from '../../src/deliver/define-action.ts';
import { defineCondition } from '../../src/match/define-condition.ts';
import type { Json } from '../../src/model/json.ts';
import { unwrap } from '../../src/model/result.ts';
import type { DeliveryOutcome } from '../../src/model/retry.ts';
import type { WorkflowInput } from '../../src/model/workflow.ts';
import { Drain } from '../../src/runtime/drain.ts';
import { parkBlockedDeliveries } from '../../src/store/pending-deliveries.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { executionsOf, newTenant, orderWorkflow } from '../support/orders-workflows.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

const read = (payload: Json, field: string) => (payload as Record<string, Json>)[field];

/** What was delivered, as `<order> <status> <recipient>`. */
const delivered: string[] = [];
/** What attempts about an order of this status come to, until it is changed. */
const answers = new Map<string, 'retry' | 'failed'>();
/** Statuses that the condition cannot decide. */
const undecided = new Set<string>();

const t = useTestTocsin({
  conditions: [
    defineCondition({
      type: 'look_up',
      schema: z.object({}),
      evaluate: async (_config, { event }) => {
        if (undecided.has(String(read(event.payload, 'status')))) throw new Error('the look-up fails');
        return true;
      },
    }),
  ],
  actions: [
    defineAction({
      type: 'tell',
      schema: z.object({}),
      audience: 'recipients',
      deliver: async (_config, { event, recipient }): Promise<DeliveryOutcome> => {
        const status = String(read(event.payload, 'status'));
        const answer = answers.get(status);
        if (answer) return { status: answer, reason: 'not_now' };
        delivered.push(`${event.entityId} ${status} ${recipient?.id}`);
        return { status: 'delivered' };
      },
    }),
  ],
});

beforeEach(() => {
  delivered.length = 0;
  answers.clear();
  undecided.clear();
});

/** No wait ends by itself: `settleDue` ends them. */
const patient = { maxAttempts: 50, initialIntervalMs: 60_000, maxIntervalMs: 60_000 };

function changes(parts: Partial<WorkflowInput> = {}, ordering: { ordering?: 'entity' } = { ordering: 'entity' }) {
  return {
    ...orderWorkflow({
      actions: [{ type: 'tell', retry: patient, ...ordering }],
      recipients: [{ type: 'user', id: 'ann' }],
      ...parts,
    }),
    triggers: [{ entityType: 'order', operation: 'update' }],
  };
}

async function newOrder(tenant: string): Promise<string> {
  const { rows } = await t.sql('insert into orders (tenant_id) values ($1) returning id', [tenant]);
  return String(rows[0]?.id);
}

const setStatus = (id: string, status: string) => t.sql('update orders set status = $2 where id = $1', [id, status]);

/** As if the waits of retries were over. */
async function settleDue(tenant: string): Promise<void> {
  await t.sql("update tocsin.deliveries set due_at = now() where tenant_id = $1 and status = 'pending'", [tenant]);
  await t.sql("update tocsin.executions set due_at = now() where tenant_id = $1 and status = 'pending'", [tenant]);
  await t.sql('update tocsin.events set not_before = null where tenant_id = $1', [tenant]);
  await t.settle();
}

describe('deliveries with `ordering: entity`', () => {
  test('a later one waits while an earlier one is tried again; other entities and recipients do not', async () => {
    const tenant = await newTenant(t);
    await t.publish(tenant, changes());
    const [first, second] = [await newOrder(tenant), await newOrder(tenant)];
    answers.set('a', 'retry');
    for (const status of ['a', 'b', 'c']) await setStatus(first, status);
    await setStatus(second, 'x');
    await settleDue(tenant);
    await settleDue(tenant);
    expect(delivered).toEqual([`${second} x ann`]);
    answers.clear();
    for (let round = 0; round < 3; round++) await settleDue(tenant);
    expect(delivered).toEqual([`${second} x ann`, `${first} a ann`, `${first} b ann`, `${first} c ann`]);
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test('a recipient who cannot be reached keeps no other waiting', async () => {
    const tenant = await newTenant(t);
    await t.publish(tenant, changes({ recipients: [{ type: 'user', id: ['ann', 'ben'] }] }));
    const id = await newOrder(tenant);
    for (const status of ['a', 'b']) await setStatus(id, status);
    await t.settle();
    await settleDue(tenant);
    expect(delivered.filter((line) => line.endsWith('ann'))).toEqual([`${id} a ann`, `${id} b ann`]);
    expect(delivered.filter((line) => line.endsWith('ben'))).toEqual([`${id} a ben`, `${id} b ben`]);
  });

  test('one is not done while the next could not be woken', async () => {
    const tenant = await newTenant(t);
    await t.publish(tenant, changes());
    const id = await newOrder(tenant);
    for (const status of ['a', 'b']) await setStatus(id, status);
    await new Drain({ database: t.database, processor: t.tocsin.engine }).runOnce();
    // Whatever happens between the two: here nothing that is not leased can be changed.
    await t.sql(
      `create function cannot_wake() returns trigger language plpgsql as $$ begin raise 'cannot wake'; end $$`,
    );
    await t.sql(
      `create trigger cannot_wake before update on tocsin.deliveries for each row
       when (old.lease_token is null and new.lease_token is null) execute function cannot_wake()`,
    );
    try {
      const { engine } = t.tocsin;
      const [claimed] = (await engine.claim(10, null)).filter(({ tenantId }) => tenantId === tenant);
      const attempts = await engine.attempt(claimed ? [claimed] : [], new AbortController().signal);
      const records = await Promise.all(attempts.map((begin) => begin()));
      await expect(engine.record(records)).rejects.toThrow('cannot wake');
    } finally {
      await t.sql('drop trigger cannot_wake on tocsin.deliveries');
    }
    const { rows } = await t.sql('select status from tocsin.deliveries where tenant_id = $1', [tenant]);
    expect(rows).toEqual([{ status: 'pending' }, { status: 'pending' }]);
  });

  test('one that is dead lets the next go', async () => {
    const tenant = await newTenant(t);
    await t.publish(tenant, changes());
    const id = await newOrder(tenant);
    answers.set('a', 'failed');
    for (const status of ['a', 'b']) await setStatus(id, status);
    await t.settle();
    await settleDue(tenant);
    expect(delivered).toEqual([`${id} b ann`]);
    expect(unwrap(await t.tocsin.deadLetters.list(tenant, {})).items).toHaveLength(1);
  });

  test('one that is cancelled lets the next go', async () => {
    const tenant = await newTenant(t);
    await t.publish(tenant, changes());
    const id = await newOrder(tenant);
    answers.set('a', 'retry');
    await setStatus(id, 'a');
    await t.settle();
    const [first] = await executionsOf(t, tenant);
    await setStatus(id, 'b');
    await t.settle();
    unwrap(await t.tocsin.workflows.cancelExecution(tenant, first?.id ?? ''));
    await settleDue(tenant);
    expect(delivered).toEqual([`${id} b ann`]);
  });

  test('waits for an execution of an earlier event that is still to be decided', async () => {
    const tenant = await newTenant(t);
    await t.publish(tenant, changes({ conditions: [{ type: 'look_up' }] }));
    const id = await newOrder(tenant);
    undecided.add('a');
    for (const status of ['a', 'b']) await setStatus(id, status);
    await t.settle();
    expect(delivered).toEqual([]);
    undecided.clear();
    for (let round = 0; round < 2; round++) await settleDue(tenant);
    expect(delivered).toEqual([`${id} a ann`, `${id} b ann`]);
  });

  test('what is blocked is put off as long as that lasts, and woken by whatever ends it', async () => {
    const tenant = await newTenant(t);
    await t.publish(tenant, changes());
    const id = await newOrder(tenant);
    answers.set('a', 'retry');
    for (const status of ['a', 'b', 'c']) await setStatus(id, status);
    await t.settle();
    const waits = async () => {
      await t.sql('update tocsin.deliveries set due_at = now() where tenant_id = $1 and attempts = 0', [tenant]);
      await parkBlockedDeliveries(t.database.pool, { limit: 100 });
      const { rows } = await t.sql(
        `select extract(epoch from due_at - now())::int as wait from tocsin.deliveries
         where tenant_id = $1 and status = 'pending' order by ordering_position`,
        [tenant],
      );
      return rows.map(({ wait }) => Number(wait));
    };
    const [first = 0, second = 0, third = 0] = await waits();
    expect(first).toBeGreaterThan(40);
    expect(Math.abs(second - first)).toBeLessThan(5);
    expect(third).toBeGreaterThan(second - 5);
    answers.clear();
    await t.sql('update tocsin.deliveries set due_at = now() where tenant_id = $1 and attempts > 0', [tenant]);
    await t.settle();
    expect(delivered).toEqual([`${id} a ann`, `${id} b ann`, `${id} c ann`]);
  });

  test('without it a later one does not wait', async () => {
    const tenant = await newTenant(t);
    await t.publish(tenant, changes({}, {}));
    const id = await newOrder(tenant);
    answers.set('a', 'retry');
    for (const status of ['a', 'b']) await setStatus(id, status);
    await t.settle();
    expect(delivered).toEqual([`${id} b ann`]);
    const { rows } = await t.sql(
      'select count(ordering_key)::int + count(ordering_position)::int as n from tocsin.deliveries where tenant_id = $1',
      [tenant],
    );
    expect(rows).toEqual([{ n: 0 }]);
  });
});

describe('events of one entity', () => {
  /** Another worker has the oldest event in hand until it lets go. */
  async function holdOldest(tenant: string): Promise<() => Promise<void>> {
    const other = new pg.Client({ connectionString: t.url });
    await other.connect();
    await other.query('begin');
    await other.query('select 1 from tocsin.events where tenant_id = $1 order by position limit 1 for update', [
      tenant,
    ]);
    return async () => {
      await other.query('rollback');
      await other.end();
    };
  }

  test('a later one is not matched before an earlier one that another worker holds, if a workflow orders its deliveries', async () => {
    const tenant = await newTenant(t);
    await t.publish(tenant, changes());
    const [first, second] = [await newOrder(tenant), await newOrder(tenant)];
    await t.settle();
    await setStatus(first, 'a');
    const letGo = await holdOldest(tenant);
    await setStatus(first, 'b');
    await setStatus(first, 'c');
    await setStatus(second, 'x');
    await t.settle();
    expect(delivered).toEqual([`${second} x ann`]);
    const { rows } = await t.sql('select attempts from tocsin.events where tenant_id = $1', [tenant]);
    expect(rows).toEqual([{ attempts: 0 }, { attempts: 0 }, { attempts: 0 }]);
    await letGo();
    for (let round = 0; round < 3; round++) await settleDue(tenant);
    expect(delivered.slice(1)).toEqual([`${first} a ann`, `${first} b ann`, `${first} c ann`]);
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test('what is held back uses up no quota', async () => {
    const tenant = await newTenant(t);
    unwrap(await t.tocsin.quotas.setQuotas(tenant, { eventsPerMinute: 1_000 }));
    await t.publish(tenant, changes());
    const id = await newOrder(tenant);
    await t.settle();
    await t.sql('delete from tocsin.tenant_usage');
    await setStatus(id, 'a');
    const letGo = await holdOldest(tenant);
    await setStatus(id, 'b');
    for (let round = 0; round < 3; round++) {
      await t.settle();
      await t.sql('update tocsin.events set not_before = null where tenant_id = $1 and not_before is not null', [
        tenant,
      ]);
    }
    expect(delivered).toEqual([]);
    const { rows } = await t.sql('select events from tocsin.tenant_usage where tenant_id = $1 and events > 0', [
      tenant,
    ]);
    expect(rows).toEqual([]);
    await letGo();
    for (let round = 0; round < 2; round++) await settleDue(tenant);
    expect(delivered).toEqual([`${id} a ann`, `${id} b ann`]);
  });

  test('is not held back for workflows that do not', async () => {
    const tenant = await newTenant(t);
    await t.publish(tenant, changes({}, {}));
    const id = await newOrder(tenant);
    await t.settle();
    await setStatus(id, 'a');
    const letGo = await holdOldest(tenant);
    await setStatus(id, 'b');
    await t.settle();
    expect(delivered).toEqual([`${id} b ann`]);
    await letGo();
    await t.settle();
    expect(delivered).toEqual([`${id} b ann`, `${id} a ann`]);
  });
});
