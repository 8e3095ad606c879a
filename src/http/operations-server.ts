import type { RequestListener, ServerResponse } from 'node:http';
import { HttpServer } from './http-server.ts';
import type { UnsubscribeHandler } from './unsubscribe-handler.ts';

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
  /** Serves unsubscribe links below this path, such as `/unsubscribe`. */
  readonly unsubscribe?: { readonly path: string; readonly handler: UnsubscribeHandler };
};

/**
 * What operators ask a worker over HTTP: `/healthz` (200 or 503, JSON) and `/metrics` (Prometheus), nothing of tenants; and, if
 * wanted, the endpoint by which recipients opt out.
 */
export class OperationsServer {
  readonly #options: OperationsServerOptions;
  readonly #server: HttpServer;

  constructor(options: OperationsServerOptions) {
    this.#options = options;
    const { host, port, unsubscribe } = options;
    const answer: RequestListener = (request, response) => {
      const path = pathOf(request.url);
      if (unsubscribe && path.startsWith(`${unsubscribe.path}/`) && !['/healthz', '/metrics'].includes(path)) {
        void unsubscribe.handler(request, response);
        return;
      }
      this.#answer(request.method ?? 'GET', request.url ?? '/', response).catch((error: Error) => {
        send(response, { status: 503, contentType: 'text/plain', body: `${error.message}\n` });
      });
    };
    this.#server = new HttpServer({ host, port, answer });
  }

  /** The port it listens on. */
  get port(): number {
    return this.#server.port;
  }

  start(): Promise<void> {
    return this.#server.start();
  }

  stop(): Promise<void> {
    return this.#server.stop();
  }

  async #answer(method: string, url: string, response: ServerResponse): Promise<void> {
    const path = pathOf(url);
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

function pathOf(url = '/'): string {
  return url.split('?')[0] ?? '/';
}

function send(response: ServerResponse, answer: { status: number; contentType: string; body: string }): void {
  response.writeHead(answer.status, { 'content-type': answer.contentType });
  response.end(answer.body);
}
