import { invalid } from '../errors.ts';
import { parseInput } from '../model/parse-input.ts';
import {
  type QuotaInput,
  type QuotaName,
  type Quotas,
  quotaInput,
  quotaNames,
  quotasWithDefaults,
  unlimited,
} from '../model/quota.ts';
import { err, ok } from '../model/result.ts';
import { checkTenantId } from '../model/tenant-id.ts';
import { bumpDefinitionsVersion, type Database, inTransaction } from '../store/database.ts';
import { type QuotaState, readQuotaState } from '../store/quota-state.ts';
import { readQuotas, writeQuotas } from '../store/tenant-quotas.ts';
import { withTenant } from '../store/with-tenant.ts';
import type { Answer, WriteOptions } from './answer.ts';

/** A quota of a tenant, and how it stands. */
export type TenantQuota = {
  /** Null: without a limit. */
  readonly limit: number | null;
  /** The tenant's own, or the deployment's for all that have none. */
  readonly isOwn: boolean;
  /** What counts towards it now; null where nothing is counted. */
  readonly used: number | null;
};

/** A tenant's quotas, and what waits because of them. */
export type TenantQuotas = {
  readonly tenantId: string;
  readonly quotas: Readonly<Record<QuotaName, TenantQuota>>;
  /** Quotas per minute that are used up: what is over waits until `minuteEndsAt`. */
  readonly throttled: readonly ('eventsPerMinute' | 'deliveriesPerMinute')[];
  readonly minuteEndsAt: Date;
  /** What waits now, for whatever reason, counted up to 10,000. */
  readonly waiting: { readonly events: number; readonly deliveries: number };
};

export type QuotaServiceOptions = {
  readonly database: Database;
  /** Quotas of tenants that have none of their own; default none. */
  readonly defaults?: Quotas;
  /** Length of the minute that quotas count in, ms; tests shorten it. */
  readonly usageWindowMs?: number;
};

/** What a tenant may use, and what it does. */
export class QuotaService {
  readonly #database: Database;
  readonly #defaults: Quotas;
  readonly #usageWindowMs: number;

  constructor(options: QuotaServiceOptions) {
    this.#database = options.database;
    this.#defaults = options.defaults ?? unlimited;
    this.#usageWindowMs = options.usageWindowMs ?? 60_000;
  }

  /** A tenant's quotas, what it used of them, and what waits. */
  async getQuotas(tenantId: string): Answer<TenantQuotas> {
    return withTenant(this.#database, { tenantId }, async (orm) => {
      const own = await readQuotas(orm, tenantId);
      const state = await readQuotaState(orm, tenantId, this.#usageWindowMs);
      return ok(describeQuotas(tenantId, { own, defaults: this.#defaults, state }));
    });
  }

  /**
   * For operators, not for tenants: changes the quotas that are given. Null takes a tenant's own away, so that the deployment's
   * holds. Workers follow with their next claim.
   */
  async setQuotas(tenantId: string, quotas: QuotaInput, options: WriteOptions = {}): Answer<Quotas> {
    const refusal = checkTenantId(tenantId);
    if (refusal) return err(refusal);
    const given = parseInput(quotaInput, quotas);
    if (!given.ok) return err(invalid('the quotas', given.error));
    const changes = Object.entries(given.value).filter(([, limit]) => limit !== undefined);
    return inTransaction(this.#database, options.tx, async (tx) => {
      const version = await bumpDefinitionsVersion(tx);
      await writeQuotas(tx, tenantId, { quotas: Object.fromEntries(changes), version });
      return ok(quotasWithDefaults(await readQuotas(tx, tenantId), this.#defaults));
    });
  }
}

function describeQuotas(
  tenantId: string,
  { own, defaults, state }: { own: Quotas | null; defaults: Quotas; state: QuotaState },
): TenantQuotas {
  const limits = quotasWithDefaults(own, defaults);
  const used: Readonly<Record<QuotaName, number | null>> = {
    eventsPerMinute: limits.eventsPerMinute === null ? null : state.events,
    deliveriesPerMinute: limits.deliveriesPerMinute === null ? null : state.deliveries,
    maxWorkflows: state.workflows,
    maxRecipients: null,
    maxPayloadBytes: null,
  };
  const quotas = Object.fromEntries(
    quotaNames.map((name) => [
      name,
      { limit: limits[name], isOwn: (own?.[name] ?? null) !== null, used: used[name] } satisfies TenantQuota,
    ]),
  ) as Record<QuotaName, TenantQuota>;
  const perMinute = ['eventsPerMinute', 'deliveriesPerMinute'] as const;
  return {
    tenantId,
    quotas,
    throttled: perMinute.filter((name) => (used[name] ?? 0) >= (limits[name] ?? Number.POSITIVE_INFINITY)),
    minuteEndsAt: new Date(state.minuteEndsAtMs),
    waiting: { events: state.waitingEvents, deliveries: state.waitingDeliveries },
  };
}
