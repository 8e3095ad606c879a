/** The least that can hear of a committed row: LISTEN, the row's id in the NOTIFY. `node raw-listener.ts <databaseUrl> <channel>`. */
import pg from 'pg';
import { tellParent, untilDismissed } from './child-process.ts';

const [connectionString = '', channel = ''] = process.argv.slice(2);
const client = new pg.Client({ connectionString });
await client.connect();
client.on('notification', () => tellParent({ kind: 'handled', atNs: String(process.hrtime.bigint()) }));
await client.query(`listen ${channel}`);
tellParent({ kind: 'ready' });
await untilDismissed();
await client.end();
