import { afterAll, beforeEach, describe, expect, test } from 'vitest';
import { unwrap } from '../../src/model/result.ts';
import { SmtpReceiver } from '../../src/testing/smtp-receiver.ts';
import { WebhookReceiver } from '../../src/testing/webhook-receiver.ts';
import { mailHits, webhookHits } from '../support/hit.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { executionsOf, newTenant, orderWorkflow } from '../support/orders-workflows.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';

let mails: SmtpReceiver;
let webhooks: WebhookReceiver;
const t = useTestTocsin(async () => {
  mails = await SmtpReceiver.start();
  webhooks = await WebhookReceiver.start();
  return { smtp: { url: mails.url, from: 'tocsin@example.test' } };
});
let tenant: string;

beforeEach(async () => {
  tenant = await newTenant(t);
  // The next mail is greeted.
  mails.dropConnections();
  webhooks.answerAlways({ kind: 'answer', status: 204 });
});

afterAll(async () => {
  const hits = [...webhookHits(webhooks), ...mailHits(mails)];
  expect(await brokenInvariants(t.database, { hits })).toEqual([]);
  await mails.close();
  await webhooks.close();
});

const hourly = { maxAttempts: 3, initialIntervalMs: 3_600_000, maxIntervalMs: 3_600_000 };

async function mailOnOrder(): Promise<void> {
  const action = { type: 'email', subject: '{{ event.id }}', text: 'x', retry: hourly, timeoutMs: 1_500 };
  await t.publish(tenant, orderWorkflow({ actions: [action], recipients: [{ type: 'user', id: 'ann' }] }));
}

async function webhookOnOrder(): Promise<void> {
  const payload = { event: '{{ event.id }}' };
  const action = { type: 'webhook', url: `${webhooks.url}/${tenant}`, payload, retry: hourly, timeoutMs: 1_500 };
  await t.publish(tenant, orderWorkflow({ actions: [action], recipients: [] }));
}

async function order(count = 1): Promise<void> {
  await t.sql('insert into orders (tenant_id) select $1 from generate_series(1, $2::int)', [tenant, count]);
  await t.settle();
}

/** The only delivery as the log shows it, and in how many minutes it is due. */
async function delivery() {
  const [execution] = await executionsOf(t, tenant);
  const only = execution?.deliveries[0];
  const { rows } = await t.sql(
    'select extract(epoch from due_at - now())::float8 / 60 as minutes from tocsin.deliveries where tenant_id = $1',
    [tenant],
  );
  return {
    status: only?.status,
    attempts: only?.attempts.map(({ outcome, reason }) => `${outcome} ${reason}`),
    dueInMinutes: rows[0]?.minutes as number,
  };
}

/** Time passes until what waits is due, and a paused endpoint may be tried. */
async function later(): Promise<void> {
  await t.sql('update tocsin.endpoints set retry_at = now() where tenant_id = $1', [tenant]);
  await t.sql("update tocsin.deliveries set due_at = now() where tenant_id = $1 and status = 'pending'", [tenant]);
  await t.settle();
}

/** It waits for its hour, and is made then. */
async function expectRetried(attempt: string): Promise<void> {
  const first = await delivery();
  expect(first).toMatchObject({ status: 'pending', attempts: [attempt] });
  expect(first.dueInMinutes).toBeGreaterThan(20);
  await t.settle();
  expect((await delivery()).attempts).toHaveLength(1);
  await later();
  expect(await delivery()).toMatchObject({ status: 'delivered', attempts: [attempt, 'delivered null'] });
}

describe('a receiver that fails', () => {
  test('F12: the mail server asks to try later: the mail goes out on schedule', async () => {
    await mailOnOrder();
    mails.failNext({ at: 'recipient', reply: 451 });
    await order();
    await expectRetried('retry smtp_deferred');
  });

  test('F13: the mail server refuses: nothing more is sent, and the dead letter says why', async () => {
    await mailOnOrder();
    mails.failNext({ at: 'data', reply: 554 });
    await order();
    await later();
    expect(await delivery()).toMatchObject({ status: 'dead', attempts: ['failed smtp_rejected'] });
    const { items } = unwrap(await t.tocsin.deadLetters.list(tenant, {}));
    expect(items).toHaveLength(1);
  });

  test.each(['greeting', 'data'] as const)(
    'F14: the mail server hangs at %s: the attempt ends at its deadline and is made again',
    async (at) => {
      await mailOnOrder();
      mails.failNext({ at, kind: 'hang' });
      await order();
      await expectRetried('retry timeout');
    },
  );

  test('F14: the mail server takes a mail and says nothing: the repeat has the same Message-ID', async () => {
    await mailOnOrder();
    mails.failNext({ at: 'taken', kind: 'drop' });
    await order();
    await expectRetried('retry outcome_unknown');
    const ids = mails.mails.slice(-2).map(({ mail }) => mail.messageId);
    expect(ids[0]).toBe(ids[1]);
  });

  test('F15: a webhook is asked to wait (429, Retry-After): not before that time', async () => {
    await webhookOnOrder();
    webhooks.answerNext({ kind: 'answer', status: 429, headers: { 'retry-after': '18000' } });
    await order();
    expect((await delivery()).dueInMinutes).toBeGreaterThan(299);
    await expectRetried('retry http_status');
  });

  test('F16: a webhook answers 503: it is made again on schedule, and after the last attempt is a dead letter', async () => {
    await webhookOnOrder();
    webhooks.answerAlways({ kind: 'answer', status: 503 });
    await order();
    for (let attempt = 2; attempt <= 4; attempt++) await later();
    expect(await delivery()).toMatchObject({ status: 'dead', attempts: Array(3).fill('retry http_status') });
  });

  test.each([{ kind: 'hang' }, { kind: 'informational', everyMs: 50 }] as const)(
    'F17: a webhook does not come to an answer ($kind): the attempt ends at its deadline',
    async (behaviour) => {
      await webhookOnOrder();
      webhooks.answerNext(behaviour);
      await order();
      await expectRetried('retry timeout');
    },
  );

  test('F35: a receiver is back after a while: what waited comes spread out, each once', async () => {
    await webhookOnOrder();
    webhooks.answerAlways({ kind: 'answer', status: 503 });
    await order(100);
    const { rows } = await t.sql(
      `select attempts > 0 as "isTried", count(*)::int as deliveries,
         extract(epoch from max(due_at) - min(due_at))::float8 as seconds
       from tocsin.deliveries where tenant_id = $1 and status = 'pending'
       group by attempts > 0 order by attempts > 0`,
      [tenant],
    );
    // Those that only wait for the endpoint come after its pause, those that were tried after their hour.
    const [waiting, tried] = rows as { isTried: boolean; deliveries: number; seconds: number }[];
    expect(waiting).toMatchObject({ isTried: false, deliveries: 100 - (tried?.deliveries ?? 0) });
    expect(waiting?.seconds).toBeGreaterThan(3);
    expect(tried?.seconds).toBeGreaterThan(60);
    webhooks.answerAlways({ kind: 'answer', status: 204 });
    // The first is the trial of a paused endpoint.
    for (let round = 0; round < 3; round++) await later();
    const taken = webhookHits(webhooks).filter(({ subject, isTaken }) => subject.includes(tenant) && isTaken);
    expect(new Set(taken.map(({ id }) => id)).size).toBe(100);
    expect(taken).toHaveLength(100);
  });

  test('F36: a wait longer than a timer can count (24.8 days) is kept by the database', async () => {
    await webhookOnOrder();
    webhooks.answerNext({ kind: 'answer', status: 503 });
    await order();
    await t.sql("update tocsin.deliveries set due_at = now() + interval '40 days' where tenant_id = $1", [tenant]);
    await t.settle();
    expect((await delivery()).attempts).toHaveLength(1);
    await later();
    expect(await delivery()).toMatchObject({ status: 'delivered' });
  });
});
