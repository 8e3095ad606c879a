import { EventEmitter } from 'node:events';
import type { ActionHandler } from '../deliver/action.ts';
import type { RecipientResolver } from '../execute/recipient.ts';
import type { RecipientAnswers } from '../execute/resolve-recipients.ts';
import type { Handlers } from '../handlers.ts';
import type { ConditionHandler, ConditionServices } from '../match/condition.ts';
import { type CausationLimits, defaultCausationLimits, loopOf } from '../model/causation.ts';
import type { WorkflowEvent } from '../model/event.ts';
import type { ExecutionStatus } from '../model/execution.ts';
import { executionPlace } from '../model/ordering.ts';
import { type Quotas, unlimited } from '../model/quota.ts';
import type { Directory, RecipientQuery } from '../model/recipient.ts';
import { type ClaimedEvent, readLargeEvent } from '../store/claim-events.ts';
import type { Connection, Runner } from '../store/connection.ts';
import type { Database } from '../store/database.ts';
import {
  type RulesQuestion,
  readDeliveryRules,
  readInboxRules,
  tenantsWithMutedInboxes,
} from '../store/delivery-rules.ts';
import { letEventsWait } from '../store/event-order.ts';
import type { FailingWorkflow } from '../store/failing-workflows.ts';
import { finishEvents, giveUpEvent, insertHistoryEvent } from '../store/finish-events.ts';
import { withFixedPlans } from '../store/fixed-plans.ts';
import { leasePlannedDeliveries } from '../store/lease-planned-deliveries.ts';
import { readDefinitionsVersion } from '../store/load-definitions.ts';
import { parkBehindOthers } from '../store/ordered-lines.ts';
import { type ClaimedDelivery, postponeDeliveries } from '../store/pending-deliveries.ts';
import type { ClaimedExecution } from '../store/pending-executions.ts';
import { type PlanningSource, readPlanningSources } from '../store/read-events.ts';
import { type AttemptRecord, insertRecordedNotifications, recordAttempts } from '../store/record-attempts.ts';
import { insertBounces } from '../store/suppressions.ts';
import { addUsage } from '../store/tenant-usage.ts';
import { type NewExecution, writePlans } from '../store/write-plan.ts';
import { admitEvents, countsWithout } from './admit-events.ts';
import { attemptDelivery, type DeliverySource } from './attempt-delivery.ts';
import { readRulesOf, readSourcesOf } from './claimed-deliveries.ts';
import type { RunnableWorkflow } from './compile-workflow.ts';
import { decodeEvent } from './decode-event.ts';
import { DefinitionCache } from './definition-cache.ts';
import type { DeliveryServices } from './deliver-externally.ts';
import type { EventProcessor, PreparedBatch } from './event-processor.ts';
import { executePending } from './execute-pending.ts';
import { FailureReview } from './failure-review.ts';
import { holdBack, OrderIndex, turnDelayMs } from './keep-order.ts';
import { LeasedWork } from './leased-work.ts';
import { type BatchLookups, type Match, type MatchedRows, planMatches } from './match-batch.ts';
import { type Places, PlannedLeases } from './planned-leases.ts';
import { QuotaBook } from './quota-book.ts';

const noSource: DeliverySource = { event: null, workflow: null };

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
  /** Quotas of tenants that have none of their own; default none. */
  readonly quotas?: Quotas;
  /** Length of the minute that quotas count in, ms; tests shorten it. */
  readonly usageWindowMs?: number;
  /** So many executions of a workflow that fail in a row through its own fault pause it; default 0: never. */
  readonly pauseAfterFailures?: number;
  /** And when they go on for this long, ms; default 0. */
  readonly pauseAfterMs?: number;
  /** When events that come of workflows' own effects start no more of them; default `defaultCausationLimits`. */
  readonly causationLimits?: CausationLimits;
};

type EngineEvents = {
  /** Executions were written, with these statuses. */
  executed: [statuses: readonly ExecutionStatus[]];
  /** Deliveries wait. */
  planned: [];
  /** Deliveries were leased as they were planned: their first attempts are to begin now. */
  leased: [deliveries: readonly ClaimedDelivery[]];
  /** Workflows were set inactive because they only fail. */
  paused: [workflows: readonly FailingWorkflow[]];
  /** A version was met that this worker lacks handlers for. */
  lacking: [workflow: RunnableWorkflow];
  /** Executions that were stopped as loops. */
  looped: [executions: readonly Pick<NewExecution, 'id' | 'tenantId' | 'workflowId' | 'eventId'>[]];
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
  readonly #failures: FailureReview;
  readonly #quotas: QuotaBook;
  readonly #usageWindowMs: number;
  readonly #leased: LeasedWork;
  readonly #planned: PlannedLeases;
  readonly #orderIndex: OrderIndex;

  constructor(options: WorkflowEngineOptions) {
    super();
    const { database, leaseMs, quotas = unlimited, usageWindowMs = 60_000 } = options;
    this.#quotas = new QuotaBook(database.pool, quotas);
    this.#usageWindowMs = usageWindowMs;
    this.#options = options;
    this.#orderIndex = new OrderIndex(database.pool);
    this.handlers = options.handlers;
    this.#planned = new PlannedLeases({
      quotas: this.#quotas,
      actionTypes: () => this.handlers.actions.types(),
      stillInLine: (queues) => this.#leased.stillInLine(queues),
    });
    this.#failures = new FailureReview({
      database: options.database,
      threshold: options.pauseAfterFailures ?? 0,
      spanMs: options.pauseAfterMs ?? 0,
    });
    this.#definitions = new DefinitionCache(database.pool, options.handlers, {
      onLacking: (workflow) => this.emit('lacking', workflow),
    });
    this.#leased = new LeasedWork({
      database,
      quotas: this.#quotas,
      leaseMs,
      usageWindowMs,
      definitions: this.#definitions,
    });
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
    await this.#definitions.warmUp(await readDefinitionsVersion(this.#options.database.pool));
  }

  /** Matches claimed events with all workflows published up to `definitionsVersion`. */
  async prepare(
    connection: Connection,
    claimed: readonly ClaimedEvent[],
    definitionsVersion: number,
  ): Promise<PreparedBatch> {
    await Promise.all([
      this.#definitions.refresh(definitionsVersion, claimed),
      this.#quotas.refresh(definitionsVersion),
    ]);
    const windowMs = this.#usageWindowMs;
    const { admitted, waiting, tooLarge, counts } = await admitEvents(connection, claimed, {
      quotas: this.#quotas,
      windowMs,
    });
    const finished: string[] = [];
    const givenUp = [...tooLarge];
    const matches: Match[] = [];
    for (const row of admitted) {
      if (row.tenantId === '') {
        givenUp.push({ position: row.position, failure: 'tenant_missing', attempts: row.attempts });
        continue;
      }
      finished.push(row.position);
      const whole = row.isLarge ? { ...row, ...(await readLargeEvent(connection, row.position)) } : row;
      this.#match(decodeEvent(whole), { position: row.position, matches });
    }
    const ordered = new Set(matches.flatMap(({ place }) => place?.position ?? []));
    const held = await holdBack(connection, { claimed: admitted, ordered, orderIndex: this.#orderIndex });
    const heldIds = new Set(
      held.size === 0 ? [] : admitted.filter((row) => held.has(row.position)).map(({ id }) => id),
    );
    const due = held.size === 0 ? matches : matches.filter(({ event }) => !heldIds.has(event.id));
    const planned = await planMatches(due, this.#lookups(connection));
    const rows = { ...planned, deliveries: await parkBehindOthers(connection, planned.deliveries) };
    const first = this.#planned.pick(rows.deliveries);
    let leased: readonly ClaimedDelivery[] = [];
    return {
      write: (runner) => [
        finishEvents(
          runner,
          finished.filter((position) => !held.has(position)),
        ),
        letEventsWait(runner, { positions: [...held], delayMs: turnDelayMs }),
        ...givenUp.map((event) => giveUpEvent(runner, event)),
        addUsage(runner, { kind: 'events', counts: countsWithout(counts, admitted, held), windowMs }),
        writePlans(runner, { ...rows, deliveries: rows.deliveries.filter((row) => !first.includes(row)) }),
        leasePlannedDeliveries(runner, { rows: first, leaseMs: this.#options.leaseMs }).then((claimed) => {
          leased = claimed;
        }),
      ],
      committed: () => {
        this.#planned.remember(leased, due);
        if (leased.length > 0) this.emit('leased', leased);
        this.#announce(rows, first.length);
      },
      waiting,
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
      await this.#definitions.refresh(await readDefinitionsVersion(client), [event]);
      await insertHistoryEvent(client, event);
      const matches: Match[] = [];
      this.#match(event, { position: null, matches });
      const planned = await planMatches(matches, this.#lookups(client));
      await writePlans(client, planned);
      return planned;
    });
    this.#announce(rows);
    return rows.executions.map(({ id, workflowId, status }) => ({ id, workflowId, status }));
  }

  /** Decides and plans executions that wait for look-ups; answers how many it took. */
  async executeDue(limit: number, signal: AbortSignal): Promise<number> {
    const claimed = await this.#leased.claimExecutions(limit);
    const executions = await readPlanningSources(this.#options.database.pool, claimed);
    const statuses = await Promise.all(executions.map((execution) => this.#execute(execution, signal)));
    const written = statuses.filter((status) => status !== 'postponed' && status !== 'lost');
    if (written.length > 0) this.emit('executed', written);
    this.#failures.remember(claimed.filter((_execution, index) => statuses[index] === 'failed').map(({ id }) => id));
    if (written.includes('running')) this.emit('planned');
    return claimed.length;
  }

  /** Looks after executions that were left for want of handlers: wakes those that this worker can run; answers how many. */
  async reviewLeft(): Promise<number> {
    return this.#leased.reviewLeft();
  }

  /** Leases due deliveries of the action types known here. `held` are those that this process has already. */
  async claim(
    limit: number,
    queues: readonly string[] | null,
    held: readonly ClaimedDelivery[] = [],
  ): Promise<readonly ClaimedDelivery[]> {
    return this.#leased.claimDeliveries({ limit, queues, held, actionTypes: this.handlers.actions.types() });
  }

  /** Asks from now on how many deliveries may be leased as they are planned; null: none. They are told of by `leased`. */
  offerPlaces(places: (() => Places) | null): void {
    this.#planned.offer(places);
  }

  /** Looks up what one attempt of each needs; what begins it answers a promise that does not reject. */
  async attempt(
    claimed: readonly ClaimedDelivery[],
    signal: AbortSignal,
  ): Promise<readonly (() => Promise<AttemptRecord>)[]> {
    const { database, delivery: services } = this.#options;
    const unread = claimed.filter((delivery) => this.#planned.sourceOf(delivery) === undefined);
    const [sources, rules] = await Promise.all([
      readSourcesOf(database.pool, unread, this.#definitions),
      readRulesOf(database.pool, claimed),
    ]);
    const readyAt = performance.now();
    const readRules = (question: RulesQuestion) => readDeliveryRules(database.pool, question);
    return claimed.map((delivery) => {
      const source = this.#planned.sourceOf(delivery) ?? sources.get(delivery.executionId) ?? noSource;
      return () => {
        const nowMs = delivery.nowMs + performance.now() - readyAt;
        return attemptDelivery({ claimed: { ...delivery, nowMs }, source, services, rules, readRules, signal });
      };
    });
  }

  /** Records attempts and moves their deliveries and executions on. */
  async record(all: readonly AttemptRecord[]): Promise<void> {
    const { database } = this.#options;
    const postponed = all.filter(({ outcome }) => outcome === 'postponed');
    await postponeDeliveries(database.pool, postponed);
    await this.#leased.uncount(postponed);
    const records = all.filter(({ outcome }) => outcome !== 'postponed');
    this.#failures.remember(records.filter(({ next }) => next === 'dead').map(({ executionId }) => executionId));
    const notifications = records.flatMap(({ notification }) => notification ?? []);
    const bounces = records.flatMap((record) => record.bounces);
    if (records.length === 0) return;
    await withFixedPlans(database, async (runner) => {
      await recordAttempts(runner, records);
      if (notifications.length > 0) await insertRecordedNotifications(runner, notifications);
      if (bounces.length > 0) await insertBounces(runner, bounces);
    });
  }

  /** Pauses workflows that fail too often in a row; answers how many. */
  async pauseFailing(): Promise<number> {
    const paused = await this.#failures.run();
    if (paused.length > 0) this.emit('paused', paused);
    return paused.length;
  }

  async renew(held: readonly ClaimedDelivery[]): Promise<void> {
    await this.#leased.renew(held);
  }

  async giveBack(held: readonly ClaimedDelivery[]): Promise<void> {
    await this.#leased.giveBack(held);
  }

  #match(event: WorkflowEvent, { position, matches }: { position: string | null; matches: Match[] }): void {
    const limits = this.#options.causationLimits ?? defaultCausationLimits;
    const { maxRecipients: recipientQuota } = this.#quotas.of(event.tenantId);
    for (const { value, verdict } of this.#definitions.match(event)) {
      const starts = verdict === true || verdict === 'deferred';
      const loop = starts ? loopOf(event.causation, value.workflowId, limits) : null;
      const place = starts && value.isOrdered ? executionPlace(event, position, value.workflowId) : null;
      matches.push({ event, workflow: value, verdict, loop, place, recipientQuota });
    }
  }

  #lookups(runner: Runner): BatchLookups | null {
    const { directory } = this.#options;
    if (!('findMany' in directory)) return null;
    return {
      askDirectory: (requests) => directory.findMany(runner, requests, inlineLimit),
      tenantsWithMutedInboxes: (tenantIds) => tenantsWithMutedInboxes(runner, tenantIds),
      readInboxRules: (people) => readInboxRules(runner, people),
    };
  }

  /** `leased` of the deliveries are told of by themselves. */
  #announce(rows: MatchedRows, leased = 0): void {
    if (rows.executions.length > 0) {
      this.emit(
        'executed',
        rows.executions.map(({ status }) => status),
      );
    }
    if (rows.deliveries.filter(({ status }) => status === 'pending').length > leased) this.emit('planned');
    this.#failures.remember(rows.executions.filter(({ status }) => status === 'failed').map(({ id }) => id));
    const looped = rows.executions.filter(({ reason }) => reason === 'loop_detected');
    if (looped.length > 0) this.emit('looped', looped);
  }

  async #execute(
    claimed: ClaimedExecution & PlanningSource,
    signal: AbortSignal,
  ): Promise<ExecutionStatus | 'postponed' | 'lost'> {
    const { database, directory, countMatches, leaseMs, lookupTimeoutMs } = this.#options;
    const workflow = await this.#definitions.version(claimed.workflowId, claimed.workflowVersion);
    return executePending(
      claimed,
      { event: claimed.event && decodeEvent(claimed.event), workflow, hasDeliveries: claimed.hasDeliveries },
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
        recipientQuota: this.#quotas.of(claimed.tenantId).maxRecipients,
        signal,
      },
    );
  }
}
