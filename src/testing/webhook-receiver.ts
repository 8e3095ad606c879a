import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';

/** A request as it came in. */
export type ReceivedRequest = {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** How it was answered. */
  readonly behaviour: WebhookBehaviour;
};

/** How the receiver answers. */
export type WebhookBehaviour =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | Buffer;
    }
  /** Answers with the headers and body of the request in its body. */
  | { readonly kind: 'echo'; readonly status: number }
  /** Takes the request and never answers. */
  | { readonly kind: 'hang' }
  /** Takes the request and cuts the connection. */
  | { readonly kind: 'drop' }
  /** Answers at once, then sends one byte of body after the other and never ends. */
  | { readonly kind: 'drip'; readonly status: number; readonly everyMs: number }
  /** Sends body as fast as it is taken and never ends. */
  | { readonly kind: 'endless'; readonly status: number }
  /** Sends `102 Processing` again and again. */
  | { readonly kind: 'informational'; readonly everyMs: number }
  /** Writes these bytes instead of an answer; the connection stays open unless `close`. */
  | { readonly kind: 'raw'; readonly bytes: string; readonly close?: boolean };

/** A loopback HTTP server that records what it receives and fails as it is told. */
export class WebhookReceiver {
  readonly requests: ReceivedRequest[] = [];
  /** Connections accepted so far. */
  connections = 0;
  /** `http://127.0.0.1:<port>` or `https://...`. */
  readonly url: string;
  readonly port: number;
  readonly #server: ReturnType<typeof createServer>;
  readonly #sockets = new Set<Socket>();
  readonly #next: WebhookBehaviour[] = [];
  #always: WebhookBehaviour = { kind: 'answer', status: 204 };
  readonly #waiting: { readonly count: number; readonly resolve: () => void }[] = [];

  private constructor(server: ReturnType<typeof createServer>, scheme: string) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
    this.url = `${scheme}://127.0.0.1:${this.port}`;
    server.on('connection', (socket: Socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => undefined);
    });
    server.on('request', (request: IncomingMessage, response: ServerResponse) => {
      // A request whose sender is gone before it is whole was not received.
      this.#receive(request, response).catch(() => undefined);
    });
  }

  /** Starts one on a free port; with `tls` over HTTPS. */
  static async start(options: { tls?: { key: string; cert: string } } = {}): Promise<WebhookReceiver> {
    const server = options.tls ? (createTlsServer(options.tls) as ReturnType<typeof createServer>) : createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new WebhookReceiver(server, options.tls ? 'https' : 'http');
  }

  /** Answers every request like this from now on. */
  answerAlways(behaviour: WebhookBehaviour): void {
    this.#always = behaviour;
  }

  /** Answers the next requests like these, one each, before what `answerAlways` said. */
  answerNext(...behaviours: readonly WebhookBehaviour[]): void {
    this.#next.push(...behaviours);
  }

  /** Resolves when this many requests have come in since the start. */
  async received(count: number): Promise<readonly ReceivedRequest[]> {
    if (this.requests.length < count) {
      await new Promise<void>((resolve) => this.#waiting.push({ count, resolve }));
    }
    return this.requests;
  }

  /** Stops, also in the middle of answers. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const behaviour = this.#next.shift() ?? this.#always;
    const received = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: Buffer.concat(chunks).toString(),
      behaviour,
    };
    this.requests.push(received);
    answer(behaviour, received, response);
    for (const waiting of this.#waiting) if (this.requests.length >= waiting.count) waiting.resolve();
  }
}

function answer(behaviour: WebhookBehaviour, request: ReceivedRequest, response: ServerResponse): void {
  switch (behaviour.kind) {
    case 'answer':
      response.writeHead(behaviour.status, behaviour.headers).end(behaviour.body);
      return;
    case 'echo':
      response.writeHead(behaviour.status).end(JSON.stringify({ headers: request.headers, body: request.body }));
      return;
    case 'hang':
      return;
    case 'drop':
      response.socket?.destroy();
      return;
    case 'drip':
      response.writeHead(behaviour.status);
      repeat(response, behaviour.everyMs, () => response.write('.'));
      return;
    case 'endless':
      response.writeHead(behaviour.status);
      pourOut(response);
      return;
    case 'informational':
      repeat(response, behaviour.everyMs, () => response.writeProcessing());
      return;
    case 'raw':
      if (behaviour.close === true) response.socket?.end(behaviour.bytes);
      else response.socket?.write(behaviour.bytes);
      return;
  }
}

function repeat(response: ServerResponse, everyMs: number, work: () => void): void {
  const timer = setInterval(work, everyMs);
  response.on('close', () => clearInterval(timer));
}

function pourOut(response: ServerResponse): void {
  const block = Buffer.alloc(16 * 1024, '.');
  while (!response.destroyed && response.write(block));
  if (!response.destroyed) response.once('drain', () => pourOut(response));
}
