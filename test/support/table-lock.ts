import pg from 'pg';
import { until } from './until.ts';

/**
 * Holds a table, so that whoever works on it stops right there: a point at which a process can be killed, without a line of
 * test code in it.
 */
export class TableLock {
  readonly #client: pg.Client;

  private constructor(client: pg.Client) {
    this.#client = client;
  }

  /** `share` stops writers, `access exclusive` readers too, `row exclusive` is what a writer has. */
  static async take(
    databaseUrl: string,
    table: string,
    mode: 'share' | 'access exclusive' | 'row exclusive',
  ): Promise<TableLock> {
    const client = new pg.Client({ connectionString: databaseUrl });
    client.on('error', () => undefined);
    await client.connect();
    await client.query(`begin; lock table ${table} in ${mode} mode`);
    return new TableLock(client);
  }

  /** Resolves when somebody in this database waits for a lock with a statement that has `text` in it. */
  async stopsSomebody(text: string): Promise<void> {
    await until(
      `somebody waits for the lock: ${text}`,
      async () => {
        // In a transaction PostgreSQL goes on showing what it showed first.
        await this.#client.query('select pg_stat_clear_snapshot()');
        const { rows } = await this.#client.query(
          `select 1 from pg_stat_activity
           where datname = current_database() and wait_event_type = 'Lock' and position($1 in query) > 0`,
          [text],
        );
        return rows.length > 0;
      },
      30_000,
    );
  }

  /** Ends the sessions that wait for a lock in this database: what they were sent is not done once the table is free. */
  async endWaiting(): Promise<void> {
    await this.#client.query('select pg_stat_clear_snapshot()');
    await this.#client.query(
      "select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
  }

  async release(): Promise<void> {
    await this.#client.end();
  }
}
