import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';

/** A statement of the host's application, as a transaction of its own; `$1` is a number that grows. */
export type HostStatement = { readonly name: string; readonly text: string };

/** Statements of the host's application, one after another in a transaction; each is given the same growing number. */
export type HostTransaction = readonly HostStatement[];

/** What a writer is told of a statement: when it was sent (monotonic clock), and the `id` that it returned. */
export type OnWritten = (id: string, sentAtNs: bigint) => void;

/** Connections of a host's application that write, prepared, as fast as they can or at a pace. */
export class Writers {
  readonly #clients: readonly pg.Client[];
  #written = 0;

  private constructor(clients: readonly pg.Client[]) {
    this.#clients = clients;
  }

  static async open(databaseUrl: string, count: number): Promise<Writers> {
    const clients = Array.from({ length: count }, () => new pg.Client({ connectionString: databaseUrl }));
    await Promise.all(clients.map((client) => client.connect()));
    return new Writers(clients);
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map((client) => client.end()));
  }

  /** Every connection writes as fast as it can; answers how many transactions were committed. */
  async saturate(work: HostStatement | HostTransaction, forMs: number): Promise<number> {
    const until = performance.now() + forMs;
    const counts = await Promise.all(
      this.#clients.map(async (client) => {
        let count = 0;
        for (; performance.now() < until; count++) await this.#write(client, work);
        return count;
      }),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /**
   * Writes `perSecond` rows at even distances, whatever becomes of them.
   *
   * @returns how long each took, ms: from when it was due, so that one that waits for a connection is not counted less
   */
  async pace(
    statement: HostStatement,
    options: { perSecond: number; forMs: number; onWritten?: OnWritten },
  ): Promise<number[]> {
    const latencies: number[] = [];
    const idle = [...this.#clients];
    const waiting: number[] = [];
    const underWay = new Set<Promise<void>>();
    const send = (client: pg.Client, dueAt: number) => {
      const sentAtNs = process.hrtime.bigint();
      const sent = this.#write(client, statement).then((id) => {
        options.onWritten?.(id, sentAtNs);
        latencies.push(performance.now() - dueAt);
        underWay.delete(sent);
        const next = waiting.shift();
        if (next === undefined) idle.push(client);
        else send(client, next);
      });
      underWay.add(sent);
    };
    const startedAt = performance.now();
    const total = Math.round((options.perSecond * options.forMs) / 1000);
    for (let scheduled = 0; scheduled < total; await wait(1)) {
      const now = performance.now();
      const due = Math.min(total, Math.floor(((now - startedAt) * options.perSecond) / 1000));
      for (; scheduled < due; scheduled++) {
        const client = idle.pop();
        if (client) send(client, now);
        else waiting.push(now);
      }
    }
    while (underWay.size > 0) await Promise.all(underWay);
    return latencies;
  }

  /** Answers the id that a single statement returned. */
  async #write(client: pg.Client, work: HostStatement | HostTransaction): Promise<string> {
    this.#written += 1;
    const values = [this.#written];
    if (!isTransaction(work)) {
      const { rows } = await client.query<{ id?: string }>({ ...work, values });
      return rows[0]?.id ?? '';
    }
    await client.query('begin');
    for (const statement of work) await client.query({ ...statement, values });
    await client.query('commit');
    return '';
  }
}

function isTransaction(work: HostStatement | HostTransaction): work is HostTransaction {
  return Array.isArray(work);
}
