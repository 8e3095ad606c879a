import type { Handlers } from '../handlers.ts';
import { WorkflowIndex } from '../match/workflow-index.ts';
import type { Runner } from '../store/connection.ts';
import { type ChangedWorkflow, loadChangedWorkflows, loadWorkflowVersion } from '../store/load-definitions.ts';
import { compileWorkflow, type RunnableWorkflow } from './compile-workflow.ts';

const pageSize = 2_000;
const firstId = '00000000-0000-0000-0000-000000000000';
const lastId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';
/** Versions kept for deliveries and executions that run an older version than the published one. */
const maxOldVersions = 1_000;

/**
 * The published workflows of all tenants, compiled and indexed. Follows the version row that every claim reads: a claim
 * that saw version n is decided with everything up to n loaded, so no decision is stale, in any process.
 */
export class DefinitionCache {
  readonly index = new WorkflowIndex<RunnableWorkflow>();
  readonly #runner: Runner;
  readonly #handlers: Handlers;
  readonly #versions = new Map<string, RunnableWorkflow>();
  #loadedVersion = 0;
  #loading: Promise<void> = Promise.resolve();

  constructor(runner: Runner, handlers: Handlers) {
    this.#runner = runner;
    this.#handlers = handlers;
  }

  /** Loads what changed up to `version`, if it is not there yet. */
  async refresh(version: number): Promise<void> {
    if (version <= this.#loadedVersion) return;
    const loading = this.#loading.catch(() => undefined).then(() => this.#load(version));
    this.#loading = loading;
    await loading;
  }

  /** Forgets everything: a handler was registered, so definitions compile differently. */
  invalidate(): void {
    for (const workflowId of this.index.workflowIds()) this.index.remove(workflowId);
    this.#versions.clear();
    this.#loadedVersion = 0;
  }

  /** One published version, running or not; null when it does not exist. */
  async version(workflowId: string, version: number): Promise<RunnableWorkflow | null> {
    const key = `${workflowId} ${version}`;
    const cached = this.#versions.get(key);
    if (cached) return cached;
    const loaded = await loadWorkflowVersion(this.#runner, { workflowId, version });
    if (!loaded) return null;
    const runnable = compileWorkflow({ workflowId, version, ...loaded }, this.#handlers);
    if (this.#versions.size >= maxOldVersions) this.#versions.delete(this.#versions.keys().next().value as string);
    this.#versions.set(key, runnable);
    return runnable;
  }

  async #load(version: number): Promise<void> {
    if (version <= this.#loadedVersion) return;
    let since = this.#loadedVersion;
    let afterWorkflowId = since === 0 ? firstId : lastId;
    let page: ChangedWorkflow[];
    do {
      page = await loadChangedWorkflows(this.#runner, { since, afterWorkflowId, limit: pageSize });
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
    this.index.remove(workflowId);
    if (version === null || definition === null) return;
    const runnable = compileWorkflow({ workflowId, tenantId, name, version, definition }, this.#handlers);
    this.index.add({
      workflowId,
      tenantId,
      triggers: runnable.triggers,
      condition: runnable.conditions,
      reportFalse: runnable.settings.logSkipped,
      value: runnable,
    });
  }
}
