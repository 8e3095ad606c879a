import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer, type SMTPServerSession } from 'smtp-server';

/** A mail as it came in. */
export type ReceivedMail = {
  /** MAIL FROM. */
  readonly from: string;
  /** Every RCPT TO. */
  readonly to: readonly string[];
  /** Header and body as sent. */
  readonly raw: string;
  readonly mail: Email;
};

/** Where in the dialogue the receiver fails, and how. */
export type SmtpFailure =
  | { readonly at: SmtpPlace; readonly reply: number; readonly text?: string }
  | { readonly at: SmtpPlace; readonly kind: 'hang' | 'drop' };

/** `data`: after the whole message has come in, which is not taken; `taken`: after it was taken, instead of saying so. */
export type SmtpPlace = 'greeting' | 'sender' | 'recipient' | 'data' | 'taken';

type Done = (error?: Error | null) => void;

/** A loopback SMTP server that records the mails it takes and fails as it is told. */
export class SmtpReceiver {
  readonly mails: ReceivedMail[] = [];
  /** Connections accepted so far. */
  connections = 0;
  readonly port: number;
  /** `smtp://127.0.0.1:<port>` */
  readonly url: string;
  readonly #server: SMTPServer;
  readonly #sockets = new Map<number, Socket>();
  readonly #next: SmtpFailure[] = [];
  #always: SmtpFailure | null = null;
  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  private constructor(server: SMTPServer) {
    this.#server = server;
    this.port = (server.server.address() as AddressInfo).port;
    this.url = `smtp://127.0.0.1:${this.port}`;
  }

  /** Starts one on a free port; with `login` only that user and password may send. */
  static async start(options: { login?: { user: string; pass: string } } = {}): Promise<SmtpReceiver> {
    let receiver: SmtpReceiver | undefined;
    const at = (place: SmtpPlace, session: SMTPServerSession, done: Done): void => {
      if (receiver) receiver.#pass(place, session, done);
    };
    const { login } = options;
    const server = new SMTPServer({
      authOptional: login === undefined,
      allowInsecureAuth: true,
      disabledCommands: login ? ['STARTTLS'] : ['STARTTLS', 'AUTH'],
      disableReverseLookup: true,
      closeTimeout: 10,
      onConnect: (session, done) => at('greeting', session, done),
      onAuth: (auth, _session, done) => {
        if (auth.username === login?.user && auth.password === login?.pass) done(null, { user: auth.username });
        else done(Object.assign(new Error('wrong password'), { responseCode: 535 }));
      },
      onMailFrom: (_address, session, done) => at('sender', session, done),
      onRcptTo: (_address, session, done) => at('recipient', session, done),
      onData: (stream, session, done) => {
        const chunks: Buffer[] = [];
        stream.on('data', (chunk: Buffer) => chunks.push(chunk));
        stream.on('end', () => {
          at('data', session, (error) => {
            if (error || !receiver) return done(error);
            void receiver.#record(session, Buffer.concat(chunks)).then(() => at('taken', session, done));
          });
        });
      },
    });
    server.on('error', () => undefined);
    server.server.on('connection', (socket) => {
      if (receiver) receiver.#accept(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server.server, 'listening');
    receiver = new SmtpReceiver(server);
    return receiver;
  }

  /** Fails like this from now on; null: no more. */
  failAlways(failure: SmtpFailure | null): void {
    this.#always = failure;
  }

  /** Fails like these, one mail or connection each, before what `failAlways` said. */
  failNext(...failures: readonly SmtpFailure[]): void {
    this.#next.push(...failures);
  }

  /** Resolves when this many mails have been taken since the start. */
  async received(count: number): Promise<readonly ReceivedMail[]> {
    if (this.mails.length < count) {
      await new Promise<void>((resolve) => this.#waiting.push({ count, resolve }));
    }
    return this.mails;
  }

  /** Stops, also in the middle of a dialogue. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.dropConnections();
    await closed;
  }

  /** Cuts every connection; new ones are taken. */
  dropConnections(): void {
    for (const socket of this.#sockets.values()) socket.destroy();
  }

  #accept(socket: Socket): void {
    const port = socket.remotePort ?? 0;
    this.connections += 1;
    this.#sockets.set(port, socket);
    socket.on('close', () => this.#sockets.delete(port));
  }

  #pass(place: SmtpPlace, session: SMTPServerSession, done: Done): void {
    const failure = this.#next[0] ?? this.#always;
    if (failure?.at !== place) {
      done();
      return;
    }
    this.#next.shift();
    if ('reply' in failure) done(Object.assign(new Error(failure.text ?? 'as told'), { responseCode: failure.reply }));
    else if (failure.kind === 'drop') this.#sockets.get(session.remotePort)?.destroy();
  }

  async #record(session: SMTPServerSession, raw: Buffer): Promise<void> {
    const { mailFrom, rcptTo } = session.envelope;
    this.mails.push({
      from: mailFrom === false ? '' : mailFrom.address,
      to: rcptTo.map(({ address }) => address),
      raw: raw.toString(),
      mail: await PostalMime.parse(raw),
    });
    for (const waiting of this.#waiting) if (this.mails.length >= waiting.count) waiting.resolve();
  }
}
