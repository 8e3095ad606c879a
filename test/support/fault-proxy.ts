import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** Which way bytes no longer go. */
export type Direction = 'both' | 'to-client' | 'to-server';

type Link = { readonly client: Socket; readonly server: Socket; hangs: Direction | null };

/**
 * A TCP proxy before a real server that cuts, resets, refuses or hangs on request: what a network does.
 *
 * A connection that hangs stays open on both sides, but bytes, and the end of the other side, do not get through until `heal`.
 */
export class FaultProxy {
  /** The target's URL with the proxy in place of host and port. */
  readonly url: string;
  readonly #server: Server;
  readonly #links = new Set<Link>();
  #target: URL;
  #hangsNew: Direction | null = null;
  #pauseMs = 0;

  private constructor(target: URL, server: Server) {
    const url = new URL(target);
    url.hostname = '127.0.0.1';
    url.port = String((server.address() as AddressInfo).port);
    this.url = url.toString();
    this.#server = server;
    this.#target = target;
    server.on('connection', (client) => this.#link(client));
  }

  /** Starts one on a free port of the loopback interface. */
  static async start(targetUrl: string): Promise<FaultProxy> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FaultProxy(new URL(targetUrl), server);
  }

  /** How many connections there are. */
  get connections(): number {
    return this.#links.size;
  }

  /** Ends all connections, as a server does that shuts down. */
  cut(): void {
    for (const { client, server } of this.#links) for (const socket of [client, server]) socket.destroy();
  }

  /** Ends all connections with a reset. */
  reset(): void {
    for (const { client, server } of this.#links) for (const socket of [client, server]) socket.resetAndDestroy();
  }

  /** Leads connections from now on to another server, and ends those there are. */
  redirect(targetUrl: string): void {
    this.#target = new URL(targetUrl);
    this.cut();
  }

  /** Hangs the connections there are and, unless `onlyExisting`, those to come. */
  hang(direction: Direction = 'both', options: { readonly onlyExisting?: boolean } = {}): void {
    if (!options.onlyExisting) this.#hangsNew = direction;
    for (const link of this.#links) setFlow(link, direction);
  }

  /** A slow line: after each piece of data (64 KiB at most) its way is closed for this long, ms. */
  slow(pauseMs: number): void {
    this.#pauseMs = pauseMs;
  }

  /** Lets through again what hangs, with the bytes that were held back, as fast as it can. */
  heal(): void {
    this.#hangsNew = null;
    this.#pauseMs = 0;
    for (const link of this.#links) setFlow(link, null);
  }

  /** Cuts everything and takes no connections: the port is closed. */
  async stop(): Promise<void> {
    this.#server.close();
    this.cut();
    await once(this.#server, 'close');
  }

  /** Takes connections again, on the same port, after `stop`. */
  async restart(): Promise<void> {
    this.#server.listen(Number(new URL(this.url).port), '127.0.0.1');
    await once(this.#server, 'listening');
  }

  #link(client: Socket): void {
    const { port, hostname } = this.#target;
    const link: Link = { client, server: connect(Number(port), hostname), hangs: null };
    this.#links.add(link);
    for (const [from, to] of [
      [link.client, link.server],
      [link.server, link.client],
    ] as const) {
      from.on('data', (bytes) => {
        to.write(bytes);
        if (this.#pauseMs === 0) return;
        from.pause();
        setTimeout(() => setFlow(link, link.hangs), this.#pauseMs);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        if (link.hangs === null) to.destroy();
        if (link.client.destroyed && link.server.destroyed) this.#links.delete(link);
      });
    }
    setFlow(link, this.#hangsNew);
  }
}

function setFlow(link: Link, hangs: Direction | null): void {
  link.hangs = hangs;
  flow(link.client, hangs === 'both' || hangs === 'to-server');
  flow(link.server, hangs === 'both' || hangs === 'to-client');
  if (hangs === null && (link.client.destroyed || link.server.destroyed)) {
    link.client.destroy();
    link.server.destroy();
  }
}

function flow(socket: Socket, isHeld: boolean): void {
  if (isHeld) socket.pause();
  else socket.resume();
}
