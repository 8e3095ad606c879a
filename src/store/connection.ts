import pg from 'pg';

/** A connection of its own, outside the pool: it keeps session locks and sends several statements in one flight. */
export type Connection = pg.Client;

/**
 * For statements that the engine waits for again and again and that take milliseconds: one without an answer after ten seconds
 * has failed, and so has its connection. So a connection that swallows packets is noticed.
 */
export const promptly = { query_timeout: 10_000 };

/**
 * How long a transaction may wait for its client, ms. A server does not notice that a client is gone when the network does not
 * say so, and keeps for hours what the transaction has locked.
 */
export const idleInTransactionMs = 30_000;

/** What runs a statement: a pool, a pooled client or a connection. */
export type Runner = Pick<pg.ClientBase, 'query'>;

/**
 * Connects outside the pool. Statements issued without waiting travel together (pipeline); await them in order.
 *
 * @param options.onError told when the connection dies while nothing is being asked of it
 */
export async function connect(
  { connectionConfig }: { readonly connectionConfig: pg.ClientConfig },
  options: {
    applicationName: string;
    /** A statement that takes longer has failed, and its connection with it, ms. */
    answerWithinMs: number;
    onError: (error: Error) => void;
  },
): Promise<Connection> {
  const client = new pg.Client({
    ...connectionConfig,
    application_name: options.applicationName,
    query_timeout: options.answerWithinMs,
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
