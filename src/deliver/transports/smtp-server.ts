import { isIP } from 'node:net';

/** Where mails are handed over: a URL, or its parts. */
export type SmtpServer = {
  /** `smtp://user:password@mail.example.com:587`, or `smtps://` for TLS from the first byte. */
  readonly url?: string;
  readonly host?: string;
  /** Default: 465 when `secure`, else 587. */
  readonly port?: number;
  readonly user?: string;
  readonly pass?: string;
  /** TLS from the first byte; otherwise STARTTLS when the server has it. */
  readonly secure?: boolean;
  /** Refuse to go on without TLS. Default: when there is a password and the server is not on this machine. */
  readonly requireTls?: boolean;
  /** PEM certificate of the authority the server's certificate comes from, if it is not a usual one. */
  readonly ca?: string;
};

/** What nodemailer needs to connect. */
export type SmtpConnectionOptions = {
  host: string;
  port: number;
  secure: boolean;
  requireTLS: boolean;
  auth?: { user: string; pass: string };
  tls?: { ca: string };
};

/**
 * The connection options of a server.
 *
 * @throws Error that names what is missing or cannot be read
 */
export function readSmtpServer(server: SmtpServer): SmtpConnectionOptions {
  const { url, ...written } = server;
  const given = url === undefined ? written : { ...readUrl(url), ...written };
  const { host, user, pass, secure = given.port === 465 } = given;
  if (host === undefined || host === '') throw new Error('smtp needs a url (smtp://host:587) or a host');
  if ((user === undefined) !== (pass === undefined)) throw new Error('smtp needs user and pass together, or neither');
  return {
    host,
    port: given.port ?? (secure ? 465 : 587),
    secure,
    requireTLS: given.requireTls ?? (pass !== undefined && !secure && !isThisMachine(host)),
    ...(user === undefined || pass === undefined ? {} : { auth: { user, pass } }),
    ...(given.ca === undefined ? {} : { tls: { ca: given.ca } }),
  };
}

function readUrl(text: string): SmtpServer {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !['smtp:', 'smtps:'].includes(url.protocol) || url.hostname === '' || url.search !== '') {
    throw new Error('smtp.url is not of the form smtp://user:password@host:port (or smtps://), without parameters');
  }
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    ...(url.port === '' ? {} : { port: Number(url.port) }),
    ...(url.username === '' ? {} : { user: decodeURIComponent(url.username) }),
    ...(url.password === '' ? {} : { pass: decodeURIComponent(url.password) }),
    ...(url.protocol === 'smtps:' ? { secure: true } : {}),
  };
}

function isThisMachine(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}
