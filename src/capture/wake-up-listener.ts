import { randomUUID } from 'node:crypto';
import { Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import pgListen, { type Subscriber } from 'pg-listen';
import { wakeUpChannel } from '../model/wake-up.ts';

export type WakeUpListenerOptions = {
  /** Of a direct connection: LISTEN does not work through a transaction pooler. */
  readonly connectionConfig: NonNullable<Parameters<typeof pgListen.default>[0]>;
  /** A NOTIFY came, or LISTEN was connected anew: what was sent in between is lost, so look. */
  readonly onWake: () => void;
  /** The connection was lost, or could not be made; it is made anew by itself. */
  readonly onLost: (error: Error) => void;
  /** How often the connection is checked, ms. Default 3,000. */
  readonly checkEveryMs?: number;
  /** A check or a connect that takes longer than this has failed, ms. Default 4,000. */
  readonly answerWithinMs?: number;
};

const longestRetryMs = 5_000;
/** How long a connection may take to say goodbye. */
const farewellMs = 500;

/**
 * LISTENs on a connection of its own, for as long as it takes: a database that is down when it starts, or goes down later, is
 * tried again until it is there.
 *
 * The connection is checked by notifying ourselves on a channel of our own, so that also a LISTEN that died without a word, and a
 * connection that swallows packets, are noticed within `checkEveryMs` plus `answerWithinMs`. pg-listen serves one connection
 * here and never reconnects by itself: its reconnecting cannot be stopped, forgets LISTENs that fail, and gets stuck when the
 * new server hangs. What failed is thrown away whole, socket included, and a new one is made.
 */
export class WakeUpListener {
  readonly #options: Required<WakeUpListenerOptions>;
  #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: WakeUpListenerOptions) {
    this.#options = { checkEveryMs: 3_000, answerWithinMs: 4_000, ...options };
    for (const name of ['checkEveryMs', 'answerWithinMs'] as const) {
      if (!(this.#options[name] >= 1))
        throw new Error(`listener: ${name} must be at least 1, not ${this.#options[name]}`);
    }
  }

  /** Starts listening; resolves at once, also when the database is not there yet. */
  async start(): Promise<void> {
    if (this.#running !== undefined) return;
    this.#stopping = new AbortController();
    this.#running = this.#run(this.#stopping.signal);
  }

  /** Ends the connection. Nothing is called afterwards. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    this.#running = undefined;
  }

  async #run(signal: AbortSignal): Promise<void> {
    let failures = 0;
    while (!signal.aborted) {
      try {
        await this.#listenOnce(signal, () => {
          failures = 0;
          this.#options.onWake();
        });
      } catch (error) {
        if (!signal.aborted)
          this.#options.onLost(error instanceof Error ? error : new Error(String(error), { cause: error }));
      }
      await wait(Math.min(longestRetryMs, 250 * failures), undefined, { signal }).catch(() => undefined);
      failures += 1;
    }
  }

  /** Listens on one connection until it fails or the signal is aborted; rejects either way. */
  async #listenOnce(signal: AbortSignal, onConnected: () => void): Promise<never> {
    const socket = new Socket();
    const subscriber = this.#createSubscriber(socket);
    const session = new AbortController();
    const failure = new Promise<never>((_, reject) => {
      subscriber.events.on('error', reject);
      socket.on('error', reject);
      socket.on('close', () => reject(new Error('the connection that LISTENs was closed')));
      signal.addEventListener('abort', () => reject(signal.reason), { signal: session.signal });
    });
    try {
      return await Promise.race([failure, this.#serve(subscriber, session.signal, onConnected)]);
    } finally {
      session.abort();
      const closed = subscriber.close().catch(() => undefined);
      // A connection that failed may never answer.
      if (signal.aborted) await Promise.race([closed, wait(farewellMs, undefined, { ref: false })]);
      socket.destroy();
    }
  }

  async #serve(subscriber: Subscriber, signal: AbortSignal, onConnected: () => void): Promise<never> {
    const { checkEveryMs, onWake } = this.#options;
    const ownChannel = `tocsin_alive_${randomUUID()}`;
    await subscriber.connect();
    await subscriber.listenTo(wakeUpChannel);
    await subscriber.listenTo(ownChannel);
    subscriber.notifications.on(wakeUpChannel, onWake);
    onConnected();
    for (;;) {
      await wait(checkEveryMs, undefined, { signal });
      await this.#check(subscriber, signal, ownChannel);
    }
  }

  /** Notifies ourselves. The answer to the query says that the connection lives, the notification that LISTEN does. */
  async #check(subscriber: Subscriber, signal: AbortSignal, ownChannel: string): Promise<void> {
    const { answerWithinMs } = this.#options;
    const heard = new Promise<void>((resolve) => {
      subscriber.notifications.once(ownChannel, () => resolve());
    });
    const late = wait(answerWithinMs, undefined, { signal }).then(() => {
      throw new Error(`the connection that LISTENs did not answer within ${answerWithinMs} ms`);
    });
    await Promise.race([Promise.all([subscriber.notify(ownChannel), heard]), late]);
  }

  #createSubscriber(socket: Socket): Subscriber {
    return pgListen.default(
      {
        ...this.#options.connectionConfig,
        application_name: 'tocsin listener',
        query_timeout: this.#options.answerWithinMs,
        connectionTimeoutMillis: this.#options.answerWithinMs,
        keepAlive: true,
        stream: () => socket,
      },
      // One attempt is the one that `connect` makes.
      { retryLimit: 1, paranoidChecking: false, parse: (payload) => payload },
    );
  }
}
