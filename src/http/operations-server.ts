import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';

export type Health = {
  readonly status: 'ok' | 'degraded';
  /** What each part says of itself. */
  readonly checks: Readonly<Record<string, string>>;
};

export type OperationsServerOptions = {
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  readonly health: () => Promise<Health>;
  /** Metrics in the Prometheus text format. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly body: string }>;
};

/** What operators ask a worker over HTTP: `/healthz` (200 or 503, JSON) and `/metrics` (Prometheus). Nothing of tenants. */
export class OperationsServer {
  readonly #options: OperationsServerOptions;
  readonly #server: Server;

  constructor(options: OperationsServerOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => {
      this.#answer(request.method ?? 'GET', request.url ?? '/', response).catch((error: Error) => {
        send(response, { status: 503, contentType: 'text/plain', body: `${error.message}\n` });
      });
    });
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

  async #answer(method: string, url: string, response: ServerResponse): Promise<void> {
    const path = url.split('?')[0];
    if (method !== 'GET' && method !== 'HEAD') {
      send(response, { status: 405, contentType: 'text/plain', body: 'GET only\n' });
    } else if (path === '/healthz') {
      const health = await this.#options.health();
      const status = health.status === 'ok' ? 200 : 503;
      send(response, { status, contentType: 'application/json', body: `${JSON.stringify(health)}\n` });
    } else if (path === '/metrics') {
      send(response, { status: 200, ...(await this.#options.metrics()) });
    } else {
      send(response, { status: 404, contentType: 'text/plain', body: 'Here are /healthz and /metrics\n' });
    }
  }
}

function send(response: ServerResponse, answer: { status: number; contentType: string; body: string }): void {
  response.writeHead(answer.status, { 'content-type': answer.contentType });
  response.end(answer.body);
}
