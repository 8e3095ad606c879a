import pg from 'pg';
import type { Database } from './database.ts';

/** A connection of its own, outside the pool: it keeps session locks and sends several statements in one flight. */
export type Connection = pg.Client;

/** What runs a statement: a pool, a pooled client or a connection. */
export type Runner = Pick<pg.ClientBase, 'query'>;

/**
 * Connects outside the pool. Statements issued without waiting travel together (pipeline); await them in order.
 *
 * @param options.onError told when the connection dies while nothing is being asked of it
 */
export async function connect(
  database: Database,
  options: { applicationName: string; onError: (error: Error) => void },
): Promise<Connection> {
  const client = new pg.Client({
    ...database.connectionConfig,
    application_name: options.applicationName,
    pipeline: true,
  });
  client.on('error', options.onError);
  await client.connect();
  return client;
}

/** Waits for every statement of a flight, then throws the first error, so that no answer is left behind on the wire. */
export async function landed<T extends readonly Promise<unknown>[]>(
  flight: readonly [...T],
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  const results = await Promise.allSettled(flight);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value) as {
    -readonly [K in keyof T]: Awaited<T[K]>;
  };
}
