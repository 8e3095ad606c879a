import { Socket } from 'node:net';
import type { Database } from '../../store/database.ts';

/**
 * The database with connections outside the pool that count: a round trip begins with what is sent after something was
 * received, so statements that travel together are one.
 */
export function countRoundTrips(database: Database): { database: Database; roundTrips: () => number } {
  let count = 0;
  const stream = () => {
    const socket = new Socket();
    let isWaiting = false;
    socket.on('data', () => {
      isWaiting = false;
    });
    // `connect` puts the socket's own `write` back.
    socket.once('connect', () => {
      const write = socket.write.bind(socket);
      socket.write = ((...sent: Parameters<typeof write>) => {
        if (!isWaiting) count += 1;
        isWaiting = true;
        return write(...sent);
      }) as typeof socket.write;
    });
    return socket;
  };
  return {
    database: { ...database, connectionConfig: { ...database.connectionConfig, stream } },
    roundTrips: () => count,
  };
}
