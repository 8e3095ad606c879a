import { randomBytes } from 'node:crypto';
import { WorkflowError } from '../../errors.ts';
import { openDatabase } from '../../store/database.ts';
import { drainBenchmark } from './drain-benchmark.ts';
import { latencyBenchmark } from './latency-benchmark.ts';
import { describeMachine } from './machine.ts';
import type { Report } from './report.ts';
import { runBenchmark } from './run-benchmark.ts';
import { ScratchServer } from './scratch-server.ts';

export type BenchOptions = {
  /** A database of the server to measure on. Nothing in it is read or written but the catalog of the server. */
  readonly databaseUrl: string;
  readonly rounds: number;
  /** How much of everything: 1 for 20,000 events and 100 orders a round. */
  readonly scale: number;
  /** Aborted when it is to end now; what was made is dropped all the same. */
  readonly signal: AbortSignal;
  readonly onProgress: (line: string) => void;
};

/**
 * Measures the drain and the latency on somebody's own server, in databases of its own: no table, trigger, workflow or worker of
 * another database can meet it. They are dropped at the end, and so are the roles that the schema brought when they were not
 * there before.
 *
 * @throws WorkflowError `not_allowed` when the login may not create databases
 */
export async function runBench(options: BenchOptions): Promise<Report> {
  const { databaseUrl, rounds, scale, signal, onProgress } = options;
  await refuseWithoutRight(databaseUrl);
  const rolesBefore = await readRoles(databaseUrl);
  const machine = describeMachine();
  const server = new ScratchServer({ databaseUrl, prefix: `tocsin_bench_${randomBytes(4).toString('hex')}` });
  const aborted = new Promise<never>((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
  aborted.catch(() => undefined);
  try {
    const postgres = await server.settings();
    const scaled = (count: number) => Math.max(1, Math.round(count * scale));
    const results: Report['results'][number][] = [];
    for (const benchmark of [drainBenchmark, latencyBenchmark]) {
      results.push(await Promise.race([runBenchmark(benchmark, { server, rounds, scaled, onProgress }), aborted]));
    }
    return { date: new Date().toISOString().slice(0, 10), machine, postgres, rounds, scale, results };
  } finally {
    await server.close();
    await restoreRoles(databaseUrl, rolesBefore);
  }
}

async function refuseWithoutRight(databaseUrl: string): Promise<void> {
  const [row] = await ask<{ login: string; may: boolean }>(
    databaseUrl,
    'select current_user as login, rolcreatedb or rolsuper as may from pg_roles where rolname = current_user',
  );
  if (row?.may) return;
  throw new WorkflowError(
    'not_allowed',
    `the login "${row?.login}" may not create a database, and bench runs in none that holds data: alter role ${row?.login} createdb, or take another login`,
  );
}

/** A role of Tocsin, which is of all databases of the server, and whether the login was made a member of it. */
type Role = { readonly name: string; readonly isMember: boolean };

function readRoles(databaseUrl: string): Promise<readonly Role[]> {
  return ask<Role>(
    databaseUrl,
    `select rolname as name,
       exists (
         select from pg_auth_members
         where roleid = role.oid and member = (select oid from pg_roles where rolname = current_user)
       ) as "isMember"
     from pg_roles role
     where rolname like 'tocsin\\_%'`,
  );
}

/** Takes back what the migrations of the scratch databases did outside them. A role that another database uses by now stays. */
async function restoreRoles(databaseUrl: string, before: readonly Role[]): Promise<void> {
  for (const { name, isMember } of await readRoles(databaseUrl)) {
    const known = before.find((role) => role.name === name);
    if (!known) await ask(databaseUrl, `drop role "${name}"`).catch(() => undefined);
    else if (isMember && !known.isMember) await ask(databaseUrl, `revoke "${name}" from current_user`);
  }
}

async function ask<Row extends object>(databaseUrl: string, text: string): Promise<Row[]> {
  const database = openDatabase({ databaseUrl, poolSize: 1, applicationName: 'tocsin bench' });
  try {
    return (await database.pool.query<Row>(text)).rows;
  } finally {
    await database.close();
  }
}
