/**
 * The least that can hear of a committed row: LISTEN, the row's id in the NOTIFY. `node raw-listener.ts <databaseUrl>
 * <channel> [keep|<origin>]`: tells of each at once, or keeps when it was heard, or posts it to an origin.
 */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { Pool } from 'undici';
import { keepMoments, tellParent, untilDismissed } from './child-process.ts';

const [connectionString = '', channel = '', mode = 'tell'] = process.argv.slice(2);
const client = new pg.Client({ connectionString });
await client.connect();
client.on('notification', reaction());
await client.query(`listen ${channel}`);
tellParent({ kind: 'ready' });
await untilDismissed();
await client.end();

function reaction(): (notification: pg.Notification) => void {
  switch (mode) {
    case 'tell':
      return () => tellParent({ kind: 'handled', atNs: String(process.hrtime.bigint()) });
    case 'keep': {
      const keep = keepMoments();
      return ({ payload = '' }) => keep([payload, String(process.hrtime.bigint())]);
    }
    default: {
      const pool = new Pool(mode, { connections: 1 });
      return ({ payload = '' }) => {
        const headers = { 'content-type': 'application/json', 'webhook-id': randomUUID() };
        pool
          .request({ path: '/hook', method: 'POST', headers, body: JSON.stringify({ order: payload }) })
          .then(({ body }) => body.dump())
          .catch((error: Error) => tellParent({ kind: 'failed', error: error.message }));
      };
    }
  }
}
