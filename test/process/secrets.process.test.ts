import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unwrap } from '../../src/model/result.ts';
import { WebhookReceiver } from '../../src/testing/webhook-receiver.ts';
import { useTestTocsin } from '../support/test-tocsin.ts';
import { until } from '../support/until.ts';
import type { WebhookBehaviour } from '../support/webhook-receiver.ts';
import { WorkerProcess } from '../support/worker-process.ts';
import { carelessAction } from './secrets.config.ts';

const run = promisify(execFile);
const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const config = fileURLToPath(new URL('secrets.config.ts', import.meta.url));
const secretsKey = randomBytes(32).toString('base64');
const tenant = 'acme';

/** Two halves that occur nowhere else, around characters that every encoding writes otherwise. */
const halves = [randomBytes(7).toString('hex'), randomBytes(7).toString('hex')] as const;
const canary = `${halves[0]}/+"<é> &=\\${halves[1]}`;
const basic = Buffer.from(`user:${canary}`).toString('base64');
const signingKey = `whsec_${Buffer.from(halves.join('')).toString('base64')}`;
const secrets = { canary, basic, signing: signingKey };

const reversed = (text: string) => [...text].toReversed().join('');
const hex = (text: string) => Buffer.from(text).toString('hex');
/** Base64 of a text wherever it stands in what is encoded: the characters that depend on it alone. */
const base64Anywhere = (text: string) =>
  [0, 1, 2].map((offset) => {
    const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(text)]);
    return bytes.toString('base64').slice(Math.ceil((offset * 8) / 6), Math.floor((bytes.length * 8) / 6));
  });

/** What must not be found: the secrets whole and each half of the canary, in every encoding, forwards and backwards. */
const hidden: readonly string[] = [
  ...Object.values(secrets).flatMap((secret) => [
    secret,
    encodeURIComponent(secret),
    JSON.stringify(secret).slice(1, -1),
    hex(secret),
    reversed(secret),
    ...base64Anywhere(secret),
  ]),
  ...halves.flatMap((half) => [half, reversed(half), hex(half), ...base64Anywhere(half)]),
  signingKey.slice(6, 30),
].map((text) => text.toLowerCase());

function findingsIn(text: string): string[] {
  const lower = text.toLowerCase();
  return hidden.filter((secret) => lower.includes(secret));
}

/** Every spelling a receiver may send back. */
const spellings = [canary, basic, encodeURIComponent(canary), JSON.stringify(canary), hex(canary), reversed(canary)];
const echoes = [...spellings, canary.slice(0, 20), canary.slice(20), signingKey].join('\n');
const headerEcho = encodeURIComponent(canary);

/** Receivers that give away what they got, each in its own way. */
const behaviours: Readonly<Record<string, WebhookBehaviour>> = {
  'echo 200': { kind: 'echo', status: 200 },
  'echo 400': { kind: 'echo', status: 400 },
  'echo 500': { kind: 'echo', status: 500 },
  'spelled 401': { kind: 'answer', status: 401, body: echoes },
  'spelled 503': { kind: 'answer', status: 503, body: echoes, headers: { 'retry-after': headerEcho } },
  'header 200': { kind: 'answer', status: 200, headers: { 'x-echo': headerEcho, 'set-cookie': `a=${halves[0]}` } },
  redirect: { kind: 'answer', status: 302, headers: { location: `https://${halves[0]}.example/${headerEcho}` } },
  'status text': { kind: 'raw', bytes: `HTTP/1.1 500 ${halves[0]} ${headerEcho}\r\ncontent-length: 0\r\n\r\n` },
  'status text 200': { kind: 'raw', bytes: `HTTP/1.1 200 ${halves[0]}\r\ncontent-length: 0\r\n\r\n` },
  'not HTTP': { kind: 'raw', bytes: `${halves[0]} ${canary}\r\n\r\n`, close: true },
  'broken header': { kind: 'raw', bytes: `HTTP/1.1 200 OK\r\n${halves[0]} ${headerEcho}\r\n\r\n`, close: true },
  'broken length': { kind: 'raw', bytes: `HTTP/1.1 200 OK\r\ncontent-length: ${halves[0]}\r\n\r\n`, close: true },
  'cut body': {
    kind: 'raw',
    bytes: `HTTP/1.1 500 Oh\r\ncontent-length: 9999\r\n\r\n${echoes.replace(/[^ -~\n]/g, '')}`,
    close: true,
  },
};

const t = useTestTocsin({ secretsKey, actions: [carelessAction], webhooks: { allowHosts: ['127.0.0.1'] } });
const receivers = new Map<string, WebhookReceiver>();
/** For what is sent otherwise than by the webhooks above. */
let other: WebhookReceiver;
const outputs: [what: string, text: string][] = [];

const webhook = (url: string) => ({
  type: 'webhook',
  url,
  headers: {
    'X-Key': '{{ secret.canary | urlencode }}',
    Authorization: 'Basic {{ secret.basic }}',
    'X-Latin': '{{ secret.canary }}',
  },
  payload: { key: '{{ secret.canary }}', deep: [{ text: 'a {{ secret.canary }} b' }], id: '{{ payload.id }}' },
  signingSecret: 'signing',
});

async function publish(
  name: string,
  action: { readonly type: string; readonly [part: string]: unknown },
): Promise<string> {
  return t.publish(tenant, {
    name,
    triggers: [{ entityType: 'order', operation: 'insert' }],
    actions: [{ retry: { maxAttempts: 2, initialIntervalMs: 10, maxIntervalMs: 10 }, ...action }],
  });
}

async function cli(...args: string[]): Promise<void> {
  const env = { ...process.env, DATABASE_URL: t.url, TOCSIN_SECRETS_KEY: secretsKey };
  const { stdout, stderr } = await run(process.execPath, [main, ...args, '--config', config], { env }).catch(
    (error: { stdout: string; stderr: string }) => error,
  );
  outputs.push([`tocsin ${args.join(' ')}`, stdout + stderr]);
}

/** Everything that stands in the database: each row of each table of each schema as text, binary columns also decoded. */
async function dump(): Promise<[what: string, text: string][]> {
  const { rows: tables } = await t.sql(
    `select c.oid::regclass::text as name,
       (select array_agg(format('%I', a.attname)) from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.atttypid = 'bytea'::regtype) as binary
     from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'm') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_'
     order by 1`,
  );
  const dumped: [string, string][] = [];
  for (const { name, binary } of tables as { name: string; binary: string[] | null }[]) {
    const decoded = (binary ?? []).map((column) => `encode(${column}, 'escape')`);
    const { rows } = await t.sql(
      `select concat_ws(' ', row_to_json(t)::text, t::text ${decoded.map((d) => `, ${d}`).join('')}) as row from ${name} t`,
    );
    dumped.push([name, rows.map(({ row }) => row).join('\n')]);
  }
  return dumped;
}

beforeAll(async () => {
  for (const [name, behaviour] of Object.entries(behaviours)) {
    const receiver = await WebhookReceiver.start();
    receiver.answerAlways(behaviour);
    receivers.set(name, receiver);
  }
  for (const [name, value] of Object.entries(secrets)) unwrap(await t.tocsin.secrets.setSecret(tenant, name, value));
  for (const [name, { url }] of receivers) await publish(name, webhook(`${url}/{{ payload.id }}`));
  other = await WebhookReceiver.start();
  other.answerAlways({ kind: 'answer', status: 500, body: echoes });
  const echo = other.url;
  for (const how of ['throw', 'throw_in_pieces', 'reason', 'detail', 'answer']) {
    await publish(`careless ${how}`, { type: 'careless', how, url: echo });
  }
  // To a receiver that speaks no TLS, with a payload that is too long, and with one that cannot be rendered.
  await publish('tls', webhook(echo.replace('http:', 'https:')));
  await publish('unfit header', { ...webhook(echo), headers: { 'X-Key': '{{ secret.canary }}漢' } });
  await publish('no template', {
    ...webhook(echo),
    payload: { key: '{{ secret.canary }}{{ payload.note }}' },
  });

  const worker = await WorkerProcess.start(t.url, {
    args: ['--config', config],
    env: { TOCSIN_SECRETS_KEY: secretsKey, TOCSIN_LOG_LEVEL: 'debug' },
  });
  await t.sql("insert into orders (tenant_id, note) values ($1, repeat('x', 300000))", [tenant]);
  await until(
    'everything is decided',
    async () => {
      const { rows } = await t.sql(
        `select count(*) filter (where status = 'running')::int as open, count(*)::int as all from tocsin.executions`,
      );
      return rows[0]?.all === receivers.size + 8 && rows[0]?.open === 0;
    },
    60_000,
  );
  for (const path of ['metrics', 'healthz']) {
    outputs.push([path, await (await fetch(`http://127.0.0.1:${worker.httpPort}/${path}`)).text()]);
  }
  await worker.terminate();
  outputs.push(['the worker', worker.log.join('\n')]);
  const { items } = unwrap(await t.tocsin.workflows.getExecutionLogs(tenant, { limit: 100 }));
  for (const { id } of items) {
    outputs.push([`execution ${id}`, JSON.stringify(unwrap(await t.tocsin.workflows.getExecution(tenant, id)))]);
  }
  const dead = unwrap(await t.tocsin.deadLetters.list(tenant, { limit: 100 })).items;
  for (const { id } of dead) {
    outputs.push([`dead letter ${id}`, JSON.stringify(unwrap(await t.tocsin.deadLetters.show(tenant, id)))]);
  }
  const executionOf = (name: string) => items.find(({ workflowName }) => workflowName === name)?.id ?? '';
  const of = ['--tenant', tenant];
  await Promise.all([cli('logs', ...of), cli('logs', executionOf('echo 500'), ...of)]);
  await Promise.all([cli('logs', executionOf('careless throw'), ...of, '--json'), cli('dead-letters', 'list', ...of)]);
  await Promise.all([cli('dead-letters', 'show', dead[0]?.id ?? '', ...of), cli('endpoints', 'list', ...of)]);
  await Promise.all([cli('secret', 'list', ...of), cli('workflow', 'show', items[0]?.workflowId ?? '', ...of)]);
  await cli('doctor');
}, 180_000);

afterAll(() => Promise.all([...receivers.values(), other].map((receiver) => receiver.close())));

describe('secrets', () => {
  test('reach every receiver, so that what follows is no empty search', () => {
    for (const [name, { requests }] of receivers) {
      expect(requests[0]?.headers['x-key'], name).toBe(encodeURIComponent(canary));
      expect(requests[0]?.headers.authorization, name).toBe(`Basic ${basic}`);
      expect(JSON.parse(requests[0]?.body ?? ''), name).toMatchObject({ key: canary });
    }
    expect(
      findingsIn(
        receivers
          .get('echo 500')
          ?.requests.map(({ body }) => body)
          .join() ?? '',
      ),
    ).not.toEqual([]);
    expect(findingsIn(echoes).length).toBeGreaterThan(10);
  });

  test('stand in no column of any table', async () => {
    const dumped = await dump();
    expect(dumped.map(([name]) => name)).toContain('tocsin.secrets');
    expect(dumped.filter(([name, rows]) => /delivery_attempts/.test(name) && rows !== '')).not.toEqual([]);
    expect(dumped.map(([name, rows]) => [name, findingsIn(rows)]).filter(([, found]) => found?.length)).toEqual([]);
  });

  test('stand in no output of worker, metrics, services and command line', () => {
    expect(outputs.filter(([, text]) => text.trim() === '').map(([what]) => what)).toEqual([]);
    expect(outputs.map(([what, text]) => [what, findingsIn(text)]).filter(([, found]) => found?.length)).toEqual([]);
    const shown = outputs.map(([, text]) => text).join('\n');
    for (const word of ['http_status', 'outcome_unknown', 'handler_failed', 'template_error', 'not kept']) {
      expect(shown).toContain(word);
    }
  });
});
