import type { Readable } from 'node:stream';
import { createTransport, type Transporter } from 'nodemailer';
import type { DeliveryOutcome } from '../../model/retry.ts';
import type { OutgoingMail } from '../action.ts';
import { type DkimOptions, readDkim } from './dkim.ts';
import { isMailAddress, plainDisplayName } from './mail-address.ts';
import { type SmtpError, smtpOutcome } from './smtp-outcome.ts';
import { readSmtpServer, type SmtpServer } from './smtp-server.ts';

export type SmtpTransportOptions = SmtpServer & {
  /** The sender of every mail: `no-reply@example.com`, or with a name `Acme <no-reply@example.com>`. */
  readonly from: string;
  /** Right side of Message-IDs. Default: the domain of `from`. */
  readonly messageIdDomain?: string | undefined;
  /** Signs mails; default: they go out unsigned, or the mail server signs them. */
  readonly dkim?: DkimOptions | undefined;
  /** Most connections at a time; further mails wait for one. Default: 5. */
  readonly connections?: number;
  /** Milliseconds until the connection stands. Default: 10 s. */
  readonly connectTimeoutMs?: number;
  /** Milliseconds until the server has greeted. Default: 10 s. */
  readonly greetingTimeoutMs?: number;
  /** Milliseconds the server may be silent. Default: 30 s. */
  readonly socketTimeoutMs?: number;
};

/** The way out by mail. */
export type SmtpTransport = {
  readonly sendMail: (mail: OutgoingMail, signal: AbortSignal) => Promise<DeliveryOutcome>;
  /** Connects and logs in. Answers why that failed, or null when the server would take mail. */
  readonly verify: () => Promise<string | null>;
  /** Ends idle connections at once, the others after their mail. */
  readonly close: () => void;
};

const longestSubject = 250;

/**
 * Sends mails over a pool of SMTP connections. The envelope, the sender's address, the Message-ID `<deliveryId@domain>` and
 * the headers are ours; nothing that a tenant wrote is read as a header, an address list, a file or a URL.
 *
 * @throws Error that names an option that cannot be used
 */
export function createSmtpTransport(options: SmtpTransportOptions): SmtpTransport {
  const from = readMailbox(options.from);
  const domain = options.messageIdDomain ?? from.address.slice(from.address.indexOf('@') + 1);
  if (!isMailAddress(`x@${domain}`)) throw new Error(`smtp.messageIdDomain "${domain}" is not a domain`);
  const dkimOf = options.dkim && readDkim(options.dkim);
  const connectTimeoutMs = options.connectTimeoutMs ?? 10_000;
  const mailer = createTransport({
    ...readSmtpServer(options),
    pool: true,
    maxConnections: options.connections ?? 5,
    maxRequeues: 2,
    connectionTimeout: connectTimeoutMs,
    dnsTimeout: connectTimeoutMs,
    greetingTimeout: options.greetingTimeoutMs ?? 10_000,
    socketTimeout: options.socketTimeoutMs ?? 30_000,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const hasBegun = watchMessages(mailer);

  const sendMail: SmtpTransport['sendMail'] = async (mail, signal) => {
    const { address } = mail.to;
    if (!isMailAddress(address) || (mail.replyTo !== null && !isMailAddress(mail.replyTo))) {
      return { status: 'failed', reason: 'invalid_address' };
    }
    const author = authorOf(mail, from);
    const envelope = { from: from.address, to: [address] };
    try {
      const sent = await mailer.sendMail({
        ...messageOf(mail),
        from: author,
        ...(dkimOf ? { dkim: dkimOf(author.address) } : {}),
        messageId: `<${mail.deliveryId}@${domain}>`,
        envelope,
        signal,
      });
      return { status: 'delivered', detail: { messageId: sent.messageId, response: sent.response } };
    } catch (error) {
      return smtpOutcome({ error: error as SmtpError, started: hasBegun(envelope), aborted: signal.aborted });
    }
  };

  async function verify(): Promise<string | null> {
    try {
      await mailer.verify();
      return null;
    } catch (error) {
      return (error as Error).message;
    }
  }

  return { sendMail, verify, close: () => mailer.close() };
}

/** Answers a question for after a failure: whether any of the message with this envelope had been handed over. */
function watchMessages(mailer: Pick<Transporter, 'use'>): (envelope: object) => boolean {
  const streams = new WeakMap<object, Readable>();
  mailer.use('stream', ({ data, message }, done) => {
    const open = message.createReadStream.bind(message);
    message.createReadStream = (options) => {
      const stream = open(options);
      streams.set(data.envelope as object, stream);
      return stream;
    };
    done();
  });
  return (envelope) => streams.get(envelope)?.readableDidRead === true;
}

/** The parts of a message that come from outside: texts, and addresses as objects, which nodemailer does not take apart. */
function messageOf(mail: OutgoingMail) {
  // An encoded word (RFC 2047) would be decoded by readers into what is kept out here.
  const subject = mail.subject
    .toWellFormed()
    .replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
    .replaceAll('=?', '= ?');
  return {
    to: { name: plainDisplayName(mail.to.name) ?? '', address: mail.to.address },
    ...(mail.replyTo === null ? {} : { replyTo: { name: '', address: mail.replyTo } }),
    subject: [...subject].slice(0, longestSubject).join('').trim(),
    text: mail.text,
    ...(mail.html === null ? {} : { html: mail.html }),
    // RFC 3834: no answer from absence notices.
    headers: { 'Auto-Submitted': 'auto-generated', ...listHeaders(mail.unsubscribeUrl ?? null) },
    xMailer: false as const,
  };
}

/** RFC 8058. What is no web address makes no header; in one, `href` has no blank and no bracket. */
function listHeaders(unsubscribeUrl: string | null): Record<string, string> {
  const url = unsubscribeUrl === null ? null : URL.parse(unsubscribeUrl);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) return {};
  return { 'List-Unsubscribe': `<${url.href}>`, 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' };
}

/**
 * Who a mail is from: the tenant's own address with a name of its choice, else the deployment's. Before that, a chosen name
 * never stands alone when the operator has one: `Acme Sales via Shop`.
 */
function authorOf({ fromName, sender }: OutgoingMail, from: Mailbox): { name: string; address: string } {
  const chosen = plainDisplayName(fromName) ?? plainDisplayName(sender?.name ?? null);
  const own = sender?.address ?? null;
  if (own !== null && isMailAddress(own)) return { name: chosen ?? '', address: own };
  const name = chosen === null || from.name === null ? (chosen ?? from.name ?? '') : `${chosen} via ${from.name}`;
  return { name, address: from.address };
}

type Mailbox = { readonly name: string | null; readonly address: string };

function readMailbox(text: string): Mailbox {
  const [, name = '', address = ''] = /^(.*)<([^<>]*)>$/s.exec(text.trim()) ?? ['', '', text.trim()];
  if (!isMailAddress(address)) {
    throw new Error(
      `smtp.from "${text}" is not a mail address: write no-reply@example.com or Name <no-reply@example.com>`,
    );
  }
  return { name: plainDisplayName(name.replaceAll('"', '')), address };
}
