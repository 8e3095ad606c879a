/** Takes every mail and drops it, counting by Message-ID. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { countArrivals, doTasks } from './child-process.ts';
import type { ArrivalTask } from './http-receiver.ts';

const { arrived, expect } = countArrivals();
const server = new SMTPServer({
  authOptional: true,
  disabledCommands: ['STARTTLS', 'AUTH'],
  disableReverseLookup: true,
  onData: (stream, _session, done) => {
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('end', () => {
      arrived(/^message-id:\s*(\S+)/im.exec(Buffer.concat(chunks).toString('latin1'))?.[1] ?? '');
      done();
    });
  },
});
server.on('error', () => undefined);
server.listen(0, '127.0.0.1');
await once(server.server, 'listening');
await doTasks<ArrivalTask>((task) => expect(task.expect), { port: (server.server.address() as AddressInfo).port });
server.close();
