import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { Webhook } from 'standardwebhooks';
import type { ExecutionDetail } from '../../log/execution-log.ts';
import { unwrap } from '../../model/result.ts';
import { startEmbeddedPostgres } from '../../runtime/embedded-postgres.ts';
import { type Connection, connect } from '../../store/connection.ts';
import { SmtpReceiver } from '../../testing/smtp-receiver.ts';
import { WebhookReceiver } from '../../testing/webhook-receiver.ts';
import { createTocsin, type Tocsin } from '../../tocsin.ts';
import type { DemoReport } from './demo-report.ts';
import { checkDemo } from './expectations.ts';
import { shopSchema, shopStatements, UserCreated } from './shop.ts';
import { demoWorkflows } from './workflows.ts';

export type RunningDemo = { readonly report: DemoReport; readonly tocsin: Tocsin; readonly close: () => Promise<void> };

const signingSecret = `whsec_${randomBytes(24).toString('base64')}`;
const erpToken = `token-${randomBytes(12).toString('hex')}`;
const tenants = ['acme', 'globex'] as const;
const settleWithinMs = 20_000;

/**
 * Runs the main job on an embedded PostgreSQL with a mail server and a webhook receiver on loopback: a shop with two
 * tenants, their workflows, ordinary SQL from a connection that knows nothing of Tocsin, and a domain event.
 */
export async function runDemo(progress: (says: string) => void): Promise<RunningDemo> {
  const closers: (() => Promise<void>)[] = [];
  const close = async () => {
    for (const closer of closers.reverse()) await closer();
  };
  try {
    const steps: { says: string; ms: number }[] = [];
    const step = async <T>(says: string, work: () => Promise<T>): Promise<T> => {
      const startedAt = performance.now();
      const value = await work();
      const ms = Math.round(performance.now() - startedAt);
      steps.push({ says, ms });
      progress(`${says} (${ms} ms)`);
      return value;
    };

    const { postgres, smtp, receiver } = await step(
      'started PostgreSQL, a mail server and a webhook receiver',
      async () => {
        const postgres = await startEmbeddedPostgres();
        closers.push(() => postgres.stop());
        const smtp = await SmtpReceiver.start();
        closers.push(() => smtp.close());
        const receiver = await WebhookReceiver.start();
        closers.push(() => receiver.close());
        return { postgres, smtp, receiver };
      },
    );
    const tocsin = await createTocsin({
      databaseUrl: postgres.connectionString,
      smtp: { url: smtp.url, from: 'notifications@shop.test' },
      webhooks: { allowHosts: ['127.0.0.1'] },
      secretsKey: randomBytes(32).toString('base64'),
    });
    closers.push(() => tocsin.close());
    await step('migrated schema tocsin', () => tocsin.migrate());
    const shop = await connect(tocsin.database, {
      applicationName: 'the shop',
      answerWithinMs: 60_000,
      onError: () => undefined,
    });
    closers.push(() => shop.end());
    await step('made the shop and installed capture on shop.orders', () => makeShop(tocsin, shop));
    await step('filled the directory, templates, secrets and saved queries', () => fillTenants(tocsin));
    const expectedWorkflows = demoWorkflows(receiver.url);
    await step('created the workflows of both tenants', async () => {
      for (const tenant of tenants) {
        for (const workflow of expectedWorkflows[tenant])
          unwrap(await tocsin.workflows.createWorkflow(tenant, workflow));
      }
    });
    await step('started the worker', () => tocsin.listener.start());

    // The endpoint is busy at first: the delivery is tried again under the same id.
    receiver.answerNext({ kind: 'answer', status: 503, headers: { 'retry-after': '1' } });
    await step('wrote to the shop and dispatched a domain event', async () => {
      for (const { sql } of shopStatements) await inTransaction(shop, sql);
      const user = { userId: 'u-77', username: 'johndoe', isVerified: true };
      unwrap(await tocsin.events.dispatch(new UserCreated('acme', user)));
      unwrap(await tocsin.events.dispatch(new UserCreated('acme', user)));
    });
    await step('everything was delivered', () => settled(tocsin));

    const observed = await observe(tocsin, { smtp, receiver });
    const report = { connectionString: postgres.connectionString, steps, writes: shopStatements, ...observed };
    return { report: { ...report, expectations: checkDemo(report, erpToken) }, tocsin, close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function inTransaction(shop: Connection, sql: string): Promise<void> {
  await shop.query('begin');
  for (const statement of sql.split(';')) if (statement.trim() !== '') await shop.query(statement);
  await shop.query('commit');
}

async function makeShop(tocsin: Tocsin, shop: Connection): Promise<void> {
  await shop.query(shopSchema);
  unwrap(
    await tocsin.capture.install({
      table: 'shop.orders',
      entityType: 'order',
      tenantColumn: 'tenant_id',
      exclude: ['card_number'],
    }),
  );
  unwrap(
    await tocsin.entityTypes.register({
      name: 'user',
      operations: ['insert'],
      fields: [
        { name: 'userId', type: 'text' },
        { name: 'username', type: 'text' },
        { name: 'isVerified', type: 'boolean' },
      ],
    }),
  );
}

async function fillTenants(tocsin: Tocsin): Promise<void> {
  unwrap(
    await tocsin.directory.putUsers('acme', [
      { id: 'mia', name: 'Mia Moser', email: 'mia@acme.test', locale: 'de-AT', timezone: 'Europe/Vienna' },
      { id: 'tom', name: 'Tom Tull', email: 'tom@acme.test', attributes: { department: 'logistics' } },
      { id: 'lea', name: 'Lea Lang', email: 'lea@acme.test', attributes: { department: 'logistics' } },
      { id: 'bob', name: 'Bob, who has no address' },
      { id: 'fin', name: 'Fin Fuchs', email: 'fin@acme.test' },
    ]),
  );
  unwrap(await tocsin.directory.putUsers('globex', [{ id: 'zoe', name: 'Zoe Zorn', email: 'zoe@globex.test' }]));
  for (const [tenant, role, user] of [
    ['acme', 'sales', 'mia'],
    ['acme', 'sales', 'tom'],
    ['acme', 'admin', 'mia'],
    ['globex', 'sales', 'zoe'],
  ] as const) {
    unwrap(await tocsin.directory.addToRole(tenant, role, user));
  }
  for (const [group, user] of [
    ['warehouse', 'tom'],
    ['warehouse', 'bob'],
    ['finance', 'fin'],
  ] as const) {
    unwrap(await tocsin.directory.addToGroup('acme', group, user));
  }
  unwrap(
    await tocsin.templates.setTemplate('acme', {
      name: 'order_notification',
      html: '<h1>Order {{ order_id }}</h1><p>{{ customer }} pays {{ amount | currency("EUR", "de-DE") }}.</p>',
    }),
  );
  unwrap(await tocsin.secrets.setSecret('acme', 'erp_token', erpToken));
  unwrap(await tocsin.secrets.setSecret('acme', 'erp_signing', signingSecret));
  unwrap(
    await tocsin.savedQueries.createSavedQuery('acme', {
      name: 'orders of the customer',
      entityType: 'order',
      parameters: [{ name: 'customer', type: 'text' }],
      filter: { field: 'customer_id', operator: 'eq', parameter: 'customer' },
    }),
  );
}

/** Until no event, execution or delivery waits. */
async function settled(tocsin: Tocsin): Promise<void> {
  const until = performance.now() + settleWithinMs;
  while (performance.now() < until) {
    const backlog = await tocsin.listener.backlog();
    if (backlog.events + backlog.executions + backlog.deliveries === 0) return;
    await wait(25);
  }
  throw new Error(
    `after ${settleWithinMs} ms something still waits: ${JSON.stringify(await tocsin.listener.backlog())}`,
  );
}

async function observe(
  tocsin: Tocsin,
  peers: { smtp: SmtpReceiver; receiver: WebhookReceiver },
): Promise<Pick<DemoReport, 'inboxes' | 'mails' | 'webhooks' | 'executions'>> {
  const inboxes: DemoReport['inboxes'][number][] = [];
  const executions: ExecutionDetail[] = [];
  for (const tenant of tenants) {
    for (const user of unwrap(await tocsin.directory.listUsers(tenant, {})).items) {
      const notifications = unwrap(await tocsin.inbox.list(tenant, user.id, {})).items;
      if (notifications.length > 0) inboxes.push({ tenant, user: user.id, notifications });
    }
    for (const { id } of unwrap(await tocsin.workflows.getExecutionLogs(tenant, {})).items.toReversed()) {
      executions.push(unwrap(await tocsin.workflows.getExecution(tenant, id)));
    }
  }
  return {
    inboxes,
    executions,
    mails: peers.smtp.mails.map(({ to, mail }) => ({
      to: to.join(', '),
      subject: mail.subject ?? '',
      text: (mail.text ?? '').trim(),
      html: (mail.html ?? '').trim(),
      messageId: mail.messageId ?? '',
    })),
    webhooks: peers.receiver.requests.map((request, index) => ({
      path: request.path,
      answered: index === 0 ? 503 : 204,
      webhookId: String(request.headers['webhook-id']),
      isSignatureValid: isSigned(request),
      authorization: String(request.headers.authorization),
      body: JSON.parse(request.body) as unknown,
    })),
  };
}

function isSigned(request: { readonly body: string; readonly headers: Record<string, unknown> }): boolean {
  try {
    new Webhook(signingSecret).verify(request.body, request.headers as Record<string, string>);
    return true;
  } catch {
    return false;
  }
}
