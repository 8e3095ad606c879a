import { type QuotaName, type Quotas, quotasWithDefaults } from '../model/quota.ts';
import type { Runner } from '../store/connection.ts';
import { loadChangedQuotas } from '../store/tenant-quotas.ts';

/** The quotas of all tenants, as of the version of the definitions that a claim has read. */
export class QuotaBook {
  readonly #runner: Runner;
  readonly #defaults: Quotas;
  /** Of tenants that have some of their own. */
  readonly #own = new Map<string, Quotas>();
  #loadedVersion: number | null = null;
  #loading: Promise<void> = Promise.resolve();

  constructor(runner: Runner, defaults: Quotas) {
    this.#runner = runner;
    this.#defaults = defaults;
  }

  /** Loads what changed up to `version`, if it is not there yet. */
  async refresh(version: number): Promise<void> {
    if (this.#isLoaded(version)) return;
    this.#loading = this.#loading.catch(() => undefined).then(() => this.#load(version));
    await this.#loading;
  }

  of(tenantId: string): Quotas {
    return this.#own.get(tenantId) ?? this.#defaults;
  }

  anybodyHas(name: QuotaName): boolean {
    return this.#defaults[name] !== null || [...this.#own.values()].some((quotas) => quotas[name] !== null);
  }

  /** Tenants among these that have this quota, with it. */
  limits(name: QuotaName, tenantIds: Iterable<string>): Map<string, number> {
    const limits = new Map<string, number>();
    if (this.#own.size === 0 && this.#defaults[name] === null) return limits;
    for (const tenantId of tenantIds) {
      const limit = this.of(tenantId)[name];
      if (limit !== null) limits.set(tenantId, limit);
    }
    return limits;
  }

  #isLoaded(version: number): boolean {
    return this.#loadedVersion !== null && version <= this.#loadedVersion;
  }

  async #load(version: number): Promise<void> {
    if (this.#isLoaded(version)) return;
    for (const { tenantId, quotas } of await loadChangedQuotas(this.#runner, this.#loadedVersion)) {
      if (Object.values(quotas).every((limit) => limit === null)) this.#own.delete(tenantId);
      else this.#own.set(tenantId, quotasWithDefaults(quotas, this.#defaults));
    }
    this.#loadedVersion = version;
  }
}
