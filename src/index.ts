/** Tocsin: notification workflows that tenants write themselves, run on the host's own PostgreSQL. */
export type { CaptureInfo, CaptureOptions, CaptureService } from './capture/capture-service.ts';
export { DomainEvent, type DomainEventOptions } from './capture/domain-event.ts';
export {
  type Dispatched,
  type DispatchOptions,
  type DomainEventHandler,
  EventDispatcher,
} from './capture/event-dispatcher.ts';
export { WorkflowEventHandler } from './capture/workflow-event-handler.ts';
export { presets, type Settings, type SettingsInput, type Stage } from './config.ts';
export type { ActionHandler, AttemptContext, Mail, MessageContext, Transports } from './deliver/action.ts';
export { defineAction } from './deliver/define-action.ts';
export { compileJsonTemplate } from './deliver/render/compile-json-template.ts';
export { compileTemplate, type Template, type TemplateOptions } from './deliver/render/compile-template.ts';
export type { TemplateError } from './deliver/render/template-error.ts';
export { WorkflowEngine, type WorkflowEngineOptions } from './engine/workflow-engine.ts';
export { type ErrorCode, errorCodes, type Issue, WorkflowError } from './errors.ts';
export { defineRecipient } from './execute/define-recipient.ts';
export type { RecipientResolver, ResolverContext } from './execute/recipient.ts';
export { HandlerFamily, type Handlers } from './handlers.ts';
export {
  createUnsubscribeHandler,
  type UnsubscribeHandler,
  type UnsubscribeHandlerOptions,
} from './http/unsubscribe-handler.ts';
export type { DeliveryLog, ExecutionDetail, ExecutionLog } from './log/execution-log.ts';
export type { ConditionHandler, ConditionServices, Subject } from './match/condition.ts';
export { defineCondition } from './match/define-condition.ts';
export type { ConditionTrace, Verdict } from './model/condition.ts';
export { Decimal, type ExactNumber, exactNumber } from './model/decimal.ts';
export type { EntityField, EntityType, FieldType } from './model/entity-type.ts';
export type { WorkflowEvent } from './model/event.ts';
export type {
  ActionTrace,
  DeliveryStatus,
  ExecutionStatus,
  ExecutionTrace,
  RecipientTrace,
} from './model/execution.ts';
export type { Json } from './model/json.ts';
export type { Notification, NotificationContent, Priority } from './model/notification.ts';
export type { Preference } from './model/preference.ts';
export { type Reason, reasonSentence, reasons } from './model/reason.ts';
export type { Directory, Recipient, RecipientPage, RecipientQuery } from './model/recipient.ts';
export { type Err, err, type Ok, ok, type Result, unwrap } from './model/result.ts';
export { type DeliveryOutcome, defaultRetryPolicy, type RetryPolicy } from './model/retry.ts';
export type { Suppression, SuppressionReason } from './model/suppression.ts';
export type { SenderSettings, TenantSender } from './model/tenant-sender.ts';
export type {
  ActionDefinition,
  ConditionDefinition,
  RecipientDefinition,
  TriggerDefinition,
  Workflow,
  WorkflowInput,
  WorkflowStatus,
} from './model/workflow.ts';
export { createLogger, type Logger } from './runtime/logger.ts';
export { Worker } from './runtime/worker.ts';
export { DeadLetterService } from './service/dead-letter-service.ts';
export { DirectoryService } from './service/directory-service.ts';
export { type Endpoint, EndpointService } from './service/endpoint-service.ts';
export { EntityTypeService } from './service/entity-type-service.ts';
export { InboxService } from './service/inbox-service.ts';
export { PreferenceService } from './service/preference-service.ts';
export { RetentionService } from './service/retention-service.ts';
export type { Rotation } from './service/rotate-secrets.ts';
export { SavedQueryService } from './service/saved-query-service.ts';
export { type SecretKeyUse, SecretService } from './service/secret-service.ts';
export { SuppressionService } from './service/suppression-service.ts';
export { TemplateService } from './service/template-service.ts';
export { TenantService } from './service/tenant-service.ts';
export { UnsubscribeService } from './service/unsubscribe-service.ts';
export { WorkflowService } from './service/workflow-service.ts';
export { type Database, openDatabase, type Transaction } from './store/database.ts';
export { migrate } from './store/migrate.ts';
export * as schema from './store/schema.ts';
export { createTocsin, type Tocsin, type TocsinOptions, version } from './tocsin.ts';
