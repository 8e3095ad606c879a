import { describe, expect, test } from 'vitest';
import { DomainEvent } from '../../src/capture/domain-event.ts';
import { unwrap } from '../../src/model/result.ts';
import { createTocsin } from '../../src/tocsin.ts';
import { newTenant, orderWorkflow } from '../support/orders-workflows.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

const t = useTestTocsin();

class OrderPlaced extends DomainEvent {
  readonly note: string;

  constructor(tenantId: string, note: string) {
    super({ tenantId });
    this.note = note;
  }
}

describe('QuotaService', () => {
  test('answers no limits for a tenant that has none', async () => {
    const { quotas, throttled } = unwrap(await t.tocsin.quotas.getQuotas(await newTenant(t)));
    expect(Object.values(quotas).map(({ limit, isOwn }) => [limit, isOwn])).toEqual(Array(5).fill([null, false]));
    expect(throttled).toEqual([]);
  });

  test('changes what is given, and takes away what is null', async () => {
    const tenant = await newTenant(t);
    unwrap(await t.tocsin.quotas.setQuotas(tenant, { eventsPerMinute: 100, maxWorkflows: 3 }));
    expect(unwrap(await t.tocsin.quotas.setQuotas(tenant, { maxWorkflows: null, maxRecipients: 9 }))).toEqual({
      eventsPerMinute: 100,
      deliveriesPerMinute: null,
      maxWorkflows: null,
      maxRecipients: 9,
      maxPayloadBytes: null,
    });
  });

  test.each([
    [{ eventsPerMinute: 0 }, 'eventsPerMinute'],
    [{ maxPayloadBytes: 10 }, 'maxPayloadBytes'],
    [{ maxRecipients: 1.5 }, 'maxRecipients'],
    [{ eventsPerHour: 1 }, 'eventsPerHour'],
  ])('refuses %j', async (quotas, path) => {
    const refused = await t.tocsin.quotas.setQuotas('acme', quotas as never);
    expect(refused).toMatchObject({ ok: false, error: { code: 'invalid', issues: [{ path }] } });
  });

  test('says what is used up, until when, and what waits; so do the metrics', async () => {
    const tenant = await newTenant(t);
    await t.publish(tenant, orderWorkflow({}));
    unwrap(await t.tocsin.quotas.setQuotas(tenant, { eventsPerMinute: 3 }));
    await t.sql('insert into orders (tenant_id) select $1 from generate_series(1, 10)', [tenant]);
    // At the turn of a minute it begins anew: then it is looked at again.
    for (let tries = 0; tries < 3; tries++) {
      await t.settle();
      const { throttled, quotas, waiting, minuteEndsAt } = unwrap(await t.tocsin.quotas.getQuotas(tenant));
      const metrics = (await t.tocsin.metrics.render()).body;
      if (throttled.length === 0) continue;
      expect(throttled).toEqual(['eventsPerMinute']);
      // What waits for its quota is no lag of the workers.
      await t.sql("update tocsin.events set occurred_at = now() - interval '1 hour' where tenant_id = $1", [tenant]);
      expect((await t.tocsin.listener.health()).status).toBe('ok');
      expect(quotas.eventsPerMinute).toEqual({ limit: 3, isOwn: true, used: 3 });
      expect(waiting.events % 3).toBe(1);
      expect(minuteEndsAt.getTime() % 60_000).toBe(0);
      expect(metrics).toMatch(/^tocsin_tenants_throttled\{quota="events_per_minute"\} 1$/m);
      return;
    }
    expect.unreachable('the tenant was never throttled');
  });

  test('holds the defaults of the deployment for tenants without their own', async () => {
    const strict = await createTocsin({ databaseUrl: t.url, quotas: { maxWorkflows: 1 } });
    const tenant = await newTenant(t);
    expect(unwrap(await strict.quotas.getQuotas(tenant)).quotas.maxWorkflows).toMatchObject({ limit: 1, isOwn: false });
    unwrap(await strict.workflows.createWorkflow(tenant, orderWorkflow({})));
    expect(await strict.workflows.createWorkflow(tenant, orderWorkflow({}))).toMatchObject({ ok: false });
    unwrap(await strict.quotas.setQuotas(tenant, { maxWorkflows: 2 }));
    unwrap(await strict.workflows.createWorkflow(tenant, orderWorkflow({})));
    await strict.close();
  });
});

describe('the quota of workflows', () => {
  test('refuses one more, with the numbers and what to do; an archived one makes room', async () => {
    const tenant = await newTenant(t);
    unwrap(await t.tocsin.quotas.setQuotas(tenant, { maxWorkflows: 1 }));
    const { id } = unwrap(await t.tocsin.workflows.createWorkflow(tenant, orderWorkflow({})));
    const refused = await t.tocsin.workflows.createWorkflow(tenant, orderWorkflow({}));
    expect(refused).toMatchObject({ ok: false, error: { code: 'quota_exceeded' } });
    expect(refused.ok ? '' : refused.error.message).toMatch(
      /has 1 workflows and its quota is 1: archive or delete one/,
    );
    unwrap(await t.tocsin.workflows.archiveWorkflow(tenant, id));
    unwrap(await t.tocsin.workflows.createWorkflow(tenant, orderWorkflow({})));
  });

  test('is not exceeded by workflows that are created at once', async () => {
    const tenant = await newTenant(t);
    unwrap(await t.tocsin.quotas.setQuotas(tenant, { maxWorkflows: 3 }));
    const made = await Promise.all(
      Array.from({ length: 8 }, () => t.tocsin.workflows.createWorkflow(tenant, orderWorkflow({}))),
    );
    expect(made.filter(({ ok }) => ok)).toHaveLength(3);
    expect(unwrap(await t.tocsin.workflows.listWorkflows(tenant, {})).items).toHaveLength(3);
  });

  test('refuses to activate beyond a quota that was lowered', async () => {
    const tenant = await newTenant(t);
    await t.publish(tenant, orderWorkflow({}));
    const { id } = unwrap(await t.tocsin.workflows.createWorkflow(tenant, orderWorkflow({})));
    unwrap(await t.tocsin.quotas.setQuotas(tenant, { maxWorkflows: 1 }));
    const refused = await t.tocsin.workflows.publishWorkflow(tenant, id);
    expect(refused).toMatchObject({ ok: false, error: { code: 'quota_exceeded' } });
    unwrap(await t.tocsin.workflows.publishWorkflow(tenant, id, { activate: false }));
    expect(await t.tocsin.workflows.activateWorkflow(tenant, id)).toMatchObject({ ok: false });
  });
});

describe('the quota of bytes', () => {
  test('refuses a domain event with the numbers, and the transaction of the caller goes on', async () => {
    const tenant = await newTenant(t);
    unwrap(await t.tocsin.quotas.setQuotas(tenant, { maxPayloadBytes: 2_000 }));
    await t.database.transaction(async (tx) => {
      const refused = await t.tocsin.events.dispatch(new OrderPlaced(tenant, 'x'.repeat(3_000)), { tx });
      expect(refused).toMatchObject({ ok: false, error: { code: 'quota_exceeded' } });
      expect(refused.ok ? '' : refused.error.message).toMatch(/OrderPlaced has 3011 bytes and the quota of .* is 2000/);
      unwrap(await t.tocsin.events.dispatch(new OrderPlaced(tenant, 'small'), { tx }));
    });
    const { rows } = await t.sql('select count(*)::int as n from tocsin.events where tenant_id = $1', [tenant]);
    expect(rows).toEqual([{ n: 1 }]);
  });
});
