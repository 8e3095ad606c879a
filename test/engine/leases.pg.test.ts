import { beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { defineAction } from '../../src/deliver/define-action.ts';
import { defineCondition } from '../../src/match/define-condition.ts';
import { Drain } from '../../src/runtime/drain.ts';
import type { ClaimedDelivery } from '../../src/store/pending-deliveries.ts';
import type { AttemptRecord } from '../../src/store/record-attempts.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { newTenant, orderWorkflow } from '../support/orders-workflows.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';
import { until } from '../support/until.ts';

/** Look-ups that wait for their answer, in the order they were asked. */
const asked: PromiseWithResolvers<boolean>[] = [];

const t = useTestTocsin({
  conditions: [
    defineCondition({
      type: 'look_up',
      schema: z.strictObject({}),
      evaluate: () => {
        const answer = Promise.withResolvers<boolean>();
        asked.push(answer);
        return answer.promise;
      },
    }),
  ],
  actions: [
    defineAction({
      type: 'send',
      schema: z.strictObject({}),
      audience: 'recipients',
      deliver: async () => ({ status: 'delivered' }),
    }),
  ],
});
const never = new AbortController().signal;
let tenant: string;

beforeEach(async () => {
  tenant = await newTenant(t);
  asked.length = 0;
});

/** An order that is matched, and no more. */
async function order(workflow: Parameters<typeof orderWorkflow>[0]): Promise<void> {
  await t.publish(tenant, orderWorkflow(workflow));
  await t.sql('insert into orders (tenant_id) values ($1)', [tenant]);
  await new Drain({ database: t.database, processor: t.tocsin.engine }).runOnce();
}

/** The only row of the tenant, as far as a lease changes it. */
const row = async (table: 'deliveries' | 'executions') =>
  (
    await t.sql(`select status, attempts, lease_token, due_at, reason from tocsin.${table} where tenant_id = $1`, [
      tenant,
    ])
  ).rows[0];

const leaseEnds = (table: 'deliveries' | 'executions') =>
  t.sql(`update tocsin.${table} set due_at = now() - interval '1 second' where tenant_id = $1`, [tenant]);

describe('a worker whose lease of a delivery ran out', () => {
  const late: Readonly<Record<string, (held: ClaimedDelivery, made: AttemptRecord) => Promise<void>>> = {
    'records that it is delivered': (_, made) => t.tocsin.engine.record([made]),
    'records that it is dead': (_, made) =>
      t.tocsin.engine.record([{ ...made, outcome: 'failed', reason: 'http_status', next: 'dead' }]),
    'lets it wait for its endpoint': (_, made) =>
      t.tocsin.engine.record([
        { ...made, outcome: 'postponed', reason: 'endpoint_paused', next: 'pending', delayMs: 3_600_000 },
      ]),
    'renews its lease': (held) => t.tocsin.engine.renew([held]),
    'gives it back': (held) => t.tocsin.engine.giveBack([held]),
  };

  test.each(Object.keys(late))('%s: nothing changes for the worker that has it now', async (what) => {
    const { engine } = t.tocsin;
    await order({ actions: [{ type: 'send' }], recipients: [{ type: 'user', id: 'ann' }] });
    const [first] = await engine.claim(10, null);
    await leaseEnds('deliveries');
    const [second] = await engine.claim(10, null);
    if (!first || !second) throw new Error('it was not claimed twice');
    expect(second).toMatchObject({ id: first.id, takenOver: true, attempts: 2 });
    const before = await row('deliveries');
    const made = await Promise.all((await engine.attempt([first], never)).map((begin) => begin()));

    await late[what]?.(first, made[0] as AttemptRecord);

    expect(await row('deliveries')).toEqual(before);
    await engine.record(await Promise.all((await engine.attempt([second], never)).map((begin) => begin())));
    expect(await row('deliveries')).toMatchObject({ status: 'delivered', attempts: 2, reason: null });
    expect(await brokenInvariants(t.database, { isDrained: true })).toEqual([]);
  });
});

describe('a worker whose lease of an execution ran out', () => {
  const stopping = () => {
    const stop = new AbortController();
    return { signal: stop.signal, end: () => stop.abort() };
  };
  const answering = (end: (answer: PromiseWithResolvers<boolean>) => void) => () => ({
    signal: never,
    end: () => end(asked[0] as PromiseWithResolvers<boolean>),
  });
  const late: Readonly<Record<string, () => { signal: AbortSignal; end: () => void }>> = {
    'plans it': answering(({ resolve }) => resolve(true)),
    'decides against it': answering(({ resolve }) => resolve(false)),
    'wants to try again': answering(({ reject }) => reject(new Error('no answer'))),
    'gives it back': stopping,
  };

  test.each(Object.keys(late))('%s: nothing is written, and the worker that has it now decides', async (what) => {
    const { engine } = t.tocsin;
    await order({ conditions: [{ type: 'look_up' }], recipients: [{ type: 'user', id: 'ann' }] });
    const { signal, end } = late[what]?.() ?? answering(() => undefined)();
    const first = engine.executeDue(10, signal);
    await until('the first asks', async () => asked.length === 1);
    await leaseEnds('executions');
    const second = engine.executeDue(10, never);
    await until('the second asks', async () => asked.length === 2);
    const before = await row('executions');
    expect(before).toMatchObject({ status: 'pending', attempts: 2 });

    end();
    await first;

    expect(await row('executions')).toEqual(before);
    expect(await row('deliveries')).toBeUndefined();
    asked[1]?.resolve(what !== 'plans it');
    await second;
    expect(await row('executions')).toMatchObject({ status: what === 'plans it' ? 'skipped' : 'success' });
    expect(await brokenInvariants(t.database, { isDrained: true })).toEqual([]);
  });
});
