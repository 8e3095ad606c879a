import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { CaptureService } from './capture/capture-service.ts';
import { DomainEvent } from './capture/domain-event.ts';
import { EventDispatcher } from './capture/event-dispatcher.ts';
import { WakeUpListener } from './capture/wake-up-listener.ts';
import { WorkflowEventHandler } from './capture/workflow-event-handler.ts';
import { readSettings, type Settings, type SettingsInput } from './config.ts';
import type { ActionHandler, Transports } from './deliver/action.ts';
import { EndpointGate } from './deliver/endpoint-gate.ts';
import { createHttpTransport } from './deliver/transports/http.ts';
import { createSmtpTransport } from './deliver/transports/smtp.ts';
import { createHandlers } from './engine/built-in-handlers.ts';
import { WorkflowEngine, type WorkflowEngineOptions } from './engine/workflow-engine.ts';
import type { RecipientResolver } from './execute/recipient.ts';
import type { ConditionHandler } from './match/condition.ts';
import type { Directory } from './model/recipient.ts';
import { type Logger, silentLogger } from './runtime/logger.ts';
import { Metrics } from './runtime/metrics.ts';
import { Worker } from './runtime/worker.ts';
import { DeadLetterService } from './service/dead-letter-service.ts';
import { DirectoryService } from './service/directory-service.ts';
import { EndpointService } from './service/endpoint-service.ts';
import { EntityTypeService } from './service/entity-type-service.ts';
import { InboxService } from './service/inbox-service.ts';
import { PreferenceService } from './service/preference-service.ts';
import { QuotaService } from './service/quota-service.ts';
import { RetentionService } from './service/retention-service.ts';
import { SavedQueryService } from './service/saved-query-service.ts';
import { SecretService } from './service/secret-service.ts';
import { SuppressionService } from './service/suppression-service.ts';
import { TemplateService } from './service/template-service.ts';
import { TenantService } from './service/tenant-service.ts';
import { readUnsubscribeKeys, UnsubscribeService } from './service/unsubscribe-service.ts';
import { WorkflowService } from './service/workflow-service.ts';
import { countSavedQuery } from './store/count-saved-query.ts';
import { type Database, openDatabase } from './store/database.ts';
import { createDefaultDirectory } from './store/directory.ts';
import { migrate, pendingMigrations } from './store/migrate.ts';

/** Options of `createTocsin`: settings, and what is code. */
export type TocsinOptions = SettingsInput & {
  /** The host's own condition, action and recipient types. The same in every process that saves or runs workflows. */
  readonly conditions?: readonly ConditionHandler[];
  readonly actions?: readonly ActionHandler[];
  readonly recipients?: readonly RecipientResolver[];
  /** Where recipients come from; default: Tocsin's own directory (`tocsin.directory`). */
  readonly directory?: Directory;
  /** Where the worker says what happens; default: nowhere. */
  readonly logger?: Logger;
};

/** Tocsin in one process: services for administrators, the dispatcher for domain events, the engine and its worker. */
export type Tocsin = {
  readonly settings: Settings;
  readonly database: Database;
  /** Brings the schema up to date; answers how many migrations were applied. */
  readonly migrate: () => Promise<number>;
  readonly pendingMigrations: () => Promise<number>;
  readonly capture: CaptureService;
  readonly events: EventDispatcher;
  readonly engine: WorkflowEngine;
  readonly workflows: WorkflowService;
  readonly directory: DirectoryService;
  readonly inbox: InboxService;
  /** What people do not want to be told. */
  readonly preferences: PreferenceService;
  /** Addresses that mails do not go to. */
  readonly suppressions: SuppressionService;
  /** Links by which recipients opt out: give it to `createUnsubscribeHandler`. */
  readonly unsubscribe: UnsubscribeService;
  /** Who tenants' mails are from. */
  readonly tenants: TenantService;
  readonly entityTypes: EntityTypeService;
  readonly savedQueries: SavedQueryService;
  readonly templates: TemplateService;
  readonly secrets: SecretService;
  readonly endpoints: EndpointService;
  /** What tenants may use, and what they do. */
  readonly quotas: QuotaService;
  readonly deadLetters: DeadLetterService;
  readonly retention: RetentionService;
  /** The long-running process of this one: `start()`, `stop()`. The same as `tocsin worker`. */
  readonly listener: Worker;
  readonly metrics: Metrics;
  /** Asks the mail server whether it would take mail; null when none is configured. */
  readonly verifySmtp: () => Promise<string | null>;
  /** Stops the worker and closes every connection. */
  readonly close: () => Promise<void>;
};

/** Version of the package. */
export const version: string = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version;

/**
 * Puts Tocsin together. Connects to nothing yet.
 *
 * @throws WorkflowError `invalid` naming the option and what it may be
 */
export async function createTocsin(options: TocsinOptions): Promise<Tocsin> {
  const {
    conditions = [],
    actions = [],
    recipients = [],
    directory: hostDirectory,
    logger = silentLogger,
    ...input
  } = options;
  const settings = readSettings(input);
  const database = openDatabase({
    databaseUrl: settings.databaseUrl,
    poolSize: settings.poolSize,
    onIdleError: (error) => logger.warn({ error: error.message }, 'an idle connection died and is replaced'),
  });

  const handlers = createHandlers();
  for (const condition of conditions) handlers.conditions.register(condition);
  for (const recipient of recipients) handlers.recipients.register(recipient);
  for (const action of actions) handlers.actions.register(action);
  const secrets = new SecretService({
    database,
    ...(settings.secretsKey ? { secretsKey: settings.secretsKey } : {}),
    previousSecretsKeys: settings.previousSecretsKeys,
  });
  const templates = new TemplateService({ database });
  const unsubscribe = new UnsubscribeService({
    database,
    ...(settings.unsubscribe && { baseUrl: settings.unsubscribe.baseUrl, keys: unsubscribeKeys(settings) }),
  });
  const smtp = settings.smtp ? createSmtpTransport(settings.smtp) : null;
  const http = createHttpTransport({
    allow: { hosts: settings.webhooks.allowHosts, cidrs: settings.webhooks.allowCidrs },
    ports: settings.webhooks.ports,
    maxRequestBytes: settings.webhooks.maxRequestBytes,
    // The gate bounds what one tenant sends to one endpoint: tenants who call the same host do not wait for each other.
    connectionsPerOrigin: settings.worker.concurrency,
  });
  const engine = createEngine(settings, {
    database,
    handlers,
    directory: hostDirectory ?? createDefaultDirectory(database),
    delivery: {
      transports: { sendMail: smtp?.sendMail ?? noMailServer, sendHttp: http.sendHttp },
      openSecret: (tenantId, name, url) => secrets.openSecret(tenantId, name, url),
      endpoints: createEndpointGate(settings, database, logger),
      maxWaitMs: settings.webhooks.maxWaitMs,
      storedTemplate: (tenantId, name) => templates.storedTemplate(tenantId, name),
      unsubscribeUrl: (of) => unsubscribe.link(of),
    },
  });
  const retention = new RetentionService({ database });
  const metrics = new Metrics(database, settings.quotas);
  const listener = new Worker({
    database,
    engine,
    retention,
    metrics,
    logger,
    settings,
    version,
    createListener: (handlers) => new WakeUpListener({ connectionConfig: database.connectionConfig, ...handlers }),
  });
  const events = new EventDispatcher();
  events.registerHandler(DomainEvent, new WorkflowEventHandler(database, settings.quotas));

  return {
    settings,
    database,
    migrate: () => migrate(database, { onWait: (message) => logger.warn({}, message) }),
    pendingMigrations: () => pendingMigrations(database),
    capture: new CaptureService(database),
    events,
    engine,
    workflows: new WorkflowService({ database, handlers, quotas: settings.quotas, eventListener: listener }),
    directory: new DirectoryService({ database }),
    inbox: new InboxService({ database }),
    preferences: new PreferenceService({ database, handlers }),
    suppressions: new SuppressionService({ database }),
    unsubscribe,
    tenants: new TenantService({ database }),
    entityTypes: new EntityTypeService({ database }),
    savedQueries: new SavedQueryService({ database }),
    templates,
    secrets,
    endpoints: new EndpointService({ database }),
    quotas: new QuotaService({ database, defaults: settings.quotas }),
    deadLetters: new DeadLetterService({ database }),
    retention,
    listener,
    metrics,
    verifySmtp: async () => (smtp ? smtp.verify() : null),
    close: async () => {
      await listener.stop();
      smtp?.close();
      await http.close();
      await database.close();
    },
  };
}

/** The engine as the settings ask for it. */
function createEngine(
  settings: Settings,
  parts: Pick<WorkflowEngineOptions, 'database' | 'handlers' | 'directory' | 'delivery'>,
): WorkflowEngine {
  const { role } = settings.savedQueries;
  return new WorkflowEngine({
    ...parts,
    countMatches: (request) => countSavedQuery(parts.database, { ...request, timeoutMs: savedQueryTimeoutMs, role }),
    leaseMs: settings.worker.leaseMs,
    lookupTimeoutMs,
    quotas: settings.quotas,
    pauseAfterFailures: settings.pauseAfterFailures,
    pauseAfterMs: settings.pauseAfterMs,
    causationLimits: { maxDepth: settings.maxCausationDepth, maxRepeats: settings.maxCausationRepeats },
  });
}

function createEndpointGate({ webhooks, worker }: Settings, database: Database, logger: Logger): EndpointGate {
  return new EndpointGate({
    database,
    policy: webhooks,
    perEndpoint: webhooks.endpointConcurrency,
    perTenant: Math.max(webhooks.endpointConcurrency, Math.ceil(worker.concurrency / 2)),
    onPaused: (paused) => logger.warn(paused, 'an endpoint is paused'),
    onError: (error) => logger.warn({ error: error.message }, 'the state of an endpoint was not read or written'),
  });
}

function unsubscribeKeys({ unsubscribe, secretsKey, previousSecretsKeys }: Settings): readonly KeyObject[] {
  const { key, previousKeys = [] } = unsubscribe ?? {};
  return readUnsubscribeKeys({ key, previousKeys, secretsKey, previousSecretsKeys });
}

/** What one look-up of a condition or resolver may take. */
const lookupTimeoutMs = 5_000;
const savedQueryTimeoutMs = 1_000;

/** Mail without a mail server waits, as it would for one that is down: configuring one lets it go out. */
const noMailServer: Transports['sendMail'] = async () => ({
  status: 'retry',
  reason: 'connection_failed',
  detail: { error: 'no mail server is configured: set the option `smtp` (TOCSIN_SMTP_URL)' },
});
