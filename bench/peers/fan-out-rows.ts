import pg from 'pg';
import { insertRows, type Row, readRows } from '../../src/cli/bench/bare-loop.ts';

/** Deliveries and their inbox rows, in pairs. */
export type FanOutRows = readonly { readonly delivery: Row; readonly notification: Row }[];

/** Rows of a bulk insert: as many as a page of recipients. */
const pageSize = 2_000;

/** Reads what a fan-out wrote. */
export async function readFanOut(pool: pg.Pool): Promise<FanOutRows> {
  const notifications = new Map((await readRows(pool, 'notification')).map((row) => [row.id, row]));
  return (await readRows(pool, 'delivery')).map((delivery) => ({
    delivery,
    notification: notifications.get(delivery.id) ?? {},
  }));
}

/** Writes them as fast as bulk inserts go, a page in a transaction. */
export async function insertInBulk(connectionString: string, rows: FanOutRows): Promise<void> {
  const client = new pg.Client({ connectionString, pipeline: true });
  await client.connect();
  for (let from = 0; from < rows.length; from += pageSize) {
    const page = rows.slice(from, from + pageSize);
    await Promise.all([
      client.query('begin'),
      insertRows(client, { table: 'delivery', format: 'binary', rows: page.map(({ delivery }) => delivery) }),
      insertRows(client, {
        table: 'notification',
        format: 'binary',
        rows: page.map(({ notification }) => notification),
      }),
      client.query('commit'),
    ]);
  }
  await client.end();
}

/** Writes them the way an application writes one notification: a transaction each. */
export async function insertOneByOne(connectionString: string, rows: FanOutRows): Promise<void> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  for (const { delivery, notification } of rows) {
    await client.query('begin');
    await insertRows(client, { table: 'delivery', format: 'text', rows: [delivery] });
    await insertRows(client, { table: 'notification', format: 'text', rows: [notification] });
    await client.query('commit');
  }
  await client.end();
}
