/**
 * The tables of schema `tocsin`, as drizzle sees them. What drizzle cannot say (partitions, functions, triggers) stands
 * in the hand-written parts of `migrations/`; ARCHITECTURE.md draws the states.
 *
 * Ids that leave the system are UUIDs with the time in their first 48 bits (v7, or v8 where derived from a natural key),
 * so ranges of ids are ranges of time: big tables are partitioned by id, a day each, and retention drops partitions.
 */
import { sql } from 'drizzle-orm';
import {
  bigint,
  boolean,
  check,
  customType,
  foreignKey,
  index,
  integer,
  json,
  jsonb,
  pgSchema,
  primaryKey,
  smallint,
  text,
  timestamp,
  unique,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';

const tocsin = pgSchema('tocsin');

const newId = sql`tocsin.new_id()`;
const moment = (name: string) => timestamp(name, { withTimezone: true });
const bytes = customType<{ data: Buffer }>({ dataType: () => 'bytea' });

/** Claim order of events. A sequence, not an identity column: those cannot stand on partitioned tables before PostgreSQL 17. */
export const eventPosition = tocsin.sequence('event_position');

/** Up to where lanes of any process have claimed, roughly: no counter, but a number that all see at once and nobody waits for. */
export const claimedPosition = tocsin.sequence('claimed_position');

/** Settings of one tenant; a tenant without a row has the defaults. */
export const tenants = tocsin.table(
  'tenants',
  {
    tenantId: text('tenant_id').primaryKey(),
    /** Days that executions, deliveries and attempts are kept; null: the engine's default. */
    retentionDays: integer('retention_days'),
    /** Quotas (`model/quota.ts`); null: the deployment's default. */
    eventsPerMinute: integer('events_per_minute'),
    deliveriesPerMinute: integer('deliveries_per_minute'),
    maxWorkflows: integer('max_workflows'),
    maxRecipients: integer('max_recipients'),
    maxPayloadBytes: integer('max_payload_bytes'),
    /** Who the tenant's mail is from: null the deployment's sender; the address must be of one of `sender_domains`. */
    senderName: text('sender_name'),
    senderAddress: text('sender_address'),
    /** Where answers go, unless the action says otherwise. */
    senderReplyTo: text('sender_reply_to'),
    /** Domains the operator lets the tenant send from. */
    senderDomains: text('sender_domains').array().notNull().default(sql`'{}'`),
    updatedAt: moment('updated_at').notNull().defaultNow(),
    /** Value of `definitions_version` its quotas last changed at: what caches load from. */
    changedAtVersion: bigint('changed_at_version', { mode: 'number' }).notNull().default(0),
  },
  (t) => [index('tenants_changed').on(t.changedAtVersion)],
);

/** What a tenant with a quota used in a minute of the database's clock. */
export const tenantUsage = tocsin.table(
  'tenant_usage',
  {
    tenantId: text('tenant_id').notNull(),
    minute: moment('minute').notNull(),
    events: integer('events').notNull().default(0),
    deliveries: integer('deliveries').notNull().default(0),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.minute] }), index('tenant_usage_minute').on(t.minute)],
);

/** A workflow: its working copy (`definition`) and which published version runs. */
export const workflows = tocsin.table(
  'workflows',
  {
    id: uuid('id').primaryKey().default(newId),
    tenantId: text('tenant_id').notNull(),
    name: text('name').notNull(),
    description: text('description').notNull().default(''),
    status: text('status').notNull().$type<'draft' | 'active' | 'inactive' | 'archived'>(),
    /** Why the engine set it inactive by itself; null when a person did. */
    pausedReason: text('paused_reason'),
    definition: jsonb('definition').notNull().$type<unknown>(),
    publishedVersion: integer('published_version'),
    /** Grows with every change; an update may name the revision it was made from. */
    revision: integer('revision').notNull().default(1),
    /** Value of `definitions_version` this row last changed at: what caches load from. */
    changedAtVersion: bigint('changed_at_version', { mode: 'number' }).notNull(),
    createdAt: moment('created_at').notNull().defaultNow(),
    updatedAt: moment('updated_at').notNull().defaultNow(),
    deletedAt: moment('deleted_at'),
  },
  (t) => [
    uniqueIndex('workflows_name').on(t.tenantId, t.name).where(sql`deleted_at is null`),
    index('workflows_changed').on(t.changedAtVersion),
    check('workflows_status', sql`${t.status} in ('draft', 'active', 'inactive', 'archived')`),
    // What runs is always a published version; a draft has none.
    check('workflows_active_is_published', sql`${t.status} <> 'active' or ${t.publishedVersion} is not null`),
  ],
);

/** What was published, for ever as it was: a trigger refuses updates. Executions point here. */
export const workflowVersions = tocsin.table(
  'workflow_versions',
  {
    workflowId: uuid('workflow_id')
      .notNull()
      .references(() => workflows.id),
    version: integer('version').notNull(),
    tenantId: text('tenant_id').notNull(),
    definition: jsonb('definition').notNull().$type<unknown>(),
    publishedAt: moment('published_at').notNull().defaultNow(),
    publishedBy: text('published_by'),
  },
  (t) => [primaryKey({ columns: [t.workflowId, t.version] })],
);

/** Which entity type and operation an active workflow listens to: the gate of captures that are `onlyWhenSubscribed`. */
export const subscriptions = tocsin.table(
  'subscriptions',
  {
    entityType: text('entity_type').notNull(),
    operation: text('operation').notNull(),
    tenantId: text('tenant_id').notNull(),
    workflowId: uuid('workflow_id').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.entityType, t.operation, t.tenantId, t.workflowId] }),
    index('subscriptions_workflow').on(t.workflowId),
  ],
);

/** One row; bumped in the transaction of every definition change and read by every claim, so that no decision is stale. */
export const definitionsVersion = tocsin.table(
  'definitions_version',
  {
    onlyRow: boolean('only_row').primaryKey().default(true),
    version: bigint('version', { mode: 'number' }).notNull().default(0),
  },
  (t) => [check('definitions_version_one_row', sql`${t.onlyRow}`)],
);

/** Columns an event has both while it waits and after. */
const eventColumns = () => ({
  id: uuid('id').notNull().default(newId),
  tenantId: text('tenant_id').notNull().default(''),
  source: text('source').notNull().$type<'db' | 'domain'>(),
  entityType: text('entity_type').notNull(),
  entityId: text('entity_id').notNull().default(''),
  operation: text('operation').notNull(),
  /** json, not jsonb: cheaper to write, and keeps what jsonb refuses (an escaped NUL) or rounds. */
  payload: json('payload').$type<unknown>(),
  previous: json('previous').$type<unknown>(),
  changed: text('changed').array(),
  actor: text('actor'),
  traceContext: text('trace_context'),
  /** The workflows whose effects led to this event, oldest first (`model/causation.ts`). */
  causation: text('causation'),
  idempotencyKey: text('idempotency_key'),
  occurredAt: moment('occurred_at').notNull().default(sql`clock_timestamp()`),
  attempts: smallint('attempts').notNull().default(0),
});

/** The outbox: events nobody has matched yet. Three list partitions by `segment`; a drained one is truncated. */
export const events = tocsin.table(
  'events',
  {
    position: bigint('position', { mode: 'number' }).notNull().default(sql`nextval('tocsin.event_position')`),
    segment: smallint('segment').notNull().default(sql`tocsin.current_segment()`),
    ...eventColumns(),
    /** Set when matching it failed: not before this moment again. */
    notBefore: moment('not_before'),
  },
  (t) => [primaryKey({ columns: [t.position, t.segment] })],
);

/** Events that were matched, or given up (`failure` says why). Daily partitions by id. */
export const eventHistory = tocsin.table(
  'event_history',
  {
    ...eventColumns(),
    processedAt: moment('processed_at').notNull().defaultNow(),
    failure: text('failure'),
  },
  (t) => [primaryKey({ columns: [t.id] }), index('event_history_failed').on(t.id).where(sql`failure is not null`)],
);

/** Idempotency keys of domain events: the same key in a tenant is the same event, for 30 days. */
export const eventKeys = tocsin.table(
  'event_keys',
  {
    tenantId: text('tenant_id').notNull(),
    idempotencyKey: text('idempotency_key').notNull(),
    eventId: uuid('event_id').notNull(),
    createdAt: moment('created_at').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.idempotencyKey] }), index('event_keys_created').on(t.createdAt)],
);

/** One event and one workflow version. The id derives from both, so a second one cannot stand. Daily partitions by id. */
export const executions = tocsin.table(
  'executions',
  {
    id: uuid('id').notNull(),
    tenantId: text('tenant_id').notNull(),
    workflowId: uuid('workflow_id').notNull(),
    workflowVersion: integer('workflow_version').notNull(),
    eventId: uuid('event_id').notNull(),
    status: text('status')
      .notNull()
      .$type<'pending' | 'running' | 'success' | 'partial' | 'failed' | 'skipped' | 'cancelled'>(),
    reason: text('reason'),
    /** Conditions and actions as they were decided, with the reasons (`model/execution.ts`). */
    trace: json('trace').$type<unknown>(),
    /** Executions of a workflow that orders its deliveries: those of one entity have the same key; null: in any order. */
    orderingKey: text('ordering_key'),
    /** Of the event. */
    orderingPosition: bigint('ordering_position', { mode: 'number' }),
    deliveriesOpen: integer('deliveries_open').notNull().default(0),
    deliveriesDone: integer('deliveries_done').notNull().default(0),
    deliveriesFailed: integer('deliveries_failed').notNull().default(0),
    attempts: smallint('attempts').notNull().default(0),
    /** While pending: not before this moment; while leased: when the lease ends. */
    dueAt: moment('due_at').notNull().defaultNow(),
    leaseToken: uuid('lease_token'),
    createdAt: moment('created_at').notNull().defaultNow(),
    completedAt: moment('completed_at'),
  },
  (t) => [
    primaryKey({ columns: [t.id] }),
    index('executions_workflow').on(t.tenantId, t.workflowId, t.id),
    index('executions_due').on(t.dueAt).where(sql`status = 'pending'`),
    // For claims by tenant, while one has more due than a worker can take (`engine/fair-queue.ts`).
    index('executions_tenant_due').on(t.tenantId, t.dueAt).where(sql`status = 'pending'`),
    index('executions_ordered')
      .on(t.tenantId, t.orderingKey, t.orderingPosition)
      .where(sql`status = 'pending' and ordering_key is not null`),
    index('executions_failed').on(t.tenantId, t.workflowId, t.id).where(sql`status in ('failed', 'partial')`),
    check(
      'executions_status',
      sql`${t.status} in ('pending', 'running', 'success', 'partial', 'failed', 'skipped', 'cancelled')`,
    ),
  ],
);

/** One execution, action and recipient: ledger and queue in one row. The id derives from all three. Daily partitions by id. */
export const deliveries = tocsin.table(
  'deliveries',
  {
    id: uuid('id').notNull(),
    tenantId: text('tenant_id').notNull(),
    executionId: uuid('execution_id').notNull(),
    actionId: text('action_id').notNull(),
    actionType: text('action_type').notNull(),
    /** The user told; empty for an action that goes out once per execution (webhook). */
    recipientId: text('recipient_id').notNull().default(''),
    /** The recipient as known when planned: address, name, locale, timezone. */
    recipient: json('recipient').$type<unknown>(),
    queue: text('queue').notNull().default('default'),
    /** Deliveries of a tenant with the same key go out one after the other, by position; null: in any order. */
    orderingKey: text('ordering_key'),
    orderingPosition: bigint('ordering_position', { mode: 'number' }),
    status: text('status').notNull().$type<'pending' | 'delivered' | 'dead' | 'skipped' | 'cancelled'>(),
    reason: text('reason'),
    attempts: smallint('attempts').notNull().default(0),
    /** Attempts made before the last redrive: the retry policy counts from here. */
    attemptsBase: smallint('attempts_base').notNull().default(0),
    /** While pending: not before this moment; while leased: when the lease ends. */
    dueAt: moment('due_at').notNull().defaultNow(),
    leaseToken: uuid('lease_token'),
    createdAt: moment('created_at').notNull().defaultNow(),
    completedAt: moment('completed_at'),
  },
  (t) => [
    primaryKey({ columns: [t.id] }),
    index('deliveries_execution').on(t.executionId),
    index('deliveries_due').on(t.dueAt).where(sql`status = 'pending'`),
    // For claims by tenant, as above.
    index('deliveries_tenant_due').on(t.tenantId, t.dueAt).where(sql`status = 'pending'`),
    index('deliveries_dead').on(t.tenantId, t.id).where(sql`status = 'dead'`),
    index('deliveries_ordered')
      .on(t.tenantId, t.orderingKey, t.orderingPosition)
      .where(sql`status = 'pending' and ordering_key is not null`),
    index('deliveries_ordered_due').on(t.dueAt).where(sql`status = 'pending' and ordering_key is not null`),
    check('deliveries_status', sql`${t.status} in ('pending', 'delivered', 'dead', 'skipped', 'cancelled')`),
  ],
);

/** Each try of a delivery that left the database. Daily partitions by delivery id. */
export const deliveryAttempts = tocsin.table(
  'delivery_attempts',
  {
    deliveryId: uuid('delivery_id').notNull(),
    attempt: smallint('attempt').notNull(),
    tenantId: text('tenant_id').notNull(),
    outcome: text('outcome').notNull().$type<'delivered' | 'retry' | 'failed' | 'skipped'>(),
    reason: text('reason'),
    /** What the transport said (status code, SMTP answer, message id), secrets redacted. */
    detail: json('detail').$type<unknown>(),
    startedAt: moment('started_at').notNull(),
    durationMs: integer('duration_ms').notNull(),
  },
  (t) => [primaryKey({ columns: [t.deliveryId, t.attempt] })],
);

/** The inbox: what in-app recipients see. The id is the delivery's. */
export const notifications = tocsin.table(
  'notifications',
  {
    id: uuid('id').primaryKey(),
    tenantId: text('tenant_id').notNull(),
    userId: text('user_id').notNull(),
    executionId: uuid('execution_id').notNull(),
    title: text('title').notNull(),
    message: text('message').notNull(),
    priority: text('priority').notNull().default('medium').$type<'low' | 'medium' | 'high' | 'critical'>(),
    link: text('link'),
    createdAt: moment('created_at').notNull().defaultNow(),
    readAt: moment('read_at'),
    archivedAt: moment('archived_at'),
  },
  (t) => [
    index('notifications_inbox').on(t.tenantId, t.userId, t.id),
    check('notifications_priority', sql`${t.priority} in ('low', 'medium', 'high', 'critical')`),
  ],
);

/** What the host told us about its entities: fields for validation, the table for saved queries. Shared by all tenants. */
export const entityTypes = tocsin.table('entity_types', {
  name: text('name').primaryKey(),
  /** [{ name, type, nullable }] as in `model/entity-type.ts`. */
  fields: jsonb('fields').notNull().$type<unknown>(),
  operations: text('operations').array().notNull(),
  schemaName: text('schema_name'),
  tableName: text('table_name'),
  /** The column that names the tenant, or null when `tenant_constant` owns every row. */
  tenantColumn: text('tenant_column'),
  tenantConstant: text('tenant_constant'),
  updatedAt: moment('updated_at').notNull().defaultNow(),
});

/** Host tables with capture triggers, as installed: what `verify` compares with the catalog. */
export const captures = tocsin.table(
  'captures',
  {
    id: uuid('id').primaryKey().default(newId),
    schemaName: text('schema_name').notNull(),
    tableName: text('table_name').notNull(),
    entityType: text('entity_type').notNull(),
    tenantColumn: text('tenant_column'),
    tenantConstant: text('tenant_constant'),
    excluded: text('excluded').array().notNull(),
    keyColumns: text('key_columns').array().notNull(),
    /** [{ name, type }] of the table when installed. */
    columns: jsonb('columns').notNull().$type<unknown>(),
    operations: text('operations').array().notNull(),
    onlyWhenSubscribed: boolean('only_when_subscribed').notNull().default(false),
    installedAt: moment('installed_at').notNull().defaultNow(),
  },
  (t) => [
    unique('captures_table').on(t.schemaName, t.tableName),
    check('captures_one_tenant_source', sql`num_nonnulls(${t.tenantColumn}, ${t.tenantConstant}) = 1`),
  ],
);

/** A tenant's named filter over one entity type's table, for `query_match`. */
export const savedQueries = tocsin.table(
  'saved_queries',
  {
    id: uuid('id').primaryKey().default(newId),
    tenantId: text('tenant_id').notNull(),
    name: text('name').notNull(),
    definition: jsonb('definition').notNull().$type<unknown>(),
    changedAtVersion: bigint('changed_at_version', { mode: 'number' }).notNull(),
    updatedAt: moment('updated_at').notNull().defaultNow(),
  },
  (t) => [unique('saved_queries_name').on(t.tenantId, t.name), index('saved_queries_changed').on(t.changedAtVersion)],
);

/** A tenant's stored mail template, used by name. */
export const templates = tocsin.table(
  'templates',
  {
    tenantId: text('tenant_id').notNull(),
    name: text('name').notNull(),
    subject: text('subject'),
    html: text('html'),
    text: text('text'),
    changedAtVersion: bigint('changed_at_version', { mode: 'number' }).notNull(),
    updatedAt: moment('updated_at').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.name] }), index('templates_changed').on(t.changedAtVersion)],
);

/** A tenant's secret, AES-256-GCM under the key named by `key_id`; the tenant and name are authenticated with it. */
export const secrets = tocsin.table(
  'secrets',
  {
    tenantId: text('tenant_id').notNull(),
    name: text('name').notNull(),
    keyId: text('key_id').notNull(),
    nonce: bytes('nonce').notNull(),
    ciphertext: bytes('ciphertext').notNull(),
    /** Hosts whose webhooks may use it; null: any. */
    hosts: text('hosts').array(),
    updatedAt: moment('updated_at').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.tenantId, t.name] })],
);

/** What a person does not want to be told: by channel, from one workflow or (empty) from all. */
export const preferences = tocsin.table(
  'preferences',
  {
    tenantId: text('tenant_id').notNull(),
    userId: text('user_id').notNull(),
    /** An action type, e.g. `email`. */
    channel: text('channel').notNull(),
    workflowId: text('workflow_id').notNull().default(''),
    muted: boolean('muted').notNull(),
    source: text('source').notNull().$type<'host' | 'unsubscribe_link'>(),
    updatedAt: moment('updated_at').notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.userId, t.channel, t.workflowId] }),
    // The match stage asks whether anybody muted the inbox, of every batch: small where nobody did.
    index('preferences_muted_inbox').on(t.tenantId, t.userId).where(sql`muted and channel = 'notification'`),
    check('preferences_source', sql`${t.source} in ('host', 'unsubscribe_link')`),
  ],
);

/** Addresses a tenant's mail does not go to any more: they bounced for good, or complained. */
export const suppressions = tocsin.table(
  'suppressions',
  {
    tenantId: text('tenant_id').notNull(),
    /** In lower case. */
    address: text('address').notNull(),
    reason: text('reason').notNull().$type<'hard_bounce' | 'complaint' | 'host'>(),
    detail: text('detail'),
    createdAt: moment('created_at').notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.address] }),
    check('suppressions_reason', sql`${t.reason} in ('hard_bounce', 'complaint', 'host')`),
  ],
);

/** Where a tenant's webhooks go and how it fares: the state of its circuit breaker. An origin without a row is closed. */
export const endpoints = tocsin.table(
  'endpoints',
  {
    tenantId: text('tenant_id').notNull(),
    /** Scheme, host and port. */
    origin: text('origin').notNull(),
    state: text('state').notNull().$type<'closed' | 'open' | 'half_open'>(),
    /** Failures since the last success. */
    failures: integer('failures').notNull().default(0),
    lastReason: text('last_reason'),
    openedAt: moment('opened_at'),
    /** While open: when one delivery may try it again. */
    retryAt: moment('retry_at'),
    updatedAt: moment('updated_at').notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.origin] }),
    check('endpoints_state', sql`${t.state} in ('closed', 'open', 'half_open')`),
  ],
);

/** The default directory: people who can be told. */
export const directoryUsers = tocsin.table(
  'directory_users',
  {
    tenantId: text('tenant_id').notNull(),
    id: text('id').notNull(),
    name: text('name'),
    email: text('email'),
    locale: text('locale'),
    timezone: text('timezone'),
    attributes: jsonb('attributes').notNull().default({}).$type<unknown>(),
    active: boolean('active').notNull().default(true),
    updatedAt: moment('updated_at').notNull().defaultNow(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.id] }),
    // Below the tenant, so that finding one tenant's users does not read what others have.
    index('directory_users_attributes').using(
      'gin',
      sql`tocsin.tenant_attributes("tenant_id", "attributes") jsonb_path_ops`,
    ),
  ],
);

/** Who is in which role or group. */
export const directoryMemberships = tocsin.table(
  'directory_memberships',
  {
    tenantId: text('tenant_id').notNull(),
    kind: text('kind').notNull().$type<'role' | 'group'>(),
    name: text('name').notNull(),
    userId: text('user_id').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.tenantId, t.kind, t.name, t.userId] }),
    index('directory_memberships_user').on(t.tenantId, t.userId),
    // Every member is a user, so a page of members is a page of users.
    foreignKey({
      name: 'directory_memberships_member',
      columns: [t.tenantId, t.userId],
      foreignColumns: [directoryUsers.tenantId, directoryUsers.id],
    }).onDelete('cascade'),
    check('directory_memberships_kind', sql`${t.kind} in ('role', 'group')`),
  ],
);

/** Worker processes and when they were last seen, for `doctor` and operators. */
export const workers = tocsin.table('workers', {
  id: uuid('id').primaryKey(),
  host: text('host').notNull(),
  pid: integer('pid').notNull(),
  version: text('version').notNull(),
  stages: text('stages').array().notNull(),
  queues: text('queues').array(),
  startedAt: moment('started_at').notNull().defaultNow(),
  seenAt: moment('seen_at').notNull().defaultNow(),
});
