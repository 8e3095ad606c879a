import { afterAll, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineAction } from '../../src/deliver/define-action.ts';
import { unwrap } from '../../src/model/result.ts';
import type { WorkflowInput } from '../../src/model/workflow.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { executionsOf, inboxOf, newTenant, orderNotification, orderWorkflow } from '../support/orders-workflows.ts';
import { SmtpReceiver } from '../support/smtp-receiver.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

let smtp: SmtpReceiver;

/** Mails whoever the workflow names, as a host's own action might. */
const mailTo = defineAction({
  type: 'mail_to',
  schema: z.object({ address: z.string() }),
  audience: 'once',
  deliver: ({ address }, { deliveryId, transports, signal }) =>
    transports.sendMail(
      { deliveryId, to: { name: null, address }, fromName: null, replyTo: null, subject: 's', text: 't', html: null },
      signal,
    ),
});

const t = useTestTocsin(async () => {
  smtp = await SmtpReceiver.start();
  return {
    smtp: { url: smtp.url, from: 'Shop <no-reply@shop.example>' },
    unsubscribe: { baseUrl: 'https://shop.example/unsubscribe' },
    actions: [mailTo],
  };
});
afterAll(() => smtp.close());

const mail = { type: 'email', subject: 'Order {{ payload.id }}', text: 'An order. {{ unsubscribe_url }}' };

async function mailWorkflow(tenant: string, action: Partial<WorkflowInput['actions'][number]> = {}): Promise<string> {
  return t.publish(tenant, orderWorkflow({ actions: [{ ...mail, ...action }] }));
}

/** Writes one order; answers the mails and the deliveries that came of it. */
async function order(tenant: string) {
  const before = smtp.mails.length;
  await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
  await t.settle();
  const execution = (await executionsOf(t, tenant)).at(-1);
  const deliveries = execution?.deliveries.map(
    ({ recipientId, status, reason }) => `${recipientId} ${status} ${reason}`,
  );
  return { execution, deliveries: deliveries?.toSorted(), mails: smtp.mails.slice(before) };
}

const mute = (tenant: string, userId: string, more: { channel?: string; workflowId?: string } = {}) =>
  t.tocsin.preferences.setPreference(tenant, { userId, channel: 'email', muted: true, ...more });

describe('an opt-out', () => {
  test('ends mails to that person, of this tenant and channel only, with a reason, until it is taken back', async () => {
    const [tenant, other] = [await newTenant(t), await newTenant(t)];
    const workflowId = await mailWorkflow(tenant);
    await mailWorkflow(other);
    unwrap(await mute(tenant, 'ann'));
    unwrap(await mute(tenant, 'ben', { channel: 'notification' }));

    const { execution, deliveries, mails } = await order(tenant);
    expect(deliveries).toEqual(['ann skipped opted_out', 'ben delivered null']);
    expect(execution?.status).toBe('success');
    expect(execution?.deliveries.find(({ recipientId }) => recipientId === 'ann')).toMatchObject({
      sentence: 'The recipient does not want to be told in this way.',
      attempts: [{ outcome: 'skipped', reason: 'opted_out' }],
    });
    expect(mails.map(({ to }) => to)).toEqual([['ben@example.test']]);
    expect((await order(other)).mails).toHaveLength(2);

    unwrap(await t.tocsin.preferences.unmute(tenant, { userId: 'ann', channel: 'email', workflowId }));
    expect((await order(tenant)).mails).toHaveLength(2);
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test('from one workflow ends mails of that one only', async () => {
    const tenant = await newTenant(t);
    const workflowId = await mailWorkflow(tenant, { recipients: [{ type: 'user', id: 'ann' }] });
    await mailWorkflow(tenant, { recipients: [{ type: 'user', id: 'ann' }], subject: 'other' });
    unwrap(await mute(tenant, 'ann', { workflowId }));
    const { mails } = await order(tenant);
    expect(mails.map(({ mail: { subject } }) => subject)).toEqual(['other']);
  });

  test('between planning and sending counts', async () => {
    const tenant = await newTenant(t);
    await mailWorkflow(tenant, { recipients: [{ type: 'user', id: 'ann' }] });
    smtp.failNext({ at: 'sender', reply: 451 });
    const first = await order(tenant);
    expect(first.deliveries).toEqual(['ann pending smtp_deferred']);
    unwrap(await mute(tenant, 'ann'));
    await t.sql("update tocsin.deliveries set due_at = now() where tenant_id = $1 and status = 'pending'", [tenant]);
    await t.settle();
    const [execution] = await executionsOf(t, tenant);
    expect(execution).toMatchObject({
      status: 'skipped',
      reason: 'resolved_to_nobody',
      deliveries: [
        { status: 'skipped', reason: 'opted_out', attempts: [{ outcome: 'retry' }, { outcome: 'skipped' }] },
      ],
    });
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test('does not apply to an action that says so, whose mails offer none', async () => {
    const tenant = await newTenant(t);
    await mailWorkflow(tenant, { unsubscribe: false });
    await t.publish(tenant, orderWorkflow({ actions: [{ ...orderNotification, unsubscribe: false }] }));
    unwrap(await mute(tenant, 'ann'));
    unwrap(await mute(tenant, 'ann', { channel: 'notification' }));
    const { mails } = await order(tenant);
    expect(mails).toHaveLength(2);
    expect(mails.some(({ raw }) => /^list-unsubscribe/im.test(raw))).toBe(false);
    expect(mails[0]?.mail.text?.trim()).toBe('An order.');
    expect(await inboxOf(t, tenant, 'ann')).toHaveLength(1);
  });

  test('that cannot be looked up keeps the mail waiting', async () => {
    const tenant = await newTenant(t);
    await mailWorkflow(tenant, { recipients: [{ type: 'user', id: 'ann' }] });
    unwrap(await mute(tenant, 'ann'));
    const before = smtp.mails.length;
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    const { engine } = t.tocsin;
    await t.sql('alter table tocsin.preferences rename to preferences_away');
    try {
      await expect(t.settle()).rejects.toThrow(/preferences/);
      // As a worker does that the lease of another ran out for.
      await t.sql('update tocsin.deliveries set due_at = now() where tenant_id = $1', [tenant]);
      const claimed = await engine.claim(10, null);
      expect(claimed).toHaveLength(1);
      await expect(engine.attempt(claimed, AbortSignal.timeout(10_000))).rejects.toThrow(/preferences/);
      await engine.giveBack(claimed);
    } finally {
      await t.sql('alter table tocsin.preferences_away rename to preferences');
    }
    expect((await executionsOf(t, tenant))[0]?.deliveries).toMatchObject([{ status: 'pending' }]);
    await t.settle();
    expect((await executionsOf(t, tenant))[0]?.deliveries).toMatchObject([{ status: 'skipped', reason: 'opted_out' }]);
    expect(smtp.mails).toHaveLength(before);
  });
});

describe('a muted inbox', () => {
  test('gets no notification, whether it is planned at once or after look-ups', async () => {
    const tenant = await newTenant(t);
    const workflowId = await t.publish(tenant, orderWorkflow({}));
    const slow = { type: 'role_based', user_field: 'owner_id', required_role: 'sales' };
    await t.publish(tenant, orderWorkflow({ conditions: [slow] }));
    unwrap(await mute(tenant, 'ann', { channel: 'notification' }));
    await t.sql("insert into orders (tenant_id, owner_id) values ($1, 'ben')", [tenant]);
    await t.settle();
    const deliveries = (await executionsOf(t, tenant)).map((execution) =>
      execution.deliveries.map(({ recipientId, status, reason }) => `${recipientId} ${status} ${reason}`).toSorted(),
    );
    expect(deliveries).toEqual(Array(2).fill(['ann skipped opted_out', 'ben delivered null']));
    expect(await inboxOf(t, tenant, 'ann')).toEqual([]);
    expect(await inboxOf(t, tenant, 'ben')).toHaveLength(2);

    unwrap(await t.tocsin.preferences.unmute(tenant, { userId: 'ann', channel: 'notification', workflowId }));
    await t.sql("insert into orders (tenant_id, owner_id) values ($1, 'ben')", [tenant]);
    await t.settle();
    expect(await inboxOf(t, tenant, 'ann')).toHaveLength(1);
    expect(await brokenInvariants(t.database)).toEqual([]);
  });
});

describe('an address that bounced', () => {
  test('is suppressed with what the server said, gets nothing more, and can be taken back', async () => {
    const tenant = await newTenant(t);
    await mailWorkflow(tenant, { recipients: [{ type: 'user', id: 'ann' }], unsubscribe: false });
    smtp.failNext({ at: 'recipient', reply: 550, text: '5.1.1 no such user' });
    expect((await order(tenant)).deliveries).toEqual(['ann dead hard_bounce']);
    const { items } = unwrap(await t.tocsin.suppressions.list(tenant));
    expect(items).toMatchObject([
      { address: 'ann@example.test', reason: 'hard_bounce', detail: expect.stringContaining('5.1.1 no such user') },
    ]);

    const connections = smtp.connections;
    const second = await order(tenant);
    expect(second.deliveries).toEqual(['ann skipped suppressed_address']);
    expect(second.execution).toMatchObject({ status: 'skipped', reason: 'resolved_to_nobody' });
    expect([second.mails.length, smtp.connections - connections]).toEqual([0, 0]);

    unwrap(await t.tocsin.suppressions.remove(tenant, 'Ann@Example.TEST'));
    expect((await order(tenant)).deliveries).toEqual(['ann delivered null']);
    expect(await brokenInvariants(t.database)).toEqual([]);
  });

  test('is not suppressed for a refusal that is not about the address', async () => {
    const tenant = await newTenant(t);
    await mailWorkflow(tenant, { recipients: [{ type: 'user', id: 'ann' }] });
    smtp.failNext({ at: 'recipient', reply: 550, text: '5.7.1 relaying denied' }, { at: 'data', reply: 550 });
    expect((await order(tenant)).deliveries).toEqual(['ann dead smtp_rejected']);
    expect((await order(tenant)).deliveries).toEqual(['ann dead smtp_rejected']);
    expect(unwrap(await t.tocsin.suppressions.list(tenant)).items).toEqual([]);
  });

  test("holds for mails of the host's own actions too, to whatever address, however it is written", async () => {
    const tenant = await newTenant(t);
    unwrap(await t.tocsin.suppressions.add(tenant, { address: 'box@bücher.example', reason: 'complaint' }));
    const addresses = ['Box@XN--BCHER-KVA.example', 'box@other.example'];
    for (const address of addresses) {
      await t.publish(tenant, orderWorkflow({ actions: [{ type: 'mail_to', address }], recipients: [] }));
    }
    await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
    const before = smtp.mails.length;
    await t.settle();
    expect(smtp.mails.slice(before).map(({ to }) => to)).toEqual([['box@other.example']]);
    const reasons = (await executionsOf(t, tenant)).map(({ deliveries }) => deliveries[0]?.reason);
    expect(reasons.toSorted()).toEqual([null, 'suppressed_address'].toSorted());
  });
});

describe("a tenant's sender", () => {
  test("is who mails of the host's own actions are from too", async () => {
    const tenant = await newTenant(t);
    unwrap(await t.tocsin.tenants.setSenderDomains(tenant, ['acme.example']));
    unwrap(await t.tocsin.tenants.setSender(tenant, { address: 'orders@acme.example' }));
    await t.publish(
      tenant,
      orderWorkflow({ actions: [{ type: 'mail_to', address: 'box@other.example' }], recipients: [] }),
    );
    expect((await order(tenant)).mails.map(({ mail }) => mail.from?.address)).toEqual(['orders@acme.example']);
  });

  test("is who its mails are from, and nobody else's; a domain that is taken back gives the usual sender, and says so", async () => {
    const [tenant, other] = [await newTenant(t), await newTenant(t)];
    const only = { recipients: [{ type: 'user', id: 'ann' }] };
    await mailWorkflow(tenant, only);
    await mailWorkflow(other, only);
    unwrap(await t.tocsin.tenants.setSenderDomains(tenant, ['acme.example']));
    const sender = { name: 'Acme', address: 'orders@acme.example', replyTo: 'help@acme.example' };
    unwrap(await t.tocsin.tenants.setSender(tenant, sender));

    const own = (await order(tenant)).mails[0];
    expect(own?.mail).toMatchObject({
      from: { name: 'Acme', address: 'orders@acme.example' },
      replyTo: [{ address: 'help@acme.example' }],
    });
    // Bounces go where the operator reads them.
    expect(own?.from).toBe('no-reply@shop.example');
    expect((await order(other)).mails[0]?.mail.from).toEqual({ name: 'Shop', address: 'no-reply@shop.example' });

    unwrap(await t.tocsin.tenants.setSenderDomains(tenant, []));
    const { mails, execution } = await order(tenant);
    expect(mails[0]?.mail.from).toEqual({ name: 'Acme via Shop', address: 'no-reply@shop.example' });
    expect(execution?.deliveries[0]?.attempts[0]?.detail).toMatchObject({
      sender: 'the operator does not let the tenant send from orders@acme.example: the usual sender was used',
    });
  });
});
