/** Answers every request with 204: `node http-receiver.ts [tell]`. Counts by `webhook-id`, and with `tell` says when each came. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { countArrivals, doTasks, tellParent } from './child-process.ts';

/** Waits until so many different ids have come. */
export type ArrivalTask = { readonly expect: number };

const [mode] = process.argv.slice(2);
const { arrived, expect } = countArrivals();
const server = createServer((request, response) => {
  const atNs = process.hrtime.bigint();
  request.resume();
  request.on('end', () => {
    response.writeHead(204).end();
    arrived(String(request.headers['webhook-id']));
    if (mode === 'tell') tellParent({ kind: 'handled', atNs: String(atNs) });
  });
});
server.keepAliveTimeout = 60_000;
server.listen(0, '127.0.0.1');
await once(server, 'listening');
await doTasks<ArrivalTask>((task) => expect(task.expect), { port: (server.address() as AddressInfo).port });
server.closeAllConnections();
server.close();
