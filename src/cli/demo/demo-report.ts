import type { ExecutionDetail } from '../../log/execution-log.ts';
import type { Notification } from '../../model/notification.ts';

/** Something that must have happened, or must not. */
export type Expectation = { readonly says: string; readonly isMet: boolean; readonly found: string };

/** Everything the demo did and what came of it. */
export type DemoReport = {
  readonly connectionString: string;
  readonly steps: readonly { readonly says: string; readonly ms: number }[];
  readonly writes: readonly { readonly says: string; readonly sql: string }[];
  readonly inboxes: readonly {
    readonly tenant: string;
    readonly user: string;
    readonly notifications: readonly Notification[];
  }[];
  readonly mails: readonly {
    readonly to: string;
    readonly subject: string;
    readonly text: string;
    readonly html: string;
    readonly messageId: string;
  }[];
  readonly webhooks: readonly {
    readonly path: string;
    readonly answered: number;
    readonly webhookId: string;
    readonly isSignatureValid: boolean;
    readonly authorization: string;
    readonly body: unknown;
  }[];
  readonly executions: readonly ExecutionDetail[];
  readonly expectations: readonly Expectation[];
};
