import type { z } from 'zod';
import type { Issue } from '../errors.ts';
import type { EntityType } from '../model/entity-type.ts';
import type { WorkflowEvent } from '../model/event.ts';
import type { FieldRead } from '../model/field-path.ts';
import type { NotificationContent } from '../model/notification.ts';
import type { Reason } from '../model/reason.ts';
import type { Recipient } from '../model/recipient.ts';
import type { Result } from '../model/result.ts';
import type { DeliveryOutcome } from '../model/retry.ts';
import type { TenantSender } from '../model/tenant-sender.ts';

/** What a message may be made of. */
export type MessageContext = {
  readonly event: WorkflowEvent;
  readonly workflow: { readonly id: string; readonly name: string; readonly version: number };
  /** Null for an action that goes out once per execution. */
  readonly recipient: Recipient | null;
};

/** One attempt of one delivery. */
export type AttemptContext = MessageContext & {
  readonly tenantId: string;
  /** Stable over all attempts: Message-ID and `webhook-id` are made of it, a receiver can drop a duplicate by it. */
  readonly deliveryId: string;
  readonly executionId: string;
  /** 1 for the first. */
  readonly attempt: number;
  /**
   * What the effects of this attempt come of (`model/causation.ts`): hand it on with `dispatch(event, { causedBy })` or as the
   * setting `tocsin.causation` of a transaction that writes captured rows.
   */
  readonly causation: string;
  /** By the database's clock. */
  readonly now: Date;
  readonly signal: AbortSignal;
  readonly transports: Transports;
  /**
   * Where the recipient can say that they want no more of these: the link for the message. Null when there is none, because
   * the deployment has no `unsubscribe` option or the action says `unsubscribe: false`. Mails get their headers without it.
   */
  readonly unsubscribeUrl: string | null;
  /**
   * Clear text of a tenant's secret, or why there is none as a reason. Never store or log it. `url` is where it will be sent:
   * a secret that is bound to hosts comes out for these only.
   */
  readonly secret: (name: string, url?: string) => Promise<Result<string, SecretRefusal>>;
  /** A tenant's stored mail template, or null. */
  readonly storedTemplate: (name: string) => Promise<StoredTemplate | null>;
};

/** A tenant's stored mail template as written. `updatedAt` tells one state of it from another. */
export type StoredTemplate = {
  readonly name: string;
  readonly subject: string | null;
  readonly html: string | null;
  readonly text: string | null;
  readonly updatedAt: Date;
};

/** Why a secret is not given: it does not exist or does not open, or it is bound to other hosts. */
export type SecretRefusal = Extract<Reason, 'secret_missing' | 'secret_not_allowed_here'>;

/** The ways out of the system. A handler is given them and opens nothing itself. */
export type Transports = {
  readonly sendMail: (mail: Mail, signal: AbortSignal) => Promise<DeliveryOutcome>;
  readonly sendHttp: (request: HttpRequest, signal: AbortSignal) => Promise<DeliveryOutcome>;
};

export type Mail = {
  readonly deliveryId: string;
  readonly to: { readonly name: string | null; readonly address: string };
  /** Display name of the sender; the address is the tenant's or the operator's. */
  readonly fromName: string | null;
  readonly replyTo: string | null;
  readonly subject: string;
  readonly text: string;
  readonly html: string | null;
};

/** A mail as it leaves: with what is the tenant's and the operator's to say, not the action's. */
export type OutgoingMail = Mail & {
  /** The tenant's; what is null is the deployment's. `replyTo` is in the mail already. */
  readonly sender?: Pick<TenantSender, 'name' | 'address'>;
  /** For List-Unsubscribe (RFC 8058). */
  readonly unsubscribeUrl?: string | null;
};

export type HttpRequest = {
  readonly url: string;
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'GET' | 'DELETE';
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** It carries secrets: nothing of the answer but its status is kept, since a receiver may send back what it got. */
  readonly isConfidential?: boolean;
};

/** An action ready to be done for many events. */
export type CompiledAction =
  | {
      readonly kind: 'inbox';
      /** Pure. The engine writes the notification in the transaction that records the delivery: exactly once. */
      readonly compose: (context: MessageContext) => Result<NotificationContent, string>;
      /** Whether it reads the recipient. If not, it is composed once for all who are told of an event. Default: true. */
      readonly isPersonal?: boolean;
      readonly reads: readonly FieldRead[];
      /** Stored templates and secrets it names, for checking when saved. */
      readonly references: readonly ActionReference[];
    }
  | {
      readonly kind: 'external';
      /** One attempt. Expected failures are outcomes; a throw counts as `retry(handler_failed)`. */
      readonly deliver: (context: AttemptContext) => Promise<DeliveryOutcome>;
      /** Why this recipient cannot be told by this action (`no_address`), or null. Asked when planning. */
      readonly refuses?: (recipient: Recipient) => string | null;
      readonly reads: readonly FieldRead[];
      readonly references: readonly ActionReference[];
    };

export type ActionReference = {
  readonly kind: 'template' | 'secret';
  readonly name: string;
  /** Where it stands in the definition, e.g. `actions[0].template`. */
  readonly path: string;
};

export type ActionCompileContext = {
  /** Where the action stands in the definition, e.g. `actions[0]`. */
  readonly path: string;
  readonly entityTypes: readonly EntityType[];
};

/** An action type: its configuration, and how to make a compiled action of one. */
export type ActionHandler<Config = unknown> = {
  readonly type: string;
  /** The configuration, without what every action has (partId, name, type, conditions, recipients, retry, ...). Strict. */
  readonly schema: z.ZodType<Config>;
  /** One delivery per recipient, or one per execution. */
  readonly audience: 'recipients' | 'once';
  readonly defaultTimeoutMs: number;
  compile(config: Config, context: ActionCompileContext): Result<CompiledAction, readonly Issue[]>;
};
