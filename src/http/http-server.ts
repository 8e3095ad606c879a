import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';

export type HttpServerOptions = {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly answer: RequestListener;
};

/** A request that has not come in whole by then is dropped. */
const requestTimeoutMs = 10_000;

/** A door that listens until it is stopped. */
export class HttpServer {
  readonly #options: HttpServerOptions;
  readonly #server: Server;

  constructor(options: HttpServerOptions) {
    this.#options = options;
    const limits = { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs };
    this.#server = createServer({ ...limits, connectionsCheckingInterval: requestTimeoutMs / 2 }, options.answer);
  }

  /** The port it listens on. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  async start(): Promise<void> {
    this.#server.listen(this.#options.port, this.#options.host);
    await once(this.#server, 'listening');
  }

  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}
