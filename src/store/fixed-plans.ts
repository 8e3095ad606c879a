import type { Runner } from './connection.ts';
import type { Database } from './database.ts';

/**
 * For claims from tables of many partitions, the same few statements again and again: planning one anew takes ten times as long
 * as running it, and a plan that is kept must not be one that reads whole tables, however many rows it expects to find.
 */
const settings = [
  'plan_cache_mode = force_generic_plan',
  'enable_seqscan = off',
  // It reads all that an index finds before the first row comes: too much where one row is enough.
  'enable_bitmapscan = off',
  'enable_hashjoin = off',
  'enable_mergejoin = off',
];

/** Runs `work` in a transaction whose statements are planned once per connection, and find their rows by indexes. */
export function withFixedPlans<T>(database: Database, work: (runner: Runner) => Promise<T>): Promise<T> {
  const begin = ['begin', ...settings.map((setting) => `set local ${setting}`)].join('; ');
  return database.transaction((_tx, client) => work(client), { begin });
}
