import pg from 'pg';
import { insertRows, type Row, readRows } from '../../src/cli/bench/bare-loop.ts';

/** Deliveries and their inbox rows, in pairs. */
export type FanOutRows = readonly { readonly delivery: Row; readonly notification: Row }[];

/** Rows of a bulk insert: as many as a page of recipients. */
const pageSize = 2_000;

/** Reads what fan-outs wrote, by tenant. */
export async function readFanOut(pool: pg.Pool): Promise<ReadonlyMap<string, FanOutRows>> {
  const notifications = new Map((await readRows(pool, 'notification')).map((row) => [row.id, row]));
  const rows = (await readRows(pool, 'delivery')).map((delivery) => ({
    delivery,
    notification: notifications.get(delivery.id) ?? {},
  }));
  return Map.groupBy(rows, ({ delivery }) => String(delivery.tenant_id));
}

/** A connection that writes rows as fast as bulk inserts go, a page in a transaction. */
export async function connectBulk(connectionString: string): Promise<FanOutPeer> {
  const client = new pg.Client({ connectionString, pipeline: true });
  await client.connect();
  return {
    write: async (rows) => {
      for (let from = 0; from < rows.length; from += pageSize)
        await insertPage(client, rows.slice(from, from + pageSize));
    },
    close: () => client.end(),
  };
}

/** Writes rows until it is closed. */
export type FanOutPeer = {
  readonly write: (rows: FanOutRows) => Promise<void>;
  readonly close: () => Promise<void>;
};

async function insertPage(client: pg.Client, page: FanOutRows): Promise<void> {
  await Promise.all([
    client.query('begin'),
    insertRows(client, { table: 'delivery', format: 'binary', rows: page.map(({ delivery }) => delivery) }),
    insertRows(client, { table: 'notification', format: 'binary', rows: page.map(({ notification }) => notification) }),
    client.query('commit'),
  ]);
}

/** A connection that writes them the way an application writes one notification: a transaction each. */
export async function connectOneByOne(connectionString: string): Promise<FanOutPeer> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  return {
    write: async (rows) => {
      for (const { delivery, notification } of rows) {
        await client.query('begin');
        await insertRows(client, { table: 'delivery', format: 'text', rows: [delivery] });
        await insertRows(client, { table: 'notification', format: 'text', rows: [notification] });
        await client.query('commit');
      }
    },
    close: () => client.end(),
  };
}
