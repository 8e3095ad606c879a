import type { SmtpReceiver } from '../../src/testing/smtp-receiver.ts';
import type { WebhookReceiver } from '../../src/testing/webhook-receiver.ts';

/** One delivery attempt as the receiver saw it. */
export type Hit = {
  /** The id of the delivery, as `webhook-id` or Message-ID said it. */
  readonly id: string;
  readonly actionType: 'webhook' | 'email';
  /** What it is about and whom it tells: the same for two attempts of one delivery, and for nothing else. */
  readonly subject: string;
  /** The receiver took it; whether the worker heard so is another matter. */
  readonly isTaken: boolean;
};

/** The requests of a receiver whose bodies tell their event; path and body are the subject. */
export function webhookHits({ requests }: WebhookReceiver): Hit[] {
  return requests.map(({ headers, path, body, behaviour }) => ({
    id: String(headers['webhook-id']),
    actionType: 'webhook',
    subject: `${path} ${body}`,
    isTaken: 'status' in behaviour && behaviour.status >= 200 && behaviour.status < 300,
  }));
}

/** The mails of a receiver whose subjects tell their event; address and subject are the subject. */
export function mailHits({ mails }: SmtpReceiver): Hit[] {
  return mails.map(({ to, mail }) => ({
    id: (mail.messageId ?? '').replace(/^<|@.*$/g, ''),
    actionType: 'email',
    subject: `${to.join()} ${mail.subject ?? ''}`,
    isTaken: true,
  }));
}
