import type { Database } from '../store/database.ts';
import { type FailingWorkflow, findFailingWorkflows, pauseWorkflow } from '../store/failing-workflows.ts';

/** Executions that are remembered until the next review; of a workflow that goes on failing there will be others. */
const mostRemembered = 1_000;

/**
 * Pauses workflows that only fail: of executions that failed their ids are kept, and from time to time it is looked whether that
 * was once too often in a row. Nothing is counted or written for what goes well.
 */
export class FailureReview {
  readonly #database: Database;
  readonly #threshold: number;
  readonly #spanMs: number;
  readonly #failed = new Set<string>();

  /**
   * `threshold`: so many failures in a row are too many, when they go on for `spanMs` at least; 0: never, unless the workflow says
   * otherwise.
   */
  constructor(options: { database: Database; threshold: number; spanMs: number }) {
    this.#database = options.database;
    this.#threshold = options.threshold;
    this.#spanMs = options.spanMs;
  }

  /** These executions failed, or may have. */
  remember(executionIds: readonly string[]): void {
    for (const id of executionIds) if (this.#failed.size < mostRemembered) this.#failed.add(id);
  }

  /** Looks at what failed since the last time; answers the workflows that were paused. */
  async run(): Promise<readonly FailingWorkflow[]> {
    if (this.#failed.size === 0) return [];
    const executionIds = [...this.#failed];
    this.#failed.clear();
    try {
      return await this.#pause(executionIds);
    } catch (error) {
      this.remember(executionIds);
      throw error;
    }
  }

  async #pause(executionIds: readonly string[]): Promise<FailingWorkflow[]> {
    const failing = await findFailingWorkflows(this.#database.pool, {
      executionIds,
      threshold: this.#threshold,
      spanMs: this.#spanMs,
    });
    const paused: FailingWorkflow[] = [];
    for (const workflow of failing) if (await pauseWorkflow(this.#database, workflow)) paused.push(workflow);
    return paused;
  }
}
