import type { Handlers } from '../handlers.ts';
import { type Match, WorkflowIndex } from '../match/workflow-index.ts';
import type { WorkflowEvent } from '../model/event.ts';
import type { PublishedWorkflow } from '../model/workflow.ts';
import type { Runner } from '../store/connection.ts';
import { versionKey } from '../store/left-executions.ts';
import {
  type ChangedWorkflow,
  loadChangedWorkflows,
  loadRunningWorkflows,
  loadWorkflowVersion,
} from '../store/load-definitions.ts';
import { compileWorkflow, type RunnableWorkflow } from './compile-workflow.ts';

/** Compiling so many holds up the process for some ten milliseconds. */
const pageSize = 500;
/** So many are loaded when a worker starts: where there are more, the others are when an event of their tenant comes. */
const loadedAtStart = 2_000;
const lastId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
/** Before every workflow. */
const start = { tenantId: '', name: '' };
/** Versions kept for deliveries and executions that run an older version than the published one. */
const maxOldVersions = 1_000;
/** Versions remembered as left to others; of the rest each execution is claimed and given back. */
const maxLeft = 10_000;
/** Compiled, so many are about 1.4 GB. */
const mostKept = 100_000;
/** A batch relies on its tenants while it is under way, which is never for so long, ms. */
const usedForMs = 60_000;
/** Room is made so seldom, ms, and for so large a part of what may be kept at once: it takes a look at every tenant. */
const makeRoomEveryMs = 10_000;
const roomShare = 1 / 10;

export type DefinitionCacheOptions = {
  /** Told of each version that this worker cannot run, when it first meets it. */
  readonly onLacking: (workflow: RunnableWorkflow) => void;
  /** Workflows and tenants that are kept; of more, those are forgotten whose tenants have had no event for longest. Default 100,000. */
  readonly mostKept?: number;
  /** Time of this process, ms; default `performance.now`. */
  readonly now?: () => number;
};

/** What is here of a tenant. */
type KeptTenant = {
  readonly workflowIds: Set<string>;
  /** Every running workflow of it is here. */
  isLoaded: boolean;
  /** When an event of it came last. */
  usedAtMs: number;
};

/**
 * The published workflows of the tenants whose events came, compiled and indexed. Follows the version row that every claim
 * reads: a claim that saw version n is decided with everything up to n loaded, so no decision is stale, in any process.
 */
export class DefinitionCache {
  readonly #index = new WorkflowIndex<RunnableWorkflow>();
  readonly #runner: Runner;
  readonly #handlers: Handlers;
  readonly #options: Required<DefinitionCacheOptions>;
  readonly #versions = new Map<string, RunnableWorkflow>();
  readonly #left = new Set<string>();
  readonly #tenants = new Map<string, KeptTenant>();
  /** Tenants and their workflows, as `mostKept` counts them. */
  #kept = 0;
  #nextRoomAtMs = 0;
  /** Every workflow of every tenant is here: whose events come is not noted. */
  #isWhole = false;
  /** How often everything was forgotten. */
  #generation = 0;
  /** Null until something is loaded. */
  #loadedVersion: number | null = null;
  #loading: Promise<void> = Promise.resolve();

  constructor(runner: Runner, handlers: Handlers, options: DefinitionCacheOptions) {
    this.#runner = runner;
    this.#handlers = handlers;
    this.#options = { mostKept, now: () => performance.now(), ...options };
  }

  /** Versions that are left to workers with other handlers, as `versionKey` writes them. */
  get left(): readonly string[] {
    return [...this.#left];
  }

  /** Loads what is published, or the first of it where that is much, so that the first events do not wait for it. */
  async warmUp(version: number): Promise<void> {
    await this.#inTurn(async () => {
      this.#loadedVersion ??= version;
      const generation = this.#generation;
      const first = await loadRunningWorkflows(this.#runner, { tenantIds: null, after: start, limit: loadedAtStart });
      if (generation !== this.#generation) return;
      for (const published of first) this.#add(published);
      this.#isWhole = first.length < loadedAtStart;
    });
  }

  /** Loads what is published up to `version` for the tenants of these events, as far as it is not there yet. */
  async refresh(version: number, events: readonly Pick<WorkflowEvent, 'tenantId'>[]): Promise<void> {
    if (this.#has(version, events)) return;
    const tenantIds = [...new Set(events.map(({ tenantId }) => tenantId))];
    await this.#inTurn(async () => {
      // Again when everything was forgotten meanwhile.
      while (!this.#has(version, events)) await this.#load(version, tenantIds);
      this.#makeRoom();
    });
  }

  /** Workflows the event concerns, as `WorkflowIndex.match` reports them. What it needs is to be loaded. */
  match(event: WorkflowEvent): readonly Match<RunnableWorkflow>[] {
    // A handler was registered in between, or just now not everything is kept any more: it is tried again, not matched with nothing.
    if (!this.#isLoaded(event.tenantId)) throw new Error(`the workflows of tenant "${event.tenantId}" are not loaded`);
    const matches = this.#index.match(event, event.occurredAt);
    for (const { value } of matches) this.#meet(value);
    return matches;
  }

  /** Ids of the workflows that are loaded. */
  workflowIds(): readonly string[] {
    return this.#index.workflowIds();
  }

  /** Forgets everything: a handler was registered, so definitions compile differently. */
  invalidate(): void {
    for (const workflowId of this.#index.workflowIds()) this.#index.remove(workflowId);
    this.#versions.clear();
    this.#left.clear();
    this.#tenants.clear();
    this.#kept = 0;
    this.#isWhole = false;
    this.#loadedVersion = null;
    this.#generation += 1;
  }

  /** One published version, running or not; null when it does not exist. */
  async version(workflowId: string, version: number): Promise<RunnableWorkflow | null> {
    const running = this.#index.get(workflowId);
    if (running?.version === version) {
      this.#meet(running);
      return running;
    }
    const key = versionKey(workflowId, version);
    const cached = this.#versions.get(key);
    if (cached) return cached;
    const loaded = await loadWorkflowVersion(this.#runner, { workflowId, version });
    if (!loaded) return null;
    const runnable = compileWorkflow({ workflowId, version, ...loaded }, this.#handlers);
    this.#meet(runnable);
    if (this.#versions.size >= maxOldVersions) this.#versions.delete(this.#versions.keys().next().value as string);
    this.#versions.set(key, runnable);
    return runnable;
  }

  async #inTurn(load: () => Promise<void>): Promise<void> {
    const loading = this.#loading.catch(() => undefined).then(load);
    this.#loading = loading;
    await loading;
  }

  #has(version: number, events: readonly Pick<WorkflowEvent, 'tenantId'>[]): boolean {
    if (this.#loadedVersion === null || version > this.#loadedVersion) return false;
    if (this.#isWhole) return true;
    const now = this.#options.now();
    return events.every(({ tenantId }) => {
      const tenant = this.#tenants.get(tenantId);
      if (tenant === undefined || !tenant.isLoaded) return false;
      tenant.usedAtMs = now;
      return true;
    });
  }

  #isLoaded(tenantId: string): boolean {
    return this.#isWhole || this.#tenants.get(tenantId)?.isLoaded === true;
  }

  async #load(version: number, tenantIds: readonly string[]): Promise<void> {
    // Nothing was loaded that could have changed, and what will be is as it is now.
    this.#loadedVersion ??= version;
    const generation = this.#generation;
    const missing = tenantIds.filter((tenantId) => !this.#isLoaded(tenantId));
    const pages = missing.length > 0 ? await this.#loadTenants(missing) : 0;
    if (generation !== this.#generation) return;
    // A change of theirs that is loaded now is to be taken.
    for (const tenantId of missing) this.#tenantOf(tenantId).isLoaded = true;
    // A workflow that was renamed from one page to another while both were read would be in none.
    if (version <= this.#loadedVersion && pages <= 1) return;
    try {
      await this.#loadChanges(this.#loadedVersion, version);
    } catch (error) {
      for (const tenantId of missing) this.#tenantOf(tenantId).isLoaded = false;
      throw error;
    }
  }

  /** @returns how many pages there were */
  async #loadTenants(tenantIds: readonly string[]): Promise<number> {
    let page: readonly PublishedWorkflow[] = [];
    let pages = 0;
    const generation = this.#generation;
    do {
      page = await loadRunningWorkflows(this.#runner, { tenantIds, after: page.at(-1) ?? start, limit: pageSize });
      if (generation !== this.#generation) return pages;
      for (const published of page) this.#add(published);
      pages += 1;
    } while (page.length === pageSize);
    return pages;
  }

  async #loadChanges(loadedVersion: number, version: number): Promise<void> {
    const generation = this.#generation;
    let since = loadedVersion;
    let afterWorkflowId = lastId;
    let page: ChangedWorkflow[];
    do {
      page = await loadChangedWorkflows(this.#runner, { since, afterWorkflowId, limit: pageSize });
      if (generation !== this.#generation) return;
      for (const changed of page) this.#apply(changed);
      const last = page.at(-1);
      if (last) {
        since = last.changedAtVersion;
        afterWorkflowId = last.workflowId;
      }
    } while (page.length === pageSize);
    this.#loadedVersion = Math.max(version, since);
  }

  #apply(changed: ChangedWorkflow): void {
    const { workflowId, tenantId, name, version, definition } = changed;
    const runs = version !== null && definition !== null && this.#isLoaded(tenantId);
    if (runs) {
      this.#add({ workflowId, tenantId, name, version, definition });
      return;
    }
    this.#index.remove(workflowId);
    if (this.#tenants.get(tenantId)?.workflowIds.delete(workflowId)) this.#kept -= 1;
  }

  #add(published: PublishedWorkflow): void {
    const { workflowId, tenantId } = published;
    const runnable = compileWorkflow(published, this.#handlers);
    this.#index.add({
      workflowId,
      tenantId,
      triggers: runnable.triggers,
      condition: runnable.conditions,
      reportFalse: runnable.settings.logSkipped,
      value: runnable,
    });
    const { workflowIds } = this.#tenantOf(tenantId);
    if (!workflowIds.has(workflowId)) this.#kept += 1;
    workflowIds.add(workflowId);
  }

  #tenantOf(tenantId: string): KeptTenant {
    const known = this.#tenants.get(tenantId);
    if (known) return known;
    const tenant: KeptTenant = { workflowIds: new Set(), isLoaded: false, usedAtMs: this.#options.now() };
    this.#tenants.set(tenantId, tenant);
    this.#kept += 1;
    return tenant;
  }

  /** Forgets the tenants without an event for longest, when more is kept than may be. They are loaded anew with their next one. */
  #makeRoom(): void {
    const now = this.#options.now();
    if (this.#kept <= this.#options.mostKept || now < this.#nextRoomAtMs) return;
    this.#nextRoomAtMs = now + makeRoomEveryMs;
    if (this.#isWhole) this.#noteUseFrom(now);
    const idle = [...this.#tenants].filter(([, { usedAtMs }]) => now - usedAtMs > usedForMs);
    idle.sort(([, one], [, other]) => one.usedAtMs - other.usedAtMs);
    for (const [tenantId, { workflowIds }] of idle) {
      if (this.#kept <= this.#options.mostKept * (1 - roomShare)) return;
      for (const workflowId of workflowIds) this.#index.remove(workflowId);
      this.#tenants.delete(tenantId);
      this.#kept -= 1 + workflowIds.size;
    }
  }

  /** Not everything can be kept any more. Which tenants had events lately is not known: all of them may have. */
  #noteUseFrom(now: number): void {
    this.#isWhole = false;
    for (const tenant of this.#tenants.values()) {
      tenant.isLoaded = true;
      tenant.usedAtMs = now;
    }
  }

  /** A version that is about to run here, unless something is lacking for it. */
  #meet(runnable: RunnableWorkflow): void {
    if (runnable.lacks.length === 0 || this.#left.size >= maxLeft) return;
    const key = versionKey(runnable.workflowId, runnable.version);
    if (this.#left.has(key)) return;
    this.#left.add(key);
    this.#options.onLacking(runnable);
  }
}
