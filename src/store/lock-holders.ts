import { setTimeout as wait } from 'node:timers/promises';
import type pg from 'pg';
import type { Runner } from './connection.ts';

/** A session of the server, as far as the login may see it. */
export type Session = {
  readonly pid: number;
  /** What it calls itself, or what it is. */
  readonly name: string;
  readonly state: string | null;
  /** Age of its transaction, seconds. */
  readonly openSeconds: number | null;
  readonly query: string | null;
};

const columns = `
  a.pid, coalesce(nullif(a.application_name, ''), a.backend_type, '') as name, a.state,
  extract(epoch from clock_timestamp() - a.xact_start)::float8 as "openSeconds",
  left(regexp_replace(a.query, '\\s+', ' ', 'g'), 120) as query`;

/** Who has a session-level advisory lock of this database. */
export async function advisoryLockHolders(runner: Runner, key: number): Promise<Session[]> {
  const { rows } = await runner.query<Session>(
    `select ${columns}
     from pg_locks l
     join pg_stat_activity a on a.pid = l.pid
     where l.locktype = 'advisory'
       and l.granted
       and l.database = (select oid from pg_database where datname = current_database())
       and (l.classid::bigint << 32) + l.objid::bigint = $1
       and l.objsubid = 1`,
    [key],
  );
  return rows;
}

/** Sessions in words, with their pids. */
export function describeSessions(sessions: readonly Session[]): string {
  if (sessions.length === 0) return 'somebody who is gone by now';
  return sessions
    .map(({ pid, name, state, openSeconds, query }) => {
      const age = openSeconds === null ? '' : `, in a transaction for ${Math.round(openSeconds)} s`;
      return `pid ${pid} (${name || 'without a name'}${state === null ? '' : `, ${state}`}${age}${query ? `: ${query}` : ''})`;
    })
    .join(', ');
}

/** Looks, on another connection, at what a session waits for: when its time is up, nobody can tell any more. */
export class LockWatch {
  readonly #pool: pg.Pool;
  readonly #pid: number;
  readonly #ended = new AbortController();
  readonly #looking: Promise<void>;
  #seen = 'it could not be seen who has them';

  private constructor(pool: pg.Pool, pid: number, everyMs: number) {
    this.#pool = pool;
    this.#pid = pid;
    this.#looking = this.#look(everyMs);
  }

  static async start(pool: pg.Pool, watched: pg.Client, { everyMs }: { everyMs: number }): Promise<LockWatch> {
    const { rows } = await watched.query('select pg_backend_pid() as pid');
    return new LockWatch(pool, rows[0].pid, everyMs);
  }

  /** Ends it; answers what was waited for last, and who had it. */
  async stop(): Promise<string> {
    this.#ended.abort();
    await this.#looking;
    return this.#seen;
  }

  async #look(everyMs: number): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      await wait(everyMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      // What cannot be seen now may be seen the next time.
      this.#seen = (await this.#whatIsWaitedFor().catch(() => null)) ?? this.#seen;
    }
  }

  async #whatIsWaitedFor(): Promise<string | null> {
    const { rows } = await this.#pool.query<Session & { what: string | null }>(
      `select ${columns}, w.relation::regclass::text as what
       from pg_locks w
       cross join unnest(pg_blocking_pids(w.pid)) blocking (pid)
       join pg_stat_activity a on a.pid = blocking.pid
       where w.pid = $1
         and not w.granted
       order by a.xact_start
       limit 3`,
      [this.#pid],
    );
    const [first] = rows;
    if (!first) return null;
    return first.what === null
      ? `a transaction has to end first, of ${describeSessions(rows)}`
      : `${first.what} is locked by ${describeSessions(rows)}`;
  }
}
