import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unwrap } from '../../src/model/result.ts';
import type { SavedFilter } from '../../src/model/saved-filter.ts';
import type { WorkflowInput } from '../../src/model/workflow.ts';
import { executionsOf, inboxOf, orderWorkflow } from '../support/orders-workflows.ts';
import { SmtpReceiver } from '../support/smtp-receiver.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';
import { WebhookReceiver } from '../support/webhook-receiver.ts';
import { type Attack, type Given, makeWorlds, probe, type Worlds } from './probe.ts';

let smtp: SmtpReceiver;
let receiver: WebhookReceiver;
const options = async () => {
  smtp ??= await SmtpReceiver.start();
  receiver ??= await WebhookReceiver.start();
  return { smtp: { url: smtp.url, from: 'Shop <no-reply@shop.example>' } };
};
const inhabited = useTestTocsin(options);
const empty = useTestTocsin(options);
let worlds: Worlds;

beforeAll(async () => {
  for (const t of [inhabited, empty]) await t.sql('create table ledger (id bigint primary key, note text)');
  worlds = await makeWorlds(inhabited, empty, async (heard) => {
    await inhabited.sql(
      "insert into tocsin.endpoints (tenant_id, origin, state, failures) values ($1, $2, 'open', 9)",
      [heard.tenantId, receiver.url],
    );
    for (const t of [inhabited, empty]) {
      unwrap(await t.tocsin.capture.install({ table: 'ledger', entityType: 'ledger', tenant: heard.tenantId }));
    }
    await inhabited.sql('insert into ledger select i from generate_series(1, 5) i');
    await inhabited.sql(
      "insert into orders (tenant_id, note, total, status) select $1, 'of the other', 100, 'odd' from generate_series(1, 5)",
      [heard.tenantId],
    );
    await inhabited.settle();
  });
});
afterAll(async () => {
  await smtp.close();
  await receiver.close();
});

const telling = [
  { type: 'notification', title: 'own', message: 'own' },
  { type: 'email', subject: 'own', text: 'own' },
];

/** Lets the attacker's workflow run for an order of its own; answers everything that came of it. */
async function runFor({ t, tenantId, heard }: Given, parts: Partial<WorkflowInput>, before = async () => {}) {
  const [mails, requests] = [smtp.mails.length, receiver.requests.length];
  await t.publish(tenantId, {
    ...orderWorkflow({ actions: telling, ...parts }),
    name: 'own',
    settings: { logSkipped: true },
  });
  await before();
  await t.sql("insert into orders (tenant_id, owner_id, note, total) values ($1, $2, 'own', 7)", [
    tenantId,
    heard.userId,
  ]);
  await t.settle();
  const executions = await executionsOf(t, tenantId);
  return {
    executions: executions.map(({ status, reason, trace, deliveries }) => ({
      status,
      reason,
      trace,
      deliveries: deliveries
        .map(
          ({ action, recipientId, status, reason, attempts }) =>
            `${action.type} to ${recipientId}: ${status} ${reason} ${attempts.map(({ outcome }) => outcome)}`,
        )
        .toSorted(),
    })),
    inboxes: [await inboxOf(t, tenantId, 'ann'), await inboxOf(t, tenantId, heard.userId)],
    mails: smtp.mails.slice(mails).map(({ to, mail }) => ({ to, subject: mail.subject, text: mail.text })),
    requests: receiver.requests.slice(requests).map(({ body, headers }) => ({ body, key: headers['x-key'] ?? null })),
  };
}

const recipients: Readonly<Record<string, (given: Given) => Record<string, unknown> & { type: string }>> = {
  user: ({ heard }) => ({ type: 'user', id: heard.userId }),
  role: ({ heard }) => ({ type: 'role', id: heard.role }),
  group: ({ heard }) => ({ type: 'group', id: heard.group }),
  attribute: ({ heard }) => ({ type: 'attribute', id: 'team', value: heard.word }),
  field: () => ({ type: 'field', field: 'owner_id' }),
};

/** A saved query of the attacker's over a table that has rows of both; the trace tells how many it finds. */
const counting =
  (entityType: 'order' | 'ledger', filter: (given: Given) => SavedFilter): Attack =>
  async (given) => {
    const { tocsin } = given.t;
    unwrap(
      await tocsin.savedQueries.createSavedQuery(given.tenantId, { name: 'own', entityType, filter: filter(given) }),
    );
    const conditions = [{ type: 'query_match', query: 'own', expect: { atMost: 100 } }];
    return runFor(given, { conditions, recipients: [{ type: 'user', id: 'ann' }] });
  };

const attacks: Readonly<Record<string, Attack>> = {
  ...Object.fromEntries(
    Object.entries(recipients).map(([name, recipient]): [string, Attack] => [
      `a recipient by ${name}`,
      (given) => runFor(given, { actions: telling, recipients: [recipient(given)] }),
    ]),
  ),
  'recipients that are looked up page by page': async (given) => {
    const query = { name: 'own', entityType: 'order', filter: { field: 'id', operator: 'gt', value: 0 } } as const;
    unwrap(await given.t.tocsin.savedQueries.createSavedQuery(given.tenantId, query));
    const conditions = [{ type: 'query_match', query: 'own' }];
    return runFor(given, { conditions, recipients: Object.values(recipients).map((recipient) => recipient(given)) });
  },
  'the condition that somebody has a role': (given) =>
    runFor(given, {
      conditions: [{ type: 'role_based', user_field: 'owner_id', required_role: given.heard.role }],
      recipients: [{ type: 'user', id: 'ann' }],
    }),
  'all orders': counting('order', () => ({ field: 'id', operator: 'gt', value: 0 })),
  'orders of the other tenant': counting('order', ({ heard }) => ({
    any: [
      { field: 'tenant_id', operator: 'eq', value: heard.tenantId },
      { not: { field: 'tenant_id', operator: 'eq', value: 'nobody' } },
      { field: 'id', operator: 'is_not_null' },
    ],
  })),
  'a table that is the other tenant’s': counting('ledger', () => ({ field: 'id', operator: 'gt', value: 0 })),
  'a saved query that is gone, of a name that the other tenant has': async (given) => {
    const { t, tenantId, heard } = given;
    const query = {
      name: heard.savedQuery,
      entityType: 'order',
      filter: { field: 'id', operator: 'gt', value: 0 },
    } as const;
    unwrap(await t.tocsin.savedQueries.createSavedQuery(tenantId, query));
    const conditions = [{ type: 'query_match', query: heard.savedQuery, expect: { atMost: 100 } }];
    return runFor(given, { conditions, recipients: [{ type: 'user', id: 'ann' }] }, async () => {
      unwrap(await t.tocsin.savedQueries.deleteSavedQuery(tenantId, heard.savedQuery));
    });
  },
  'a template that is gone, of a name that the other tenant has': async (given) => {
    const { t, tenantId, heard } = given;
    unwrap(await t.tocsin.templates.setTemplate(tenantId, { name: heard.template, subject: 'own', text: 'own' }));
    unwrap(await t.tocsin.directory.putUser(tenantId, { id: 'ann', email: 'ann@attacker.example' }));
    const parts = { actions: [{ type: 'email', template: heard.template }], recipients: [{ type: 'user', id: 'ann' }] };
    return runFor(given, parts, async () => {
      unwrap(await t.tocsin.templates.deleteTemplate(tenantId, heard.template));
    });
  },
  'a secret that is gone, of a name that the other tenant has': async (given) => {
    const { t, tenantId, heard } = given;
    unwrap(await t.tocsin.secrets.setSecret(tenantId, heard.secret, 'own value'));
    const headers = { 'x-key': `{{ secret.${heard.secret} }}` };
    return runFor(given, { actions: [{ type: 'webhook', url: receiver.url, headers }], recipients: [] }, async () => {
      unwrap(await t.tocsin.secrets.deleteSecret(tenantId, heard.secret));
    });
  },
  'an endpoint that is paused for the other tenant': (given) =>
    runFor(given, { actions: [{ type: 'webhook', url: receiver.url, payload: { own: true } }], recipients: [] }),
};

describe('the engine', () => {
  test.each(Object.entries(attacks))('tells and sends one tenant nothing of another by %s', async (_name, attack) => {
    expect(await probe(worlds, attack)).toEqual([]);
  });

  test('asks what the other tenant muted and suppressed for that tenant only', async () => {
    const mailing: Attack = async (given) => {
      const { t, tenantId, heard } = given;
      unwrap(await t.tocsin.directory.putUser(tenantId, { id: heard.userId, email: heard.address }));
      return runFor(given, { actions: telling, recipients: [{ type: 'user', id: heard.userId }] });
    };
    expect(await probe(worlds, mailing)).toEqual([]);
    expect(smtp.mails.flatMap(({ to }) => to)).toContain(worlds.heard.address);
  });

  test('runs no workflow of a tenant for what another one does', async () => {
    const { heard } = worlds;
    const actions = [{ type: 'webhook', url: receiver.url }, ...telling];
    const triggers = ['order', 'ledger'].map((entityType) => ({ entityType, operation: 'insert' }));
    await inhabited.publish('bystander', { ...orderWorkflow({ actions, triggers }), settings: { logSkipped: true } });
    // An order of its own, so that the worker has its workflows in hand.
    await inhabited.sql("insert into orders (tenant_id) values ('bystander')");
    await inhabited.settle();
    const own = await executionsOf(inhabited, 'bystander');
    expect(own).toHaveLength(1);
    const [mails, requests] = [smtp.mails.length, receiver.requests.length];
    await inhabited.sql('insert into orders (tenant_id, owner_id) values ($1, $2)', [heard.tenantId, heard.userId]);
    await inhabited.sql('insert into ledger values (99)');
    await inhabited.settle();
    expect(await executionsOf(inhabited, 'bystander')).toEqual(own);
    expect([smtp.mails.length, receiver.requests.length]).toEqual([mails, requests]);
  });

  // Last: what is done then may change the other tenant. A batch asks for many tenants at once: its conditions are not dropped.
  const single = Object.entries(attacks).filter(([name]) => !name.startsWith('a recipient by'));
  test.each(single)('needs the conditions of its statements against %s', async (_name, attack) => {
    const findings = await probe(worlds, attack, 'row level security').catch((error: Error) => [error.message]);
    expect(findings.filter((finding) => !finding.startsWith('changes'))).not.toEqual([]);
  });
});
