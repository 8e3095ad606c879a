import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openDatabase } from '../../src/store/database.ts';

/** A message of PostgreSQL's protocol. */
function message(type: string, body: string | Buffer): Buffer {
  const bytes = Buffer.from(body);
  const head = Buffer.alloc(5);
  head.write(type);
  head.writeInt32BE(bytes.length + 4, 1);
  return Buffer.concat([head, bytes]);
}

/** "You are in", "go ahead" and "the server is gone" in one packet, as a backend answers whose server is killed meanwhile. */
const welcomeAndFarewell = Buffer.concat([
  message('R', Buffer.alloc(4)),
  message('Z', 'I'),
  message('E', 'SFATAL\0C57P01\0Mterminating connection due to unexpected postmaster exit\0\0'),
]);

describe('openDatabase', () => {
  test('a server that is killed in the moment of connecting fails what is asked, and not the process', async () => {
    const server = createServer((socket: Socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(welcomeAndFarewell));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => {
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    const database = openDatabase({ databaseUrl: `postgres://nobody@127.0.0.1:${port}/none` });
    onTestFinished(() => database.close());
    await expect(database.transaction(async () => 'done')).rejects.toThrow();
    await expect(database.pool.query('select 1')).rejects.toThrow();
  });
});
