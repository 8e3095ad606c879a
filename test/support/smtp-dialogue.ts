import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';

/** Stands before a mail server and writes down every line the client says. */
export class SmtpDialogue {
  readonly url: string;
  readonly #server: Server;
  #said = '';

  private constructor(server: Server) {
    this.#server = server;
    this.url = `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  static async before(serverPort: number): Promise<SmtpDialogue> {
    const server = createServer((client) => {
      const upstream = connect(serverPort, '127.0.0.1');
      for (const socket of [client, upstream]) socket.on('error', () => socket.destroy());
      client.on('data', (bytes) => dialogue.#hear(bytes));
      client.pipe(upstream).pipe(client);
      client.on('close', () => upstream.destroy());
      upstream.on('close', () => client.destroy());
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const dialogue = new SmtpDialogue(server);
    return dialogue;
  }

  /** Commands, without the messages: each from its first line to the dot that ends it. */
  get commands(): string[] {
    const commands: string[] = [];
    let isMessage = false;
    for (const line of this.#said.split('\r\n')) {
      if (isMessage) isMessage = line !== '.';
      else if (line !== '') commands.push(line);
      if (!isMessage && line === 'DATA') isMessage = true;
    }
    return commands;
  }

  /** Forgets what was said. */
  clear(): void {
    this.#said = '';
  }

  async close(): Promise<void> {
    this.#server.close();
    this.#server.unref();
  }

  #hear(bytes: Buffer): void {
    this.#said += bytes.toString('latin1');
  }
}
