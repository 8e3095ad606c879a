import { setTimeout as wait } from 'node:timers/promises';
import { mailHits, webhookHits } from '../support/hit.ts';
import { brokenInvariants } from '../support/invariants.ts';
import { until } from '../support/until.ts';
import { type ChaosWorld, startChaosWorld } from './chaos-world.ts';
import { faultKinds } from './fault-kinds.ts';
import { Random } from './random.ts';
import { Writers } from './writers.ts';

/** What a run did and found. */
export type ChaosReport = {
  /** How often each fault happened. */
  readonly faults: Readonly<Record<string, number>>;
  readonly transactions: Writers['counts'];
  readonly events: number;
  readonly executions: number;
  /** By status. */
  readonly deliveries: Readonly<Record<string, number>>;
  readonly taken: number;
  /** Of what receivers took, the share they had taken before, percent. */
  readonly repeatedPercent: number;
  /** From the end of the faults until nothing was open, s. */
  readonly drainSeconds: number;
  /** Broken promises; empty when all were kept. */
  readonly broken: readonly string[];
};

const drainWithinMs = 180_000;

/** Breaks everything for a while, heals it, waits until nothing is open, and checks every promise. */
export async function runChaos(options: {
  readonly seed: number;
  readonly minutes: number;
  readonly workers: number;
  readonly writers: number;
}): Promise<ChaosReport> {
  const random = new Random(options.seed);
  const world = await startChaosWorld(options.workers);
  try {
    const writers = new Writers(world);
    writers.start(Array.from({ length: options.writers }, () => random.fork()));
    const faults = await breakThings(world, { random, ms: options.minutes * 60_000 });
    await heal(world);
    await writers.stop();
    const healedAt = performance.now();
    const stuck = await until('nothing is open', () => isIdle(world), drainWithinMs).then(
      () => [],
      (error: Error) => [error.message],
    );
    const drainSeconds = Math.round((performance.now() - healedAt) / 1000);
    return await report(world, { writers, faults, drainSeconds, stuck });
  } finally {
    await world.close();
  }
}

/** Lets the kinds of faults happen side by side until the time is up; answers how often each did. */
async function breakThings(
  world: ChaosWorld,
  { random, ms }: { random: Random; ms: number },
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  const endsAt = performance.now() + ms;
  const breakKind = async ({ faults, restMs }: (typeof faultKinds)[number], own: Random) => {
    while (performance.now() < endsAt) {
      await wait(own.between(...(restMs as [number, number])));
      const fault = own.pick(faults);
      counts[fault.name] = (counts[fault.name] ?? 0) + 1;
      await fault.run(world, own);
    }
  };
  await Promise.all(faultKinds.map((kind) => breakKind(kind, random.fork())));
  return counts;
}

async function heal({ writersProxy, workers }: ChaosWorld): Promise<void> {
  writersProxy.heal();
  for (let place = 0; place < workers.size; place++) workers.proxy(place).heal();
  await workers.allStarted();
}

async function isIdle({ tocsin }: ChaosWorld): Promise<boolean> {
  const { events, executions, deliveries } = await tocsin.listener.backlog();
  return events + executions + deliveries === 0;
}

async function report(
  world: ChaosWorld,
  run: { writers: Writers; faults: Record<string, number>; drainSeconds: number; stuck: string[] },
): Promise<ChaosReport> {
  const { writers, faults, drainSeconds, stuck } = run;
  const { database } = world.tocsin;
  const lost = await writers.settle();
  const hits = [...webhookHits(world.webhooks), ...mailHits(world.mails)];
  const broken = await brokenInvariants(database, { ledger: writers.ledger, hits, isDrained: true, isSteady: true });
  const { rows: deliveries } = await database.pool.query<{ status: string; n: number }>(
    'select status, count(*)::int as n from tocsin.deliveries group by status order by status',
  );
  const { rows } = await database.pool.query<{ events: number; executions: number }>(
    `select (select count(*)::int from tocsin.event_history) as events,
       (select count(*)::int from tocsin.executions) as executions`,
  );
  const taken = hits.filter(({ isTaken }) => isTaken);
  const repeated = taken.length - new Set(taken.map(({ id }) => id)).size;
  return {
    faults,
    transactions: writers.counts,
    events: rows[0]?.events ?? 0,
    executions: rows[0]?.executions ?? 0,
    deliveries: Object.fromEntries(deliveries.map(({ status, n }) => [status, n])),
    taken: taken.length,
    repeatedPercent: taken.length === 0 ? 0 : Math.round((1000 * repeated) / taken.length) / 10,
    drainSeconds,
    broken: [...stuck, ...lost, ...world.workers.complaints, ...broken],
  };
}
