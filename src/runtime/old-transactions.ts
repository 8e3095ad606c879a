import type { SnapshotHolder } from '../store/snapshot-holders.ts';
import type { Logger } from './logger.ts';

export type OldTransactionsOptions = {
  readonly logger: Logger;
  /** What holds its snapshot for longer is told, ms. */
  readonly olderThanMs: number;
  /** Time of this process, ms; default `performance.now`. */
  readonly now?: () => number;
};

type Seen = {
  readonly holder: SnapshotHolder;
  readonly firstAt: number;
  readonly ageMs: number;
  readonly isTold: boolean;
};

/**
 * Tells, once for each, of transactions that stay open: as long as one does, vacuum removes no row that died since it began, and
 * tables and indexes grow. It must have been seen twice with the same snapshot: a long transaction that takes a new one for every
 * statement keeps nothing. How old one is whose start cannot be seen is counted from when it was first seen.
 */
export class OldTransactions {
  readonly #options: Required<OldTransactionsOptions>;
  #seen = new Map<string, Seen>();

  constructor(options: OldTransactionsOptions) {
    this.#options = { now: () => performance.now(), ...options };
  }

  /** Age of the oldest, ms; 0 when there is none. */
  get oldestMs(): number {
    return Math.max(0, ...[...this.#seen.values()].map(({ ageMs }) => ageMs));
  }

  /** What is older than it may be, in a sentence; null when nothing is. */
  get complaint(): string | null {
    const old = [...this.#seen.values()].filter(({ isTold }) => isTold);
    if (old.length === 0) return null;
    return `kept from removing dead rows by ${old.map(({ holder, ageMs }) => sentenceOf(holder, ageMs)).join('; ')}`;
  }

  /** Takes in what holds snapshots now. */
  saw(holders: readonly SnapshotHolder[]): void {
    const { now, olderThanMs, logger } = this.#options;
    const before = this.#seen;
    this.#seen = new Map();
    for (const holder of holders) {
      const key = JSON.stringify([holder.kind, holder.name, holder.holds]);
      const firstAt = before.get(key)?.firstAt ?? now();
      const ageMs = holder.ageMs ?? now() - firstAt;
      const wasTold = before.get(key)?.isTold ?? false;
      const isTold = wasTold || (before.has(key) && ageMs >= olderThanMs);
      this.#seen.set(key, { holder, firstAt, ageMs, isTold });
      if (!isTold || wasTold) continue;
      logger.warn(
        fieldsOf(holder, ageMs),
        'a transaction that stays open keeps vacuum from removing dead rows: end it',
      );
    }
    for (const [key, { holder, ageMs, isTold }] of before) {
      if (isTold && !this.#seen.has(key)) logger.info(fieldsOf(holder, ageMs), 'an old transaction has ended');
    }
  }
}

function fieldsOf({ kind, name, login, application, state }: SnapshotHolder, ageMs: number): object {
  const who = kind === 'session' || kind === 'standby' ? { pid: Number(name) } : { name };
  return { kind, ...who, login, application, state, ageSeconds: Math.round(ageMs / 1000) };
}

/** Who it is, in words. */
export function sentenceOf({ kind, name, login, application, state }: SnapshotHolder, ageMs: number): string {
  const who = kind === 'session' || kind === 'standby' ? `${kind} with pid ${name}` : `${kind} ${name}`;
  const more = [application ? `"${application}"` : null, login ? `login ${login}` : null, state].filter(Boolean);
  return `${who}${more.length > 0 ? ` (${more.join(', ')})` : ''} for ${Math.round(ageMs / 1000)} s`;
}
