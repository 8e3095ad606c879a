import { z } from 'zod';
import { invalid, unknownWord } from './errors.ts';
import { defaultCausationLimits, longestCausation } from './model/causation.ts';
import { parseInput } from './model/parse-input.ts';
import { leastPayloadBytes, mostQuota } from './model/quota.ts';

/** Presets of `tocsin worker --preset`: which stages a worker runs and which task queues it serves. */
export const presets = {
  /** Everything: one worker is enough. */
  all: { stages: ['match', 'execute', 'deliver', 'maintain'], queues: null },
  /** Matching, and the deliveries that must not wait. */
  critical: { stages: ['match', 'execute', 'deliver'], queues: ['critical'] },
  /** Everything that may wait. */
  background: { stages: ['execute', 'deliver', 'maintain'], queues: ['default', 'background'] },
} as const;

export const stages = ['match', 'execute', 'deliver', 'maintain'] as const;
export type Stage = (typeof stages)[number];

const dkimKey = z.strictObject({
  /** Domain whose DNS has the public key. */
  domainName: z.string(),
  /** The key is at `<keySelector>._domainkey.<domainName>`. */
  keySelector: z.string(),
  /** RSA private key, PEM. */
  privateKey: z.string(),
});

const dkimOptions = dkimKey.extend({
  /** Keys of further domains, of which tenants send. */
  domains: z.array(dkimKey).default([]),
});

const smtpOptions = z.strictObject({
  /** smtp:// or smtps:// URL with user and password if needed. */
  url: z.string().regex(/^smtps?:\/\//, 'must be an smtp:// or smtps:// URL'),
  /** Address that mails come from; tenants choose only the display name. */
  from: z.string().min(3),
  /** Right side of Message-IDs; default: the domain of `from`. */
  messageIdDomain: z.string().optional(),
  /** SMTP connections at once. */
  connections: z.number().int().min(1).max(100).default(5),
  /** Signs mails (DKIM). */
  dkim: dkimOptions.optional(),
});

const unsubscribeOptions = z.strictObject({
  /** Where the endpoint is reached from outside; links are made of it. */
  baseUrl: z.string().refine(isLinkBase, 'must be an https:// URL without parameters; http:// on this machine only'),
  /** 32 bytes, base64 or hex: what links are signed with, if not with `secretsKey`. */
  key: z.string().optional(),
  /** Earlier keys: links made with them stay good. */
  previousKeys: z.array(z.string()).default([]),
});

/** RFC 8058 asks for https. */
function isLinkBase(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || url.search !== '' || url.hash !== '' || url.username !== '' || url.password !== '') return false;
  const isLocal = ['localhost', '127.0.0.1', '[::1]'].includes(url.hostname);
  return url.protocol === 'https:' || (isLocal && url.protocol === 'http:');
}

const webhookOptions = z.strictObject({
  /** Hosts that may be called although they are not public, e.g. `localhost`. */
  allowHosts: z.array(z.string()).default([]),
  /** Networks that may be called although they are not public, e.g. `10.1.0.0/16`. */
  allowCidrs: z.array(z.string()).default([]),
  /** Ports that may be called. */
  ports: z.array(z.number().int().min(1).max(65_535)).default([80, 443]),
  /** Bytes of body that a request may have. */
  maxRequestBytes: z.number().int().min(1_024).max(67_108_864).default(4_194_304),
  /** Requests of one worker at once to one endpoint of one tenant. */
  endpointConcurrency: z.number().int().min(1).max(1_000).default(10),
  /** Failures in a row after which an endpoint is paused. */
  pauseAfterFailures: z.number().int().min(1).max(1_000).default(10),
  /** The first pause, ms; each failed trial doubles it. */
  pauseMs: z.number().int().min(10).max(3_600_000).default(30_000),
  /** No pause is longer, ms, unless the endpoint asks for it. */
  maxPauseMs: z.number().int().min(10).max(86_400_000).default(3_600_000),
  /** How long after its event a delivery may still wait for a paused endpoint, ms. */
  maxWaitMs: z.number().int().min(1_000).max(2_592_000_000).default(432_000_000),
});

const workerOptions = z.strictObject({
  stages: z
    .array(z.enum(stages))
    .min(1)
    .default([...stages]),
  /** Task queues whose deliveries this worker makes; null: all. */
  queues: z.array(z.string().min(1)).min(1).nullable().default(null),
  /** Delivery attempts at once. */
  concurrency: z.number().int().min(1).max(1_000).default(50),
  /** Connections that drain the outbox at once. */
  lanes: z.number().int().min(1).max(16).default(2),
  /** Events per claim. */
  batchSize: z.number().int().min(1).max(5_000).default(500),
  /** Longest sleep without a NOTIFY, ms. */
  pollMs: z.number().int().min(1).max(60_000).default(1_000),
  /** False behind a transaction pooler, where LISTEN and session locks do not work. */
  useNotify: z.boolean().default(true),
  /** How long a lease lasts, ms: the work of a killed worker goes on after it. */
  leaseMs: z.number().int().min(1_000).max(600_000).default(30_000),
  /** On a stop, attempts under way get this long, ms. */
  graceMs: z.number().int().min(0).max(60_000).default(8_000),
  /** `tocsin worker` ends itself when its event loop stands still for so long, ms; 0: never. */
  hangMs: z.number().int().min(0).max(3_600_000).default(60_000),
  /** A transaction that holds its snapshot for longer is told of, ms; 0: never. */
  oldTransactionMs: z.number().int().min(0).max(86_400_000).default(300_000),
});

const retentionOptions = z.strictObject({
  /** Days that executions, deliveries and attempts are kept, unless a tenant has its own number. */
  days: z.number().int().min(1).max(3_650).default(30),
  /** Days that matched events are kept, for explanations and redriving. */
  eventDays: z.number().int().min(1).max(3_650).default(7),
});

const savedQueryOptions = z.strictObject({
  /** Role that saved queries run as, e.g. `tocsin_query`: grant it the tables they are about; null: the login. */
  role: z.string().min(1).max(63).nullable().default(null),
});

const quotaOptions = z.strictObject({
  /** Events of one tenant that are matched per minute; the others wait. */
  eventsPerMinute: quota(1),
  /** Deliveries of one tenant that go out per minute; the others wait. */
  deliveriesPerMinute: quota(1),
  /** Workflows of one tenant that are neither archived nor deleted. */
  maxWorkflows: quota(0),
  /** Recipients that one action of one execution may tell, whatever its workflow says. */
  maxRecipients: quota(1),
  /** Bytes of an event: its payload and previous record as JSON text. */
  maxPayloadBytes: quota(leastPayloadBytes),
});

function quota(least: number) {
  return z.number().int().min(least).max(mostQuota).nullable().default(null);
}

/** Options that are data; handlers, the directory and the logger are given beside them (`TocsinOptions`). */
export const settingsSchema = z.strictObject({
  /** postgres:// URL. */
  databaseUrl: z.string().regex(/^postgres(ql)?:\/\//, 'must be a postgres:// URL'),
  /** Connections of the pool. */
  poolSize: z.number().int().min(2).max(200).default(10),
  smtp: smtpOptions.optional(),
  /** Links by which recipients opt out; without it mails have none. */
  unsubscribe: unsubscribeOptions.optional(),
  webhooks: webhookOptions.prefault({}),
  /** 32 bytes, base64 or hex: what tenants' secrets are encrypted with. */
  secretsKey: z.string().optional(),
  /** Earlier keys, still good for reading. */
  previousSecretsKeys: z.array(z.string()).default([]),
  /** An event that this many workflows in a row led to by their effects starts none. */
  maxCausationDepth: z.number().int().min(1).max(longestCausation).default(defaultCausationLimits.maxDepth),
  /** A workflow that stands this often among them is not started by it again. */
  maxCausationRepeats: z.number().int().min(1).max(longestCausation).default(defaultCausationLimits.maxRepeats),
  savedQueries: savedQueryOptions.prefault({}),
  /** A workflow is paused when this many executions in a row failed through its own fault; 0: never. */
  pauseAfterFailures: z.number().int().min(0).max(1_000).default(20),
  /** And when nothing went well for this long, ms: a short outage of what the host's look-ups ask pauses nothing. */
  pauseAfterMs: z.number().int().min(0).max(86_400_000).default(600_000),
  worker: workerOptions.prefault({}),
  retention: retentionOptions.prefault({}),
  /** Quotas of tenants that have none of their own; null: without a limit. */
  quotas: quotaOptions.prefault({}),
});

export type Settings = z.output<typeof settingsSchema>;
export type SettingsInput = z.input<typeof settingsSchema>;

/** Checks options and fills in the defaults. Throws `WorkflowError` naming the option and what it may be. */
export function readSettings(input: unknown): Settings {
  const settings = parseInput(settingsSchema, input);
  if (!settings.ok) throw invalid('the configuration', settings.error);
  return settings.value;
}

/** The environment variables the command line reads, and the option each sets. */
export const environment = {
  DATABASE_URL: 'databaseUrl',
  TOCSIN_SECRETS_KEY: 'secretsKey',
  TOCSIN_PREVIOUS_SECRETS_KEYS: 'previousSecretsKeys',
  TOCSIN_SMTP_URL: 'smtp.url',
  TOCSIN_MAIL_FROM: 'smtp.from',
  TOCSIN_UNSUBSCRIBE_URL: 'unsubscribe.baseUrl',
  TOCSIN_WEBHOOK_ALLOW_HOSTS: 'webhooks.allowHosts',
  TOCSIN_WEBHOOK_ALLOW_CIDRS: 'webhooks.allowCidrs',
  TOCSIN_QUERY_ROLE: 'savedQueries.role',
  TOCSIN_QUOTA_EVENTS_PER_MINUTE: 'quotas.eventsPerMinute',
  TOCSIN_QUOTA_DELIVERIES_PER_MINUTE: 'quotas.deliveriesPerMinute',
  TOCSIN_QUOTA_WORKFLOWS: 'quotas.maxWorkflows',
  TOCSIN_QUOTA_RECIPIENTS: 'quotas.maxRecipients',
  TOCSIN_QUOTA_PAYLOAD_BYTES: 'quotas.maxPayloadBytes',
  TOCSIN_LOG_LEVEL: 'the log level of `tocsin worker` (default info)',
} as const;

/** Options from the environment (the command line's way; the library is given its options). */
export function settingsFromEnvironment(env: NodeJS.ProcessEnv = process.env): Partial<SettingsInput> {
  const list = (value: string | undefined) =>
    value
      ?.split(',')
      .map((part) => part.trim())
      .filter(Boolean);
  const previousSecretsKeys = list(env.TOCSIN_PREVIOUS_SECRETS_KEYS);
  const allowHosts = list(env.TOCSIN_WEBHOOK_ALLOW_HOSTS);
  const allowCidrs = list(env.TOCSIN_WEBHOOK_ALLOW_CIDRS);
  return {
    ...(env.DATABASE_URL ? { databaseUrl: env.DATABASE_URL } : {}),
    ...(env.TOCSIN_QUERY_ROLE ? { savedQueries: { role: env.TOCSIN_QUERY_ROLE } } : {}),
    ...(env.TOCSIN_SECRETS_KEY ? { secretsKey: env.TOCSIN_SECRETS_KEY } : {}),
    ...(previousSecretsKeys ? { previousSecretsKeys } : {}),
    ...(env.TOCSIN_SMTP_URL
      ? { smtp: { url: env.TOCSIN_SMTP_URL, from: env.TOCSIN_MAIL_FROM ?? 'tocsin@localhost' } }
      : {}),
    ...(env.TOCSIN_UNSUBSCRIBE_URL ? { unsubscribe: { baseUrl: env.TOCSIN_UNSUBSCRIBE_URL } } : {}),
    ...quotasFromEnvironment(env),
    ...(allowHosts || allowCidrs
      ? { webhooks: { ...(allowHosts ? { allowHosts } : {}), ...(allowCidrs ? { allowCidrs } : {}) } }
      : {}),
  };
}

function quotasFromEnvironment(env: NodeJS.ProcessEnv): Pick<Partial<SettingsInput>, 'quotas'> {
  const given = {
    eventsPerMinute: env.TOCSIN_QUOTA_EVENTS_PER_MINUTE,
    deliveriesPerMinute: env.TOCSIN_QUOTA_DELIVERIES_PER_MINUTE,
    maxWorkflows: env.TOCSIN_QUOTA_WORKFLOWS,
    maxRecipients: env.TOCSIN_QUOTA_RECIPIENTS,
    maxPayloadBytes: env.TOCSIN_QUOTA_PAYLOAD_BYTES,
  };
  const quotas = Object.entries(given).filter(([, value]) => value !== undefined && value !== '');
  // What is no number is refused where all options are checked.
  return quotas.length > 0 ? { quotas: Object.fromEntries(quotas.map(([name, value]) => [name, Number(value)])) } : {};
}

const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/** The log level of `tocsin worker`. Throws `WorkflowError` for a word that is none. */
export function logLevelFromEnvironment(env: NodeJS.ProcessEnv = process.env): string {
  const written = env.TOCSIN_LOG_LEVEL || 'info';
  if (logLevels.includes(written)) return written;
  const place = { path: 'TOCSIN_LOG_LEVEL', kind: 'log level', written, allowed: logLevels };
  throw invalid('the configuration', [unknownWord(place)]);
}
