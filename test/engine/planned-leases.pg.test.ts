import { once } from 'node:events';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { defineAction } from '../../src/deliver/define-action.ts';
import type { Places } from '../../src/engine/planned-leases.ts';
import { unwrap } from '../../src/model/result.ts';
import type { WorkflowInput } from '../../src/model/workflow.ts';
import { Drain } from '../../src/runtime/drain.ts';
import type { ClaimedDelivery } from '../../src/store/pending-deliveries.ts';
import type { AttemptRecord } from '../../src/store/record-attempts.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { newTenant, orderWorkflow } from '../support/orders-workflows.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

/** What was sent: the user, and the status of the order. */
let sent: string[] = [];

const t = useTestTocsin({
  actions: [
    defineAction({
      type: 'send',
      schema: z.strictObject({}),
      audience: 'recipients',
      deliver: async (_config, { event, recipient }) => {
        sent.push(`${recipient?.id}: ${(event.payload as { status: string }).status}`);
        return { status: 'delivered' };
      },
    }),
  ],
});
const never = new AbortController().signal;
const send = { type: 'send' } as const;
const somePlaces: Places = { free: 5, beside: 0, ahead: new Set(), queues: null };
let tenant: string;

beforeEach(async () => {
  tenant = await newTenant(t);
  sent = [];
});

/** Matches a new order; answers the deliveries that were leased as they were planned. */
async function order(workflow: Parameters<typeof orderWorkflow>[0], places: Places | null): Promise<ClaimedDelivery[]> {
  const { engine } = t.tocsin;
  const leased: ClaimedDelivery[] = [];
  const keep = (deliveries: readonly ClaimedDelivery[]) => leased.push(...deliveries);
  engine.on('leased', keep);
  engine.offerPlaces(places && (() => places));
  onTestFinished(() => {
    engine.off('leased', keep);
    engine.offerPlaces(null);
  });
  await t.publish(tenant, orderWorkflow({ actions: [send], ...workflow }));
  await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
  await new Drain({ database: t.database, processor: engine }).runOnce();
  return leased;
}

const rows = async () =>
  (await t.sql('select * from tocsin.deliveries where tenant_id = $1 order by recipient_id', [tenant])).rows;

async function attempt(deliveries: readonly ClaimedDelivery[]): Promise<readonly AttemptRecord[]> {
  return Promise.all((await t.tocsin.engine.attempt(deliveries, never)).map((begin) => begin()));
}

describe('a delivery that is leased as it is planned', () => {
  test('is what a claim would have made of it, and nobody else can claim it', async () => {
    const leased = await order({}, somePlaces);
    expect(leased).toMatchObject([
      { recipientId: 'ann', attempts: 1, attemptsBase: 0, takenOver: false, tenantId: tenant, actionType: 'send' },
      { recipientId: 'ben', attempts: 1, attemptsBase: 0, takenOver: false, tenantId: tenant, actionType: 'send' },
    ]);
    expect(await t.tocsin.engine.claim(10, null)).toEqual([]);
    expect(await rows()).toMatchObject(
      leased.map(({ id, leaseToken }) => ({ id, lease_token: leaseToken, status: 'pending', attempts: 1 })),
    );
    // As a claim hands it out.
    await t.tocsin.engine.giveBack(leased);
    const claimed = await t.tocsin.engine.claim(10, null);
    const changing = { leaseToken: expect.any(String), nowMs: expect.any(Number) };
    expect(claimed.toSorted((a, b) => a.recipientId.localeCompare(b.recipientId))).toEqual(
      leased.map((delivery) => ({ ...delivery, ...changing })),
    );
  });

  test('is attempted with what was matched, and recorded like any other', async () => {
    const leased = await order({}, somePlaces);
    await t.tocsin.engine.record(await attempt(leased));
    expect(sent).toEqual(['ann: new', 'ben: new']);
    expect(await rows()).toMatchObject([{ status: 'delivered' }, { status: 'delivered' }]);
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test('is asked about opt-outs at the attempt', async () => {
    const leased = await order({ recipients: [{ type: 'user', id: 'ann' }] }, somePlaces);
    unwrap(await t.tocsin.preferences.setPreference(tenant, { userId: 'ann', channel: 'send', muted: true }));
    expect(await attempt(leased)).toMatchObject([{ outcome: 'skipped', reason: 'opted_out' }]);
    expect(sent).toEqual([]);
  });

  test('is taken over when its process ends before the attempt', async () => {
    const leased = await order({ recipients: [{ type: 'user', id: 'ann' }] }, somePlaces);
    await t.sql(`update tocsin.deliveries set due_at = now() - interval '1 second' where tenant_id = $1`, [tenant]);
    const second = await t.tocsin.engine.claim(10, null);
    expect(second).toMatchObject([{ id: leased[0]?.id, attempts: 2, takenOver: true }]);
    const late = await attempt(leased);
    await t.tocsin.engine.record(await attempt(second));
    await t.tocsin.engine.record(
      late.map((record) => ({ ...record, outcome: 'failed', reason: 'timeout', next: 'dead' })),
    );
    expect(await rows()).toMatchObject([{ status: 'delivered', attempts: 2 }]);
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test('is of a tenant of which nothing is due, beside the backlog of another', async () => {
    const crowd = tenant;
    const recipients = Array.from({ length: 12 }, (_, n) => ({ type: 'user' as const, id: `user ${n}` }));
    unwrap(
      await t.tocsin.directory.putUsers(
        crowd,
        recipients.map(({ id }) => ({ id })),
      ),
    );
    await order({ recipients }, null);
    const beside: Places = { ...somePlaces, free: 0, beside: 2 };
    const orderOfAnother = async (places: Places) => {
      tenant = await newTenant(t);
      return order({}, places);
    };
    // A full claim shows who has a backlog; then it is looked who else is in line.
    expect(await t.tocsin.engine.claim(4, null)).toHaveLength(4);
    expect(await orderOfAnother({ ...beside, beside: 1 })).toEqual([]);
    expect(await orderOfAnother(beside)).toMatchObject([{ tenantId: tenant }, { tenantId: tenant }]);
    tenant = crowd;
    expect(await order({ recipients: recipients.slice(0, 1) }, beside)).toEqual([]);
  });

  test('is of a tenant of which nothing waits for a place, beside another that has all its backlog leased', async () => {
    const crowd = tenant;
    await order({}, null);
    while ((await t.tocsin.engine.claim(100, null)).length > 0);
    const beside: Places = { ...somePlaces, free: 0, beside: 2, ahead: new Set([crowd]) };
    expect(await order({}, beside)).toEqual([]);
    await t.tocsin.engine.claim(100, null);
    tenant = await newTenant(t);
    expect(await order({}, beside)).toMatchObject([{ tenantId: tenant }, { tenantId: tenant }]);
  });

  test('is made by a worker without a claim', async () => {
    const { listener, engine } = t.tocsin;
    await listener.start();
    onTestFinished(() => listener.stop());
    await t.publish(tenant, orderWorkflow({ actions: [send] }));
    // The first look at the queue may still be under way: then the first order goes by it.
    for (let leased = false; !leased; ) {
      const planned = Promise.race([
        once(engine, 'leased').then(() => true),
        once(engine, 'planned').then(() => false),
      ]);
      await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
      leased = await planned;
    }
    await t.settle();
    await listener.stop();
    expect((await rows()).every(({ status, attempts }) => status === 'delivered' && attempts === 1)).toBe(true);
    expect(await brokenInvariants(t.database)).toEqual([]);
  });
});

describe('deliveries are left to a claim', () => {
  test.each<[string, Places | null, Partial<WorkflowInput>]>([
    ['when no attempts are made here', null, {}],
    ['when there are not places for all of them', { ...somePlaces, free: 1 }, {}],
    ['when others serve their queue', { ...somePlaces, queues: ['mail'] }, {}],
    [
      'when one of them is of a queue that others serve',
      { ...somePlaces, queues: ['default'] },
      {
        actions: [send, { ...send, queue: 'mail' }],
      },
    ],
    ['when they keep the order of their events', somePlaces, { actions: [{ ...send, ordering: 'entity' }] }],
  ])('%s', async (_when, places, workflow) => {
    expect(await order(workflow, places)).toEqual([]);
    for (const row of await rows()) expect(row).toMatchObject({ status: 'pending', attempts: 0, lease_token: null });
    expect((await t.tocsin.engine.claim(10, null)).length).toBeGreaterThan(0);
  });

  test('when the claim before took all that was due: then there is no backlog to be beside', async () => {
    while ((await t.tocsin.engine.claim(100, null)).length > 0);
    expect(await order({}, { ...somePlaces, free: 0, beside: 5 })).toEqual([]);
    expect(await t.tocsin.engine.claim(10, null)).toHaveLength(2);
  });

  test('while anybody has a quota of deliveries', async () => {
    unwrap(await t.tocsin.quotas.setQuotas('somebody', { deliveriesPerMinute: 1_000 }));
    onTestFinished(async () => {
      await t.tocsin.quotas.setQuotas('somebody', { deliveriesPerMinute: null });
    });
    expect(await order({}, somePlaces)).toEqual([]);
    expect(await rows()).toMatchObject([{ attempts: 0 }, { attempts: 0 }]);
  });
});
