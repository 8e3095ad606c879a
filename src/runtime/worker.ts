import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { verifyCaptures } from '../capture/verify-captures.ts';
import type { WakeUpListener } from '../capture/wake-up-listener.ts';
import type { Settings } from '../config.ts';
import type { RunnableWorkflow } from '../engine/compile-workflow.ts';
import type { WorkflowEngine } from '../engine/workflow-engine.ts';
import type { RetentionService } from '../service/retention-service.ts';
import type { Database } from '../store/database.ts';
import { forgetOldEndpoints } from '../store/endpoints.ts';
import type { FailingWorkflow } from '../store/failing-workflows.ts';
import {
  type Backlog,
  heartbeat,
  listOtherWorkers,
  readBacklog,
  removeWorker,
  removeWorkers,
} from '../store/health.ts';
import { ensurePartitions, truncateDrainedSegments } from '../store/partitions.ts';
import type { ClaimedDelivery } from '../store/pending-deliveries.ts';
import { readSnapshotHolders } from '../store/snapshot-holders.ts';
import { deleteOldUsage } from '../store/tenant-usage.ts';
import { DatabaseState } from './database-state.ts';
import { Deliverer } from './deliverer.ts';
import { Drain } from './drain.ts';
import type { Logger } from './logger.ts';
import { Loop } from './loop.ts';
import { isProcessAlive, lostWorkers } from './lost-workers.ts';
import type { Metrics } from './metrics.ts';
import { OldTransactions } from './old-transactions.ts';

export type WorkerOptions = {
  readonly database: Database;
  readonly engine: WorkflowEngine;
  readonly retention: RetentionService;
  readonly metrics: Metrics;
  readonly logger: Logger;
  readonly settings: Settings;
  /** Version of the package, shown in the list of workers. */
  readonly version: string;
  /** Makes the listener; `onWake` is called for each NOTIFY and after each reconnect. */
  readonly createListener: (handlers: { onWake: () => void; onLost: (error: Error) => void }) => WakeUpListener;
};

type Lacking = Pick<RunnableWorkflow, 'tenantId' | 'workflowId' | 'version' | 'lacks'>;

const executeAtOnce = 20;
const pollPendingMs = 1_000;
const heartbeatMs = 10_000;
const reviewMs = 1_000;
const leftMs = 60_000;
const segmentsMs = 20_000;
const verifyMs = 60_000;
const transactionsMs = 30_000;
const housekeepingMs = 3_600_000;
const partitionDaysAhead = 3;
/** Health is degraded when the oldest event waits longer than this. */
const tolerableLagSeconds = 60;

/**
 * The long-running process: starts the loops of its stages and stops them in the order of an event's way, so that what was
 * begun is finished and what was not is left to others. Any number of workers share a database.
 */
export class Worker {
  readonly id = randomUUID();
  readonly #options: WorkerOptions;
  readonly #drain: Drain;
  readonly #execute: Loop;
  readonly #deliverer: Deliverer;
  readonly #maintenance: readonly Loop[];
  readonly #heartbeat: Loop;
  readonly #review: Loop;
  readonly #left: Loop;
  readonly #databaseState: DatabaseState;
  readonly #oldTransactions: OldTransactions;
  #listener: WakeUpListener | undefined;
  #isStarted = false;
  /** Workers whose end is being dealt with. */
  readonly #lost = new Set<string>();
  readonly #takenOff = new Set<string>();
  readonly #wakeExecute = (statuses: readonly string[]) => {
    for (const status of statuses) this.#options.metrics.executionWritten(status);
    if (statuses.includes('pending')) this.#execute.wake();
  };
  readonly #reportLoops = (
    looped: readonly { id: string; tenantId: string; workflowId: string; eventId: string }[],
  ) => {
    this.#options.metrics.loopsDetected(looped.length);
    for (const { id: executionId, tenantId, workflowId, eventId } of looped) {
      this.#options.logger.warn({ executionId, tenantId, workflowId, eventId }, 'a loop of workflows was stopped');
    }
  };
  readonly #reportPaused = (paused: readonly FailingWorkflow[]) => {
    this.#options.metrics.workflowsPaused(paused.length);
    for (const { tenantId, workflowId, name, failures, reason } of paused) {
      this.#options.logger.warn(
        { tenantId, workflowId, name, failures, reason },
        'a workflow that only failed was paused: activate it when it is mended',
      );
    }
  };
  /** What has been said to be lacking: not again for each workflow. */
  readonly #lacking = new Set<string>();
  readonly #reportLacking = ({ tenantId, workflowId, version, lacks }: Lacking) => {
    const news = lacks.filter((part) => !this.#lacking.has(part));
    if (news.length === 0) return;
    for (const part of news) this.#lacking.add(part);
    this.#options.logger.warn(
      { tenantId, workflowId, version, lacks: news },
      'this worker cannot run all workflows: what it lacks handlers for is left to workers that have them',
    );
  };
  readonly #wakeDeliver = () => this.#deliverer.wake();
  readonly #deliverLeased = (leased: readonly ClaimedDelivery[]) => this.#deliverer.take(leased);

  constructor(options: WorkerOptions) {
    this.#options = options;
    const { database, engine, retention, settings } = options;
    this.#databaseState = new DatabaseState(options.logger);
    const { oldTransactionMs } = settings.worker;
    this.#oldTransactions = new OldTransactions({ logger: options.logger, olderThanMs: oldTransactionMs });
    const { concurrency, lanes, batchSize, pollMs, useNotify, leaseMs, graceMs, queues } = settings.worker;
    this.#drain = new Drain({ database, processor: engine, lanes, batchSize, pollMs, useNotify });
    this.#execute = new Loop({
      name: 'execute',
      intervalMs: pollPendingMs,
      graceMs,
      runOnce: (signal) => engine.executeDue(executeAtOnce, signal),
    });
    this.#deliverer = new Deliverer({
      concurrency,
      pollMs: Math.min(pollMs, 500),
      leaseMs,
      graceMs,
      work: {
        claim: (limit, held) => engine.claim(limit, queues, held),
        attempt: (claimed, signal) => engine.attempt(claimed, signal),
        record: (records) => engine.record(records),
        renew: (held) => engine.renew(held),
        giveBack: (held) => engine.giveBack(held),
      },
    });
    this.#review = new Loop({ name: 'review', intervalMs: reviewMs, runOnce: () => engine.pauseFailing() });
    this.#left = new Loop({ name: 'left', intervalMs: leftMs, runOnce: () => this.#reviewLeft() });
    this.#heartbeat = new Loop({ name: 'heartbeat', intervalMs: heartbeatMs, runOnce: () => this.#beat() });
    this.#maintenance = [
      new Loop({
        name: 'segments',
        intervalMs: segmentsMs,
        runOnce: async () => {
          await truncateDrainedSegments(database);
          return 0;
        },
      }),
      ...(oldTransactionMs > 0
        ? [
            new Loop({
              name: 'transactions',
              intervalMs: Math.min(transactionsMs, oldTransactionMs),
              runOnce: () => this.#lookForOldTransactions(),
            }),
          ]
        : []),
      new Loop({ name: 'captures', intervalMs: verifyMs, runOnce: () => this.#verifyCaptures() }),
      new Loop({
        name: 'housekeeping',
        intervalMs: housekeepingMs,
        runOnce: async () => {
          await ensurePartitions(database.pool, partitionDaysAhead);
          await forgetOldEndpoints(database.pool);
          await deleteOldUsage(database.pool);
          await retention.prune({ defaultDays: settings.retention.days, eventDays: settings.retention.eventDays });
          return 0;
        },
      }),
    ];
    this.#reportTo(options.logger, options.metrics);
  }

  /** Starts listening, matching, executing and delivering, as far as the worker's stages go. */
  async start(): Promise<void> {
    if (this.#isStarted) return;
    this.#isStarted = true;
    try {
      await this.#startStages();
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  async #startStages(): Promise<void> {
    const { database, engine, logger, settings } = this.#options;
    const { stages, queues, useNotify } = settings.worker;
    await ensurePartitions(database.pool, partitionDaysAhead);
    engine.on('executed', this.#wakeExecute);
    engine.on('planned', this.#wakeDeliver);
    engine.on('leased', this.#deliverLeased);
    engine.on('looped', this.#reportLoops);
    engine.on('paused', this.#reportPaused);
    engine.on('lacking', this.#reportLacking);
    // Before the first event is claimed: whoever finds this worker gone then knows it.
    await this.#beat();
    if (stages.includes('match')) {
      await engine.warmUp();
      if (useNotify) await this.#listen();
      this.#drain.start();
    }
    if (stages.includes('execute')) for (const loop of [this.#execute, this.#left]) loop.start();
    if (stages.includes('deliver')) {
      this.#deliverer.start();
      engine.offerPlaces(() => ({
        free: this.#deliverer.placesForPlanned,
        beside: this.#deliverer.placesBeside,
        ahead: this.#deliverer.tenantsAhead,
        queues,
      }));
    }
    if (stages.includes('maintain')) for (const loop of this.#maintenance) loop.start();
    this.#review.start();
    this.#heartbeat.start();
    logger.info({ worker: this.id, stages, queues }, 'worker started');
  }

  /** Drains: claims nothing more, finishes what is under way, gives the rest back. */
  async stop(): Promise<void> {
    if (!this.#isStarted) return;
    this.#isStarted = false;
    const { database, engine, logger } = this.#options;
    await this.#listener?.stop();
    this.#listener = undefined;
    await this.#drain.stop();
    await this.#execute.stop();
    engine.offerPlaces(null);
    await this.#deliverer.stop();
    await Promise.all([...this.#maintenance, this.#review, this.#left, this.#heartbeat].map((loop) => loop.stop()));
    engine.off('executed', this.#wakeExecute);
    engine.off('planned', this.#wakeDeliver);
    engine.off('leased', this.#deliverLeased);
    engine.off('looped', this.#reportLoops);
    engine.off('paused', this.#reportPaused);
    engine.off('lacking', this.#reportLacking);
    await removeWorker(database.pool, this.id).catch(() => undefined);
    logger.info({ worker: this.id }, 'worker stopped');
  }

  /** Matches, executes and delivers what is there now, in the caller's rhythm; answers whether anything was done. */
  async runOnce(): Promise<boolean> {
    const matched = await this.#drain.runOnce();
    const executed = await this.#execute.runOnce();
    const delivered = await this.#deliverer.runOnce();
    await this.#review.runOnce();
    return matched + executed + delivered > 0;
  }

  /** What waits, over all tenants. */
  backlog(): Promise<Backlog> {
    return readBacklog(this.#options.database.pool, this.#options.settings.quotas);
  }

  /** What `/healthz` answers. */
  async health(): Promise<{ status: 'ok' | 'degraded'; checks: Record<string, string> }> {
    try {
      const backlog = await this.backlog();
      const isLate = backlog.oldestEventSeconds > tolerableLagSeconds;
      const lag = `${backlog.events} events wait, the oldest for ${Math.round(backlog.oldestEventSeconds)} s`;
      const { trouble } = this.#databaseState;
      const status = isLate || trouble !== null ? 'degraded' : 'ok';
      const { complaint } = this.#oldTransactions;
      const vacuum = complaint === null ? {} : { vacuum: complaint };
      return { status, checks: { database: trouble ?? 'answers', lag, ...vacuum } };
    } catch (error) {
      return { status: 'degraded', checks: { database: error instanceof Error ? error.message : String(error) } };
    }
  }

  async #listen(): Promise<void> {
    const { createListener, logger } = this.#options;
    this.#listener = createListener({
      onWake: () => this.#drain.wake(),
      onLost: (error) => {
        if (!this.#databaseState.failed(error))
          logger.warn({ error: error.message }, 'LISTEN was lost and is connected anew');
      },
    });
    await this.#listener.start();
  }

  /** A trigger that was dropped or disabled loses changes without a word: say so within a minute. */
  async #verifyCaptures(): Promise<number> {
    const { database, logger, metrics } = this.#options;
    const verified = await verifyCaptures(database);
    if (!verified.ok) throw verified.error;
    const broken = verified.value.filter(({ problems }) => problems.length > 0);
    metrics.captureProblems(broken.length);
    for (const { table, problems } of broken) {
      logger.warn(
        { table, problems: problems.map(({ message }) => message) },
        'capture is not as installed: tocsin capture install',
      );
    }
    return 0;
  }

  async #lookForOldTransactions(): Promise<number> {
    this.#oldTransactions.saw(await readSnapshotHolders(this.#options.database.pool));
    this.#options.metrics.oldestTransaction(this.#oldTransactions.oldestMs / 1000);
    return 0;
  }

  async #beat(): Promise<number> {
    const { database, settings, version } = this.#options;
    const { stages, queues } = settings.worker;
    await heartbeat(database.pool, { id: this.id, host: hostname(), pid: process.pid, version, stages, queues });
    await this.#lookForLost();
    return 0;
  }

  /** One of the events that a worker had in hand when it ended may be why it did. */
  async #lookForLost(): Promise<void> {
    const { database, logger, settings } = this.#options;
    const listed = await listOtherWorkers(database.pool, { id: this.id, uptimeMs: process.uptime() * 1_000 });
    const takenOff = this.#takenOff;
    const lost = lostWorkers(listed, { host: hostname(), pid: process.pid, isAlive: isProcessAlive, takenOff });
    const matching = lost.filter(({ id, stages }) => stages.includes('match') && !this.#lost.has(id));
    await this.#forget(lost.filter(({ stages }) => !stages.includes('match')).map(({ id }) => id));
    if (matching.length === 0 || !settings.worker.stages.includes('match')) return;
    const ids = matching.map(({ id }) => id);
    for (const id of ids) this.#lost.add(id);
    logger.warn({ workers: ids }, 'a worker ended without a word: the next events are matched with care');
    this.#drain.beCareful(() => this.#forget(ids).catch(() => undefined));
  }

  /** Takes lost workers off the list. Not before their events are dealt with: another worker may have to go carefully too. */
  async #forget(ids: readonly string[]): Promise<void> {
    if (ids.length > 0) await removeWorkers(this.#options.database.pool, ids);
    for (const id of ids) {
      this.#lost.delete(id);
      this.#takenOff.add(id);
    }
  }

  async #reviewLeft(): Promise<number> {
    const moved = await this.#options.engine.reviewLeft();
    if (moved > 0) this.#execute.wake();
    return moved;
  }

  #reportTo(logger: Logger, metrics: Metrics): void {
    const report = (loop: string) => (error: Error) => {
      metrics.loopFailed(loop);
      if (!this.#databaseState.failed(error)) logger.error({ loop, error: error.message }, 'a loop failed and goes on');
    };
    this.#drain.on('failed', report('match'));
    this.#drain.on('drained', (count) => metrics.eventsMatched(count));
    this.#deliverer.on('failed', report('deliver'));
    this.#deliverer.on('recorded', (records) => {
      metrics.attemptsRecorded(records);
      for (const { deliveryId, tenantId, actionType, attempt, outcome, next, reason, durationMs } of records) {
        const fields = { deliveryId, tenantId, actionType, attempt, next, reason, durationMs };
        if (next === 'delivered' || next === 'skipped') logger.debug(fields, next);
        else if (outcome === 'postponed') logger.debug(fields, 'delivery waits');
        else logger.warn(fields, next === 'dead' ? 'delivery given up' : 'delivery will be tried again');
      }
    });
    for (const loop of [this.#execute, this.#review, this.#left, this.#heartbeat, ...this.#maintenance])
      loop.on('failed', report(loop.name));
    this.#heartbeat.on('ran', () => this.#databaseState.wrote());
  }
}
