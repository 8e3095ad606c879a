import pgListen, { type Subscriber } from 'pg-listen';
import { wakeUpChannel } from '../model/wake-up.ts';

export type WakeUpListenerOptions = {
  /** Of a direct connection: LISTEN does not work through a transaction pooler. */
  readonly connectionConfig: NonNullable<Parameters<typeof pgListen.default>[0]>;
  /** A NOTIFY came, or LISTEN was connected anew: what was sent in between is lost, so look. */
  readonly onWake: () => void;
  /** The connection was lost; it is connected anew by itself. */
  readonly onLost: (error: Error) => void;
  /** How often a query is sent to see that the connection lives, ms. Default 3,000. */
  readonly checkEveryMs?: number;
};

/** A check or a connect that takes longer than this has failed, ms. */
const answerWithinMs = 4_000;
const longestRetryMs = 5_000;

/**
 * LISTENs on a connection of its own, for as long as it takes. A connection that dies, also one that swallows packets without
 * a word, is noticed within `checkEveryMs` plus 4 s and replaced; while it is gone, polling finds what a NOTIFY would have told.
 *
 * pg-listen's defaults give up after 3 s and never notice a half-open connection, hence the settings.
 */
export class WakeUpListener {
  readonly #options: WakeUpListenerOptions;
  #subscriber: Subscriber | undefined;
  #connecting: Promise<void> | undefined;
  #isStopped = true;

  constructor(options: WakeUpListenerOptions) {
    this.#options = options;
  }

  /** Starts listening; resolves at once, also when the database is not there yet. */
  async start(): Promise<void> {
    if (!this.#isStopped) return;
    this.#isStopped = false;
    this.#connecting = this.#connect();
  }

  async stop(): Promise<void> {
    if (this.#isStopped) return;
    this.#isStopped = true;
    await this.#subscriber?.close().catch(() => undefined);
    await this.#connecting;
    this.#subscriber = undefined;
  }

  /** The first connect is tried again here; once it stands, pg-listen reconnects by itself. */
  async #connect(): Promise<void> {
    for (let attempt = 1; !this.#isStopped; attempt++) {
      const subscriber = this.#createSubscriber();
      try {
        await subscriber.connect();
        await subscriber.listenTo(wakeUpChannel);
        this.#subscriber = subscriber;
        if (this.#isStopped) await subscriber.close();
        else this.#options.onWake();
        return;
      } catch (error) {
        await subscriber.close().catch(() => undefined);
        this.#options.onLost(error instanceof Error ? error : new Error(String(error), { cause: error }));
        await this.#pause(Math.min(longestRetryMs, 250 * attempt));
      }
    }
  }

  #createSubscriber(): Subscriber {
    const { connectionConfig, onWake, onLost, checkEveryMs = 3_000 } = this.#options;
    const subscriber = pgListen.default(
      {
        ...connectionConfig,
        application_name: 'tocsin listener',
        query_timeout: answerWithinMs,
        connectionTimeoutMillis: answerWithinMs,
        keepAlive: true,
      },
      {
        retryTimeout: 0,
        retryLimit: Number.POSITIVE_INFINITY,
        retryInterval: (attempt) => Math.min(longestRetryMs, 250 * attempt),
        paranoidChecking: checkEveryMs,
        parse: (payload) => payload,
      },
    );
    subscriber.events.on('notification', onWake);
    subscriber.events.on('connected', onWake);
    subscriber.events.on('error', onLost);
    subscriber.events.on('reconnect', (attempt) =>
      onLost(new Error(`LISTEN was lost: connecting anew (attempt ${attempt})`)),
    );
    return subscriber;
  }

  async #pause(ms: number): Promise<void> {
    const until = performance.now() + ms;
    while (!this.#isStopped && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
