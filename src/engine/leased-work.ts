import { promptly, type Runner } from '../store/connection.ts';
import type { Database } from '../store/database.ts';
import { withFixedPlans } from '../store/fixed-plans.ts';
import {
  beforeAllVersions,
  parkLeftExecutions,
  readLeftVersions,
  versionKey,
  wakeLeftExecutions,
} from '../store/left-executions.ts';
import { readDefinitionsVersion } from '../store/load-definitions.ts';
import {
  type ClaimedDelivery,
  claimDeliveries,
  claimDeliveriesInTurn,
  parkBlockedDeliveries,
  putBackSuspects,
  renewDeliveryLeases,
  returnDeliveries,
} from '../store/pending-deliveries.ts';
import {
  type ClaimedExecution,
  claimExecutions,
  claimExecutionsInTurn,
  putBackSuspectExecutions,
} from '../store/pending-executions.ts';
import { addUsage, readUsage, returnUsage } from '../store/tenant-usage.ts';
import { type Queue, readFirstDue, tenantsInLine } from '../store/tenants-in-line.ts';
import type { DefinitionCache } from './definition-cache.ts';
import { FairQueue } from './fair-queue.ts';
import { LowWaterMark } from './low-water-mark.ts';
import type { QuotaBook } from './quota-book.ts';
import { suspectsTooMany } from './suspects.ts';

/** What has to be tried alone is looked at again after this. */
const aloneDelayMs = 200;
const parkEveryMs = 1_000;
const parkAtOnce = 2_000;
/** Of the time, what parking may take: one part in so many. */
const parkShare = 20;
/** What was planned this long ago is visible, or its transaction is a slow one. */
const dueSettlesMs = 5_000;
const leftAtOnce = 10_000;
/** Versions that are looked at in one review; the next one goes on behind them. */
const leftVersionsPerReview = 1_000;

export type LeasedWorkOptions = {
  readonly database: Database;
  readonly quotas: QuotaBook;
  /** How long leases last, ms. */
  readonly leaseMs: number;
  /** Length of the minute that deliveries are counted in, ms. */
  readonly usageWindowMs: number;
  /** They say which versions this worker can run. */
  readonly definitions: Pick<DefinitionCache, 'left' | 'version'>;
  /** A look at the start of a queue that takes longer is costly (see `LowWaterMark`), ms. Default 10. */
  readonly costlyLookMs?: number;
  /** Versions that are looked at in one review of what was left. Default 1,000. */
  readonly leftVersionsPerReview?: number;
};

export type DeliveryRequest = {
  readonly limit: number;
  /** Queues that are served; null: all. */
  readonly queues: readonly string[] | null;
  readonly actionTypes: readonly string[];
  /** What this process has under way. */
  readonly held: readonly ClaimedDelivery[];
};

/** Leases executions and deliveries: in turn where one tenant has a backlog, and as far as their quotas go. */
export class LeasedWork {
  readonly #options: LeasedWorkOptions;
  readonly #executions = new FairQueue<ClaimedExecution>();
  readonly #lowWater: Readonly<Record<Queue, LowWaterMark>>;
  #nextParkingAt = 0;
  #reviewedLeft = beforeAllVersions;
  /** By the queues that are served: what fills one is not in the way in another. */
  readonly #deliveries = new Map<string, FairQueue<ClaimedDelivery>>();

  constructor(options: LeasedWorkOptions) {
    this.#options = options;
    const lowWater = () => new LowWaterMark({ settleMs: dueSettlesMs, costlyMs: options.costlyLookMs ?? 10 });
    this.#lowWater = { executions: lowWater(), deliveries: lowWater() };
  }

  /** Quotas are then known as of the claim. */
  async claimExecutions(limit: number): Promise<readonly ClaimedExecution[]> {
    const { database, leaseMs, quotas } = this.#options;
    const without = this.#options.definitions.left;
    const claimed = await withFixedPlans(database, async (runner) => {
      const dueAfter = await this.#startOf('executions', runner);
      const given = { leaseMs, without, dueAfter };
      return this.#executions.claim(
        { limit },
        {
          inOrder: (most) => claimExecutions(runner, { ...given, limit: most }),
          inTurn: (turn) => claimExecutionsInTurn(runner, { ...given, turn }),
          tenantsAfter: (after, most) => tenantsInLine(runner, { queue: 'executions', after, dueAfter, limit: most }),
        },
      );
    });
    if (claimed.length === 0) return claimed;
    await quotas.refresh(Math.max(...claimed.map(({ definitionsVersion }) => definitionsVersion)));
    const back = suspectsTooMany(claimed, []);
    if (back.length === 0) return claimed;
    await putBackSuspectExecutions(database.pool, { ...leasesOf(back), delayMs: aloneDelayMs });
    return claimed.filter((execution) => !back.includes(execution));
  }

  /** Wakes executions that others left and this worker can run, and puts off those that nobody takes; answers how many. */
  async reviewLeft(): Promise<number> {
    const { database, definitions } = this.#options;
    const runnable: string[] = [];
    const limit = this.#options.leftVersionsPerReview ?? leftVersionsPerReview;
    const left = await readLeftVersions(database.pool, { after: this.#reviewedLeft, limit });
    this.#reviewedLeft = (left.length < limit ? undefined : left.at(-1)) ?? beforeAllVersions;
    for (const { workflowId, version } of left) {
      const workflow = await definitions.version(workflowId, version);
      if (workflow?.lacks.length === 0) runnable.push(versionKey(workflowId, version));
    }
    const woken = runnable.length > 0 ? { versions: runnable, limit: leftAtOnce } : null;
    const parked = definitions.left.length > 0 ? { versions: definitions.left, limit: leftAtOnce } : null;
    return (
      (woken ? await wakeLeftExecutions(database.pool, woken) : 0) +
      (parked ? await parkLeftExecutions(database.pool, parked) : 0)
    );
  }

  /** Tenants of which deliveries in these queues were still due after the last claim; null when that is not known of all. */
  stillInLine(queues: readonly string[] | null): ReadonlySet<string> | null {
    return this.#deliveries.get(queuesKey(queues))?.stillInLine ?? null;
  }

  /** Those of a tenant beyond its quota of deliveries per minute wait for the next one. */
  async claimDeliveries(request: DeliveryRequest): Promise<readonly ClaimedDelivery[]> {
    const { held } = request;
    await this.#parkBlocked();
    await this.#refreshQuotas();
    if (!this.#options.quotas.anybodyHas('deliveriesPerMinute'))
      return this.#keepOneSuspect(await this.#claimFairly(request, new Map()), held);
    const allowed = await this.#allowed();
    const claimed = await this.#keepOneSuspect(await this.#claimFairly(request, allowed), held);
    return this.#keepAllowed(claimed, allowed);
  }

  /** Once in a while is enough: what is blocked and due is only in the way of claims. */
  async #parkBlocked(): Promise<void> {
    if (performance.now() < this.#nextParkingAt) return;
    const startedAt = performance.now();
    const dueAfter = this.#lowWater.deliveries.start;
    await withFixedPlans(this.#options.database, (runner) =>
      parkBlockedDeliveries(runner, { dueAfter, limit: parkAtOnce }),
    ).finally(() => {
      const now = performance.now();
      this.#nextParkingAt = now + Math.max(parkEveryMs, (now - startedAt) * parkShare);
    });
  }

  async #keepOneSuspect(
    claimed: readonly ClaimedDelivery[],
    held: readonly ClaimedDelivery[],
  ): Promise<readonly ClaimedDelivery[]> {
    const back = suspectsTooMany(claimed, held);
    if (back.length === 0) return claimed;
    await putBackSuspects(this.#options.database.pool, { ...leasesOf(back), delayMs: aloneDelayMs });
    return claimed.filter((delivery) => !back.includes(delivery));
  }

  /** Prolongs the leases of what is under way. */
  async renew(held: readonly ClaimedDelivery[]): Promise<void> {
    const { database, leaseMs } = this.#options;
    await renewDeliveryLeases(database.pool, { ...leasesOf(held), leaseMs });
  }

  /** Undoes the claim of deliveries that were not attempted. */
  async giveBack(held: readonly ClaimedDelivery[]): Promise<void> {
    await returnDeliveries(this.#options.database.pool, leasesOf(held));
    await this.uncount(held);
  }

  /** These were claimed and did not go out: they count towards no quota. */
  async uncount(deliveries: readonly Pick<ClaimedDelivery, 'tenantId' | 'actionType'>[]): Promise<void> {
    const { database, quotas, usageWindowMs: windowMs } = this.#options;
    const limits = quotas.limits('deliveriesPerMinute', tenantsOf(deliveries));
    await returnUsage(database.pool, { kind: 'deliveries', counts: countLeaving(deliveries, limits), windowMs });
  }

  async #refreshQuotas(): Promise<void> {
    const { database, quotas } = this.#options;
    await quotas.refresh(await readDefinitionsVersion(database.pool, promptly));
  }

  /** How many more deliveries tenants may have in this minute, of those that have had some. */
  async #allowed(): Promise<Map<string, number>> {
    const { database, quotas, usageWindowMs: windowMs } = this.#options;
    const { used } = await readUsage(database.pool, { tenantIds: null, windowMs });
    const limits = quotas.limits('deliveriesPerMinute', used.keys());
    return new Map(
      [...limits].map(([tenantId, limit]) => [tenantId, Math.max(0, limit - (used.get(tenantId)?.deliveries ?? 0))]),
    );
  }

  async #keepAllowed(
    claimed: readonly ClaimedDelivery[],
    allowed: ReadonlyMap<string, number>,
  ): Promise<readonly ClaimedDelivery[]> {
    const { database, quotas, usageWindowMs: windowMs } = this.#options;
    const limits = quotas.limits('deliveriesPerMinute', tenantsOf(claimed));
    if (limits.size === 0) return claimed;
    const counts = new Map<string, number>();
    const kept = claimed.filter((delivery) => {
      const { tenantId } = delivery;
      const limit = limits.get(tenantId);
      if (limit === undefined || !leaves(delivery)) return true;
      const count = counts.get(tenantId) ?? 0;
      if (count >= (allowed.get(tenantId) ?? limit)) return false;
      counts.set(tenantId, count + 1);
      return true;
    });
    await addUsage(database.pool, { kind: 'deliveries', counts, windowMs });
    const isKept = new Set(kept);
    const back = claimed.filter((delivery) => !isKept.has(delivery));
    // Who takes over what ended another worker still has to know it.
    await putBackSuspects(database.pool, {
      ...leasesOf(back.filter(({ takenOver }) => takenOver)),
      delayMs: aloneDelayMs,
    });
    await returnDeliveries(database.pool, leasesOf(back.filter(({ takenOver }) => !takenOver)));
    return kept;
  }

  #claimFairly(request: DeliveryRequest, allowed: ReadonlyMap<string, number>): Promise<readonly ClaimedDelivery[]> {
    const { limit, held, ...served } = request;
    const { database, leaseMs } = this.#options;
    const key = queuesKey(served.queues);
    const queue = this.#deliveries.get(key) ?? new FairQueue<ClaimedDelivery>();
    this.#deliveries.set(key, queue);
    return withFixedPlans(database, async (runner) => {
      const dueAfter = await this.#startOf('deliveries', runner);
      const given = { ...served, leaseMs, dueAfter };
      return queue.claim(
        { limit, held, allowed },
        {
          inOrder: (most) => claimDeliveries(runner, { ...given, limit: most }),
          inTurn: (turn) => claimDeliveriesInTurn(runner, { ...given, turn }),
          tenantsAfter: (after, most) => tenantsInLine(runner, { queue: 'deliveries', after, dueAfter, limit: most }),
        },
      );
    });
  }

  /** The moment where claims begin, microseconds since 1970; looks whether it is still right when that is due. */
  async #startOf(queue: Queue, runner: Runner): Promise<bigint> {
    const lowWater = this.#lowWater[queue];
    const after = lowWater.wantsLook();
    if (after === null) return lowWater.start;
    const startedAt = performance.now();
    try {
      const { first, now, lastedMs } = await readFirstDue(runner, { queue, dueAfter: after });
      lowWater.looked({ after, first, next: now, lastedMs });
      return lowWater.start;
    } catch (error) {
      lowWater.failed(performance.now() - startedAt);
      throw error;
    }
  }
}

function leasesOf(held: readonly { readonly id: string; readonly leaseToken: string }[]): {
  ids: string[];
  leaseTokens: string[];
} {
  return { ids: held.map(({ id }) => id), leaseTokens: held.map(({ leaseToken }) => leaseToken) };
}

/** Whether a delivery leaves the database: what is written to an inbox does not. */
function leaves({ actionType }: Pick<ClaimedDelivery, 'actionType'>): boolean {
  return actionType !== 'notification';
}

function tenantsOf(deliveries: readonly { tenantId: string }[]): Set<string> {
  return new Set(deliveries.map(({ tenantId }) => tenantId));
}

function countLeaving(
  deliveries: readonly Pick<ClaimedDelivery, 'tenantId' | 'actionType'>[],
  counted: ReadonlyMap<string, unknown>,
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const delivery of deliveries) {
    const { tenantId } = delivery;
    if (counted.has(tenantId) && leaves(delivery)) counts.set(tenantId, (counts.get(tenantId) ?? 0) + 1);
  }
  return counts;
}

function queuesKey(queues: readonly string[] | null): string {
  return JSON.stringify(queues);
}
