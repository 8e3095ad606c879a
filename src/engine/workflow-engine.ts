import { EventEmitter } from 'node:events';
import type { ActionHandler } from '../deliver/action.ts';
import type { RecipientResolver } from '../execute/recipient.ts';
import type { RecipientAnswers } from '../execute/resolve-recipients.ts';
import type { Handlers } from '../handlers.ts';
import type { ConditionHandler, ConditionServices } from '../match/condition.ts';
import type { WorkflowEvent } from '../model/event.ts';
import type { ExecutionStatus } from '../model/execution.ts';
import type { Directory, RecipientQuery } from '../model/recipient.ts';
import { type ClaimedEvent, readLargeEvent } from '../store/claim-events.ts';
import { type Connection, landed, type Runner } from '../store/connection.ts';
import type { Database } from '../store/database.ts';
import { finishEvents, giveUpEvent, insertHistoryEvent } from '../store/finish-events.ts';
import { readDefinitionsVersion } from '../store/load-definitions.ts';
import {
  type ClaimedDelivery,
  claimDeliveries,
  renewDeliveryLeases,
  returnDeliveries,
} from '../store/pending-deliveries.ts';
import { type ClaimedExecution, claimExecutions } from '../store/pending-executions.ts';
import { readExecutionOrigins, readStoredEvent } from '../store/read-events.ts';
import {
  type AttemptRecord,
  insertRecordedNotifications,
  recordAttempts,
  recordLostAttempts,
} from '../store/record-attempts.ts';
import { insertDeliveries, insertExecutions } from '../store/write-plan.ts';
import { attemptDelivery, type DeliveryServices, type DeliverySource } from './attempt-delivery.ts';
import { decodeEvent } from './decode-event.ts';
import { DefinitionCache } from './definition-cache.ts';
import type { EventProcessor, PreparedBatch } from './event-processor.ts';
import { executePending } from './execute-pending.ts';
import { type AskDirectory, type Match, type MatchedRows, planMatches } from './match-batch.ts';

/** A directory that can answer a whole batch in one statement: the default one. */
export type BatchDirectory = Directory & {
  readonly findMany: (
    runner: Runner,
    requests: readonly { tenantId: string; query: RecipientQuery }[],
    limitEach: number,
  ) => Promise<RecipientAnswers>;
};

export type WorkflowEngineOptions = {
  readonly database: Database;
  readonly handlers: Handlers;
  readonly directory: Directory | BatchDirectory;
  readonly delivery: DeliveryServices;
  readonly countMatches: ConditionServices['countMatches'];
  /** How long leases last, ms. */
  readonly leaseMs: number;
  /** What one look-up of a condition or resolver may take, ms. */
  readonly lookupTimeoutMs: number;
};

type EngineEvents = {
  /** Executions were written, with these statuses. */
  executed: [statuses: readonly ExecutionStatus[]];
  /** Deliveries wait. */
  planned: [];
};

/** Recipients of a query that are planned in the transaction of the match; more of them wait for the execute stage. */
const inlineLimit = 200;

/**
 * Joins the stages: events become executions (`prepare`), executions become deliveries (`executeDue`), deliveries are
 * attempted (`claim`, `attempt`, `record`). It decides and writes; the loops of `runtime/` drive it.
 */
export class WorkflowEngine extends EventEmitter<EngineEvents> implements EventProcessor {
  readonly handlers: Handlers;
  readonly #options: WorkflowEngineOptions;
  readonly #definitions: DefinitionCache;

  constructor(options: WorkflowEngineOptions) {
    super();
    this.#options = options;
    this.handlers = options.handlers;
    this.#definitions = new DefinitionCache(options.database.pool, options.handlers);
  }

  /** Adds a condition type. Register the same handlers in every process that saves or runs workflows. */
  registerConditionHandler(handler: ConditionHandler): void {
    this.handlers.conditions.register(handler);
    this.#definitions.invalidate();
  }

  /** Adds an action type. */
  registerActionHandler(handler: ActionHandler): void {
    this.handlers.actions.register(handler);
    this.#definitions.invalidate();
  }

  /** Adds a recipient type. */
  registerRecipientResolver(resolver: RecipientResolver): void {
    this.handlers.recipients.register(resolver);
    this.#definitions.invalidate();
  }

  /** Loads the definitions that are published now, so that the first event does not wait for it. */
  async warmUp(): Promise<void> {
    await this.#definitions.refresh(await readDefinitionsVersion(this.#options.database.pool));
  }

  /** Matches claimed events with all workflows published up to `definitionsVersion`. */
  async prepare(
    connection: Connection,
    claimed: readonly ClaimedEvent[],
    definitionsVersion: number,
  ): Promise<PreparedBatch> {
    await this.#definitions.refresh(definitionsVersion);
    const finished: string[] = [];
    const homeless: ClaimedEvent[] = [];
    const matches: Match[] = [];
    for (const row of claimed) {
      if (row.tenantId === '') {
        homeless.push(row);
        continue;
      }
      finished.push(row.position);
      const whole = row.isLarge ? { ...row, ...(await readLargeEvent(connection, row.position)) } : row;
      this.#match(decodeEvent(whole), matches);
    }
    const rows = await planMatches(matches, this.#askDirectory(connection));
    return {
      write: (runner) => [
        finishEvents(runner, finished),
        ...homeless.map(({ position, attempts }) =>
          giveUpEvent(runner, { position, failure: 'tenant_missing', attempts }),
        ),
        ...writeRows(runner, rows),
      ],
      committed: () => this.#announce(rows),
    };
  }

  /**
   * Runs the workflows of one event that is not in the outbox, in a transaction of its own. The same event a second time
   * is refused by its id.
   *
   * @returns ids and statuses of the executions
   */
  async processEvent(
    event: WorkflowEvent,
  ): Promise<readonly { id: string; workflowId: string; status: ExecutionStatus }[]> {
    const { database } = this.#options;
    const rows = await database.transaction(async (_tx, client) => {
      await this.#definitions.refresh(await readDefinitionsVersion(client));
      await insertHistoryEvent(client, event);
      const matches: Match[] = [];
      this.#match(event, matches);
      const planned = await planMatches(matches, this.#askDirectory(client));
      await landed(writeRows(client, planned));
      return planned;
    });
    this.#announce(rows);
    return rows.executions.map(({ id, workflowId, status }) => ({ id, workflowId, status }));
  }

  /** Decides and plans executions that wait for look-ups; answers how many it took. */
  async executeDue(limit: number, signal: AbortSignal): Promise<number> {
    const { database, leaseMs } = this.#options;
    const claimed = await claimExecutions(database.pool, { limit, leaseMs });
    const statuses = await Promise.all(claimed.map((execution) => this.#execute(execution, signal)));
    const written = statuses.filter((status) => status !== 'postponed' && status !== 'lost');
    if (written.length > 0) this.emit('executed', written);
    if (written.includes('running')) this.emit('planned');
    return claimed.length;
  }

  /** Leases due deliveries of the action types known here. */
  async claim(limit: number, queues: readonly string[] | null): Promise<readonly ClaimedDelivery[]> {
    const { database, leaseMs } = this.#options;
    const claimed = await claimDeliveries(database.pool, {
      limit,
      leaseMs,
      queues,
      actionTypes: this.handlers.actions.types(),
    });
    const lost = claimed.filter((delivery) => delivery.takenOver);
    await recordLostAttempts(
      database.pool,
      lost.map(({ id, tenantId, attempts }) => ({ deliveryId: id, tenantId, attempt: attempts - 1 })),
    );
    return claimed;
  }

  /** Starts one attempt of each; the promises do not reject. */
  async attempt(claimed: readonly ClaimedDelivery[], signal: AbortSignal): Promise<readonly Promise<AttemptRecord>[]> {
    const sources = await this.#sourcesOf(claimed);
    return claimed.map((delivery) =>
      attemptDelivery({
        claimed: delivery,
        source: sources.get(delivery.executionId) ?? { event: null, workflow: null },
        services: this.#options.delivery,
        signal,
      }),
    );
  }

  /** Records attempts and moves their deliveries and executions on. */
  async record(records: readonly AttemptRecord[]): Promise<void> {
    const { database } = this.#options;
    const notifications = records.flatMap(({ notification }) => notification ?? []);
    if (notifications.length === 0) {
      await recordAttempts(database.pool, records);
      return;
    }
    await database.transaction(async (_tx, client) => {
      await recordAttempts(client, records);
      await insertRecordedNotifications(client, notifications);
    });
  }

  async renew(held: readonly ClaimedDelivery[]): Promise<void> {
    const { database, leaseMs } = this.#options;
    await renewDeliveryLeases(database.pool, { ...leasesOf(held), leaseMs });
  }

  async giveBack(held: readonly ClaimedDelivery[]): Promise<void> {
    await returnDeliveries(this.#options.database.pool, leasesOf(held));
  }

  #match(event: WorkflowEvent, matches: Match[]): void {
    for (const { value, verdict } of this.#definitions.index.match(event, event.occurredAt)) {
      matches.push({ event, workflow: value, verdict });
    }
  }

  #askDirectory(runner: Runner): AskDirectory | null {
    const { directory } = this.#options;
    return 'findMany' in directory ? (requests) => directory.findMany(runner, requests, inlineLimit) : null;
  }

  #announce(rows: MatchedRows): void {
    if (rows.executions.length > 0) {
      this.emit(
        'executed',
        rows.executions.map(({ status }) => status),
      );
    }
    if (rows.deliveries.some(({ status }) => status === 'pending')) this.emit('planned');
  }

  async #execute(claimed: ClaimedExecution, signal: AbortSignal): Promise<ExecutionStatus | 'postponed' | 'lost'> {
    const { database, directory, countMatches, leaseMs, lookupTimeoutMs } = this.#options;
    const stored = await readStoredEvent(database.pool, claimed.eventId);
    const workflow = await this.#definitions.version(claimed.workflowId, claimed.workflowVersion);
    return executePending(
      claimed,
      { event: stored ? decodeEvent(stored) : null, workflow },
      {
        database,
        directory,
        conditionServices: (until) => ({
          rolesOf: async (tenantId, userId) => (await directory.rolesOf(tenantId, [userId])).get(userId) ?? [],
          countMatches,
          signal: until,
        }),
        leaseMs,
        lookupTimeoutMs,
        signal,
      },
    );
  }

  /** The event and workflow of each execution that these deliveries are of, each read once. */
  async #sourcesOf(claimed: readonly ClaimedDelivery[]): Promise<Map<string, DeliverySource>> {
    const { pool } = this.#options.database;
    const origins = await readExecutionOrigins(pool, [...new Set(claimed.map(({ executionId }) => executionId))]);
    const sources = new Map<string, DeliverySource>();
    await Promise.all(
      [...origins].map(async ([executionId, origin]) => {
        const [stored, workflow] = await Promise.all([
          readStoredEvent(pool, origin.eventId),
          this.#definitions.version(origin.workflowId, origin.workflowVersion),
        ]);
        sources.set(executionId, { event: stored ? decodeEvent(stored) : null, workflow });
      }),
    );
    return sources;
  }
}

function writeRows(runner: Runner, rows: MatchedRows): Promise<unknown>[] {
  return [insertExecutions(runner, rows.executions), insertDeliveries(runner, rows.deliveries, rows.notifications)];
}

function leasesOf(held: readonly ClaimedDelivery[]): { ids: string[]; leaseTokens: string[] } {
  return { ids: held.map(({ id }) => id), leaseTokens: held.map(({ leaseToken }) => leaseToken) };
}
