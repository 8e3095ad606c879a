import { describe, expect, test } from 'vitest';
import { OldTransactions } from '../../src/runtime/old-transactions.ts';
import type { SnapshotHolder } from '../../src/store/snapshot-holders.ts';

const minute = 60_000;
const session: SnapshotHolder = {
  kind: 'session',
  name: '4711',
  login: 'ann',
  application: 'psql',
  state: 'idle in transaction',
  ageMs: 6 * minute,
  holds: '730',
};

/** Takes in what is held at some minutes; answers what was said. */
function watch(looks: readonly (readonly SnapshotHolder[])[]) {
  const said: [level: string, fields: object][] = [];
  const logger = {
    debug: () => undefined,
    info: (fields: object) => said.push(['info', fields]),
    warn: (fields: object) => said.push(['warn', fields]),
    error: () => undefined,
  };
  let nowMs = 0;
  const transactions = new OldTransactions({ logger, olderThanMs: 5 * minute, now: () => nowMs });
  for (const holders of looks) {
    transactions.saw(holders);
    nowMs += minute;
  }
  return { said, transactions };
}

describe('OldTransactions', () => {
  test('names one that is too old, once, and says when it is over', () => {
    const { said, transactions } = watch([[session], [session], [session], []]);
    const fields = { kind: 'session', pid: 4711, login: 'ann', application: 'psql', state: 'idle in transaction' };
    expect(said).toEqual([
      ['warn', { ...fields, ageSeconds: 360 }],
      ['info', { ...fields, ageSeconds: 360 }],
    ]);
    expect(transactions).toMatchObject({ oldestMs: 0, complaint: null });
  });

  test('says in a sentence what is there', () => {
    const slot = { ...session, kind: 'replication slot', name: 'copy', login: null, application: null } as const;
    const { transactions } = watch([
      [session, slot],
      [session, slot],
    ]);
    expect(transactions.oldestMs).toBe(6 * minute);
    expect(transactions.complaint).toBe(
      'kept from removing dead rows by session with pid 4711 ("psql", login ann, idle in transaction) for 360 s; replication slot copy (idle in transaction) for 360 s',
    );
  });

  test('one that is young, or takes a new snapshot for every statement, is none', () => {
    const young = { ...session, name: '1', ageMs: minute };
    const renewed = ['730', '731', '732'].map((holds) => ({ ...session, holds }));
    expect(watch(renewed.map((holder) => [holder, young])).said).toEqual([]);
  });

  test('counts from when it was first seen where the start cannot be seen', () => {
    const hidden = { ...session, state: null, ageMs: null };
    const looks = Array.from({ length: 7 }, () => [hidden]);
    expect(watch(looks.slice(0, 5)).said).toEqual([]);
    expect(watch(looks).said).toMatchObject([['warn', { pid: 4711, state: null, ageSeconds: 300 }]]);
  });
});
