import { z } from 'zod';
import { type Issue, invalid } from './errors.ts';

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

const smtpOptions = z.strictObject({
  /** smtp:// or smtps:// URL with user and password if needed. */
  url: z.string().regex(/^smtps?:\/\//, 'an smtp:// or smtps:// URL'),
  /** Address that mails come from; tenants choose only the display name. */
  from: z.string().min(3),
  /** Right side of Message-IDs; default: the domain of `from`. */
  messageIdDomain: z.string().optional(),
  /** SMTP connections at once. */
  connections: z.number().int().min(1).max(100).default(5),
});

const webhookOptions = z.strictObject({
  /** Hosts that may be called although they are not public, e.g. `localhost`. */
  allowHosts: z.array(z.string()).default([]),
  /** Networks that may be called although they are not public, e.g. `10.1.0.0/16`. */
  allowCidrs: z.array(z.string()).default([]),
  /** Ports that may be called. */
  ports: z.array(z.number().int().min(1).max(65_535)).default([80, 443]),
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
});

const retentionOptions = z.strictObject({
  /** Days that executions, deliveries and attempts are kept, unless a tenant has its own number. */
  days: z.number().int().min(1).max(3_650).default(30),
  /** Days that matched events are kept, for explanations and redriving. */
  eventDays: z.number().int().min(1).max(3_650).default(7),
});

/** Options that are data; handlers, the directory and the logger are given beside them (`TocsinOptions`). */
export const settingsSchema = z.strictObject({
  /** postgres:// URL. */
  databaseUrl: z.string().regex(/^postgres(ql)?:\/\//, 'a postgres:// URL'),
  /** Connections of the pool. */
  poolSize: z.number().int().min(2).max(200).default(10),
  smtp: smtpOptions.optional(),
  webhooks: webhookOptions.prefault({}),
  /** 32 bytes, base64 or hex: what tenants' secrets are encrypted with. */
  secretsKey: z.string().optional(),
  /** Earlier keys, still good for reading. */
  previousSecretsKeys: z.array(z.string()).default([]),
  worker: workerOptions.prefault({}),
  retention: retentionOptions.prefault({}),
});

export type Settings = z.output<typeof settingsSchema>;
export type SettingsInput = z.input<typeof settingsSchema>;

/** Checks options and fills in the defaults. Throws `WorkflowError` naming the option and what it may be. */
export function readSettings(input: unknown): Settings {
  const parsed = settingsSchema.safeParse(input);
  if (parsed.success) return parsed.data;
  const issues: Issue[] = parsed.error.issues.map((issue) => ({
    path: issue.path.join('.') || 'options',
    message: issue.message,
  }));
  throw invalid('options', issues);
}

/** The environment variables the command line reads, and the option each sets. */
export const environment = {
  DATABASE_URL: 'databaseUrl',
  TOCSIN_SECRETS_KEY: 'secretsKey',
  TOCSIN_SMTP_URL: 'smtp.url',
  TOCSIN_MAIL_FROM: 'smtp.from',
  TOCSIN_WEBHOOK_ALLOW_HOSTS: 'webhooks.allowHosts',
  TOCSIN_WEBHOOK_ALLOW_CIDRS: 'webhooks.allowCidrs',
  TOCSIN_LOG_LEVEL: 'the log level of `tocsin worker` (default info)',
} as const;

/** Options from the environment (the command line's way; the library is given its options). */
export function settingsFromEnvironment(env: NodeJS.ProcessEnv = process.env): Partial<SettingsInput> {
  const list = (value: string | undefined) =>
    value
      ?.split(',')
      .map((part) => part.trim())
      .filter(Boolean);
  const allowHosts = list(env.TOCSIN_WEBHOOK_ALLOW_HOSTS);
  const allowCidrs = list(env.TOCSIN_WEBHOOK_ALLOW_CIDRS);
  return {
    ...(env.DATABASE_URL ? { databaseUrl: env.DATABASE_URL } : {}),
    ...(env.TOCSIN_SECRETS_KEY ? { secretsKey: env.TOCSIN_SECRETS_KEY } : {}),
    ...(env.TOCSIN_SMTP_URL
      ? { smtp: { url: env.TOCSIN_SMTP_URL, from: env.TOCSIN_MAIL_FROM ?? 'tocsin@localhost' } }
      : {}),
    ...(allowHosts || allowCidrs
      ? { webhooks: { ...(allowHosts ? { allowHosts } : {}), ...(allowCidrs ? { allowCidrs } : {}) } }
      : {}),
  };
}

/** The log level of `tocsin worker`. */
export function logLevelFromEnvironment(env: NodeJS.ProcessEnv = process.env): string {
  return env.TOCSIN_LOG_LEVEL ?? 'info';
}
