import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineAction } from '../../src/deliver/define-action.ts';
import { createHandlers } from '../../src/engine/built-in-handlers.ts';
import type { EventProcessor } from '../../src/engine/event-processor.ts';
import { WorkflowEngine } from '../../src/engine/workflow-engine.ts';
import type { QuotaInput } from '../../src/model/quota.ts';
import { ok, unwrap } from '../../src/model/result.ts';
import { Drain } from '../../src/runtime/drain.ts';
import { createDefaultDirectory } from '../../src/store/directory.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { executionsOf, inboxOf, newTenant, orderNotification, orderWorkflow } from '../support/orders-workflows.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';
import { until } from '../support/until.ts';

const slow = defineAction({
  type: 'slow',
  schema: z.object({}),
  audience: 'recipients',
  deliver: async () => ({ status: 'delivered' }),
});
const t = useTestTocsin({ actions: [slow] });

/** An engine whose minutes are this long, and what it sent. */
function engineWith(usageWindowMs: number): { engine: WorkflowEngine; sent: string[] } {
  const sent: string[] = [];
  const { database } = t;
  const engine = new WorkflowEngine({
    database,
    handlers: createHandlers(),
    directory: createDefaultDirectory(database),
    delivery: {
      transports: {
        sendMail: async () => ({ status: 'delivered' }),
        sendHttp: async ({ url }) => {
          sent.push(url);
          return { status: 'delivered' };
        },
      },
      openSecret: async () => ok('secret'),
      storedTemplate: async () => null,
    },
    countMatches: async () => 0,
    leaseMs: 30_000,
    lookupTimeoutMs: 5_000,
    usageWindowMs,
  });
  return { engine, sent };
}

async function tenantWith(quotas: QuotaInput, workflow: Parameters<typeof orderWorkflow>[0] = {}): Promise<string> {
  const tenant = await newTenant(t);
  unwrap(await t.tocsin.quotas.setQuotas(tenant, quotas));
  await t.publish(tenant, orderWorkflow(workflow));
  return tenant;
}

const order = (tenant: string, count = 1) =>
  t.sql('insert into orders (tenant_id) select $1 from generate_series(1, $2::int)', [tenant, count]);

async function count(what: string, tenant: string): Promise<number> {
  const { rows } = await t.sql(`select count(*)::int as n from tocsin.${what} where tenant_id = $1`, [tenant]);
  return rows[0]?.n as number;
}

const anHour = 3_600_000;

describe('the quota of events per minute', () => {
  test('lets so many be matched; the others wait in the outbox, other tenants do not', async () => {
    const tenant = await tenantWith({ eventsPerMinute: 30 });
    const other = await tenantWith({});
    const drain = new Drain({ database: t.database, processor: engineWith(anHour).engine, batchSize: 20 });
    await order(tenant, 100);
    await order(other, 50);
    await drain.runOnce();
    expect([await count('event_history', tenant), await count('events', tenant)]).toEqual([30, 70]);
    expect(await count('event_history', other)).toBe(50);
    await order(other, 5);
    await drain.runOnce();
    expect(await count('event_history', other)).toBe(55);
    expect(await count('event_history', tenant)).toBe(30);
    await t.sql('delete from tocsin.events');
  });

  test('holds over all workers', async () => {
    const tenant = await tenantWith({ eventsPerMinute: 10 });
    await order(tenant, 30);
    for (let worker = 0; worker < 3; worker++) {
      await new Drain({ database: t.database, processor: engineWith(anHour).engine, batchSize: 5 }).runOnce();
    }
    expect(await count('event_history', tenant)).toBe(10);
    await t.sql('delete from tocsin.events');
  });

  test('loses nothing: 5,000 events over it all arrive in the end, in the order they were stored', async () => {
    const tenant = await tenantWith({ eventsPerMinute: 150 });
    const { engine } = engineWith(60);
    await order(tenant, 5_000);
    let waits = 0;
    const processor: EventProcessor = {
      prepare: async (...batch) => {
        const prepared = await engine.prepare(...batch);
        waits += prepared.waiting?.length ?? 0;
        return prepared;
      },
    };
    // A batch is more than a minute's worth.
    const drain = new Drain({ database: t.database, processor, lanes: 1, batchSize: 200, useNotify: false });
    drain.start();
    await until('all have arrived', async () => (await count('event_history', tenant)) === 5_000, 25_000);
    await drain.stop();
    expect(waits).toBeGreaterThan(10);
    expect(await count('notifications', tenant)).toBe(10_000);
    const { rows } = await t.sql(
      `select count(*)::int as n from (
         select entity_id::int as id, lag(entity_id::int) over (order by processed_at, entity_id::int) as before
         from tocsin.event_history where tenant_id = $1) e
       where id < before`,
      [tenant],
    );
    expect(rows).toEqual([{ n: 0 }]);
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test('is the present one: raising it lets the others go on', async () => {
    const tenant = await tenantWith({ eventsPerMinute: 5 });
    const { engine } = engineWith(anHour);
    await order(tenant, 20);
    await new Drain({ database: t.database, processor: engine }).runOnce();
    expect(await count('event_history', tenant)).toBe(5);
    unwrap(await t.tocsin.quotas.setQuotas(tenant, { eventsPerMinute: null }));
    await new Drain({ database: t.database, processor: engine }).runOnce();
    expect(await count('event_history', tenant)).toBe(20);
  });
});

describe('the quota of deliveries per minute', () => {
  const webhook = { type: 'webhook', url: 'https://hooks.example/{{ payload.tenant_id }}', payload: {} };

  test('lets so many go out; the others stay pending, other tenants do not wait', async () => {
    const tenant = await tenantWith({ deliveriesPerMinute: 7 }, { actions: [webhook] });
    const other = await tenantWith({}, { actions: [webhook] });
    const { engine, sent } = engineWith(anHour);
    await order(tenant, 20);
    await order(other, 10);
    await new Drain({ database: t.database, processor: engine }).runOnce();
    for (let n = 0; n < 6; n++) {
      const claimed = await engine.claim(10, null);
      const attempts = await engine.attempt(claimed, new AbortController().signal);
      await engine.record(await Promise.all(attempts.map((begin) => begin())));
    }
    const sentTo = (name: string) => sent.filter((url) => url.endsWith(name)).length;
    expect([sentTo(tenant), sentTo(other)]).toEqual([7, 10]);
    const { rows } = await t.sql(
      "select attempts, count(*)::int as n from tocsin.deliveries where tenant_id = $1 and status = 'pending' group by 1",
      [tenant],
    );
    expect(rows).toEqual([{ attempts: 0, n: 13 }]);
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test('goes on with the next minute, until all are out', async () => {
    const tenant = await tenantWith({ deliveriesPerMinute: 4 }, { actions: [webhook] });
    const { engine, sent } = engineWith(200);
    await order(tenant, 12);
    await new Drain({ database: t.database, processor: engine }).runOnce();
    let most = 0;
    await until('all are out', async () => {
      const claimed = await engine.claim(50, null);
      most = Math.max(most, claimed.filter(({ tenantId }) => tenantId === tenant).length);
      const attempts = await engine.attempt(claimed, new AbortController().signal);
      await engine.record(await Promise.all(attempts.map((begin) => begin())));
      return sent.filter((url) => url.endsWith(tenant)).length === 12;
    });
    expect(most).toBeLessThanOrEqual(4);
  });

  test('what is over it and ended another worker is still known to have done so', async () => {
    const tenant = await tenantWith({ deliveriesPerMinute: 2 }, { actions: [webhook] });
    const { engine } = engineWith(anHour);
    await order(tenant, 5);
    await new Drain({ database: t.database, processor: engine }).runOnce();
    await t.sql(
      `update tocsin.deliveries set lease_token = gen_random_uuid(), attempts = 1, due_at = now()
       where id = (select max(id::text)::uuid from tocsin.deliveries where tenant_id = $1)`,
      [tenant],
    );
    expect(await engine.claim(50, null)).toHaveLength(2);
    const { rows } = await t.sql(
      `select attempts, lease_token is not null as is_marked, count(*)::int as n
       from tocsin.deliveries
       where tenant_id = $1
         and due_at <= now() + interval '1 second'
       group by 1, 2
       order by 1`,
      [tenant],
    );
    expect(rows).toEqual([
      { attempts: 0, is_marked: false, n: 2 },
      { attempts: 1, is_marked: true, n: 1 },
    ]);
  });

  test('does not count what was given back', async () => {
    const tenant = await tenantWith({ deliveriesPerMinute: 4 }, { actions: [webhook] });
    const { engine } = engineWith(anHour);
    await order(tenant, 4);
    await new Drain({ database: t.database, processor: engine }).runOnce();
    await engine.giveBack(await engine.claim(50, null));
    expect(await engine.claim(50, null)).toHaveLength(4);
  });
});

describe('the quota of recipients', () => {
  test.each([
    ['at once', {}],
    ['page by page', { conditions: [{ type: 'role_based', user_field: 'owner_id', required_role: 'sales' }] }],
  ])('caps what a workflow may tell, planned %s, and the trace says so', async (_how, workflow) => {
    const tenant = await tenantWith({ maxRecipients: 1 }, workflow);
    await t.sql("insert into orders (tenant_id, owner_id) values ($1, 'ann')", [tenant]);
    await t.settle();
    expect(await inboxOf(t, tenant, 'ann')).toHaveLength(1);
    expect(await inboxOf(t, tenant, 'ben')).toHaveLength(0);
    const [execution] = await executionsOf(t, tenant);
    expect(execution?.trace.actions[0]?.recipients).toMatchObject([{ reason: 'quota_recipients', most: 1 }]);
    expect(execution).toMatchObject({ status: 'partial', reason: 'quota_recipients' });
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test.each([
    ['at once', {}],
    ['page by page', { conditions: [{ type: 'role_based', user_field: 'owner_id', required_role: 'sales' }] }],
    ['with deliveries that go out', { actions: [{ type: 'slow' }, orderNotification] }],
  ])('loses nobody: who was left out, planned %s, is told once the quota is raised', async (_how, workflow) => {
    const tenant = await tenantWith({ maxRecipients: 1 }, workflow);
    await t.sql("insert into orders (tenant_id, owner_id) values ($1, 'ann')", [tenant]);
    await t.settle();
    const letters = unwrap(await t.tocsin.deadLetters.list(tenant, { reason: 'quota_recipients' })).items;
    expect(letters).toMatchObject([{ kind: 'execution', reason: 'quota_recipients' }]);
    unwrap(await t.tocsin.quotas.setQuotas(tenant, { maxRecipients: 5 }));
    unwrap(await t.tocsin.deadLetters.redrive(tenant, { all: true, reason: 'quota_recipients' }));
    await t.settle();
    expect(await inboxOf(t, tenant, 'ann')).toHaveLength(1);
    expect(await inboxOf(t, tenant, 'ben')).toHaveLength(1);
    expect(await executionsOf(t, tenant)).toMatchObject([{ status: 'success', reason: null }]);
    expect(unwrap(await t.tocsin.deadLetters.list(tenant, {})).items).toEqual([]);
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test('leaves a workflow its own limit when that is lower', async () => {
    const tenant = await tenantWith({ maxRecipients: 5 }, { settings: { maxRecipients: 1 } });
    await order(tenant);
    await t.settle();
    const [execution] = await executionsOf(t, tenant);
    expect(execution?.trace.actions[0]?.recipients).toMatchObject([{ reason: 'fanout_capped', most: 1 }]);
    expect(execution?.status).toBe('success');
  });
});

describe('the quota of bytes', () => {
  const note = (bytes: number) => 'x'.repeat(bytes);

  test.each([2_000, 100_000])(
    'never fails the write of the host: an event of %i bytes is a dead letter, redriven once the quota is raised',
    async (bytes) => {
      const tenant = await tenantWith({ maxPayloadBytes: 1_500 });
      await t.sql('insert into orders (tenant_id, note) values ($1, $2), ($1, $3)', [tenant, note(10), note(bytes)]);
      await t.settle();
      expect(await inboxOf(t, tenant, 'ann')).toHaveLength(1);
      const letters = unwrap(await t.tocsin.deadLetters.list(tenant, {})).items;
      expect(letters).toMatchObject([
        { kind: 'event', reason: expect.stringMatching(/^payload_too_large: \d+ bytes, the quota is 1500$/) },
      ]);
      unwrap(await t.tocsin.quotas.setQuotas(tenant, { maxPayloadBytes: 200_000 }));
      unwrap(await t.tocsin.deadLetters.redrive(tenant, { all: true }));
      await t.settle();
      expect(await inboxOf(t, tenant, 'ann')).toHaveLength(2);
      expect(await brokenInvariants(t.database)).toEqual([]);
    },
  );
});
