import { z } from 'zod';
import { type Clock, systemClock } from '../clock.ts';
import { invalid, WorkflowError } from '../errors.ts';
import { type DeadLetter, type DeadLetterDetail, deadLetter } from '../log/dead-letter.ts';
import { attemptLogs, executionLog, loggedEvent } from '../log/execution-log.ts';
import { type Page, pageOf } from '../model/page.ts';
import { parseInput } from '../model/parse-input.ts';
import { err, ok } from '../model/result.ts';
import { isStorableText, unstorable } from '../model/storable-text.ts';
import { boundedRead } from '../store/bounded-read.ts';
import { type Database, inTransaction, type Orm, type Transaction } from '../store/database.ts';
import {
  type DeadLetterSelection,
  deadLetterKinds,
  listDeadLetters,
  listExpiredDeadLetters,
  readNow,
  redriveDeliveries,
  redriveEvents,
  redriveExecutions,
} from '../store/dead-letters.ts';
import { readDelivery, readExecution } from '../store/execution-logs.ts';
import { readTenantEvent } from '../store/read-events.ts';
import { withTenant } from '../store/with-tenant.ts';
import type { Answer, WriteOptions } from './answer.ts';
import { idPageInput, isUuid, momentInput } from './list-input.ts';

const selectionShape = {
  kind: z.enum(deadLetterKinds).optional(),
  workflowId: z.string().refine(isUuid, 'is not the id of a workflow').optional(),
  reason: z.string().min(1).max(200).refine(isStorableText, unstorable).optional(),
  /** Given up at this moment or later. */
  since: momentInput.optional(),
};
const listInput = idPageInput.extend(selectionShape);
const allInput = z.strictObject({ all: z.literal(true), ...selectionShape });
const idsInput = z.array(z.string()).min(1).max(10_000);

/** Which dead letters are listed; everything may be left out. */
export type DeadLetterFilter = z.input<typeof listInput>;

/** Which dead letters are tried again: these, or all that fit. */
export type RedriveChoice = readonly string[] | z.input<typeof allInput>;

/** How many were put back, and which could not be. */
export type Redriven = {
  readonly deliveries: number;
  readonly executions: number;
  readonly events: number;
  /** Their event is no longer kept (`event_expired`); with `all` the first 1000 of them. */
  readonly expired: readonly string[];
  /** Given ids that are no dead letters of the tenant: redriven before, delivered since, or never there. */
  readonly unknown: readonly string[];
};

/** How dead letters are tried again. */
export type RedriveOptions = WriteOptions & {
  /** When: up to seven days from now. Default: at once. */
  readonly at?: Date | undefined;
};

const batchSize = 1_000;
const furthestMs = 7 * 86_400_000;
const searchTimeoutMs = 15_000;

/**
 * What was given up and waits for somebody to look: deliveries whose attempts ran out, executions that could not be decided,
 * events that could not be matched. A tenant of null stands for the operator, who sees those of all tenants.
 */
export class DeadLetterService {
  readonly #database: Database;
  readonly #clock: Clock;

  constructor(options: { readonly database: Database; readonly clock?: Clock }) {
    this.#database = options.database;
    this.#clock = options.clock ?? systemClock;
  }

  /** Dead letters, those of the newest events first. */
  async list(tenantId: string | null, filter: DeadLetterFilter = {}): Answer<Page<DeadLetter>> {
    const given = parseInput(listInput, filter);
    if (!given.ok) return err(invalid('the filter', given.error));
    const { limit, cursor, ...selected } = given.value;
    const selection = selectionOf(tenantId, selected);
    const page = { beforeId: cursor ?? null, limit: limit + 1 };
    const remedy = 'name a tenant or a workflow, or narrow it with `since`';
    return boundedRead(this.#database, { tenantId, timeoutMs: searchTimeoutMs, remedy }, async (tx) => {
      const rows = await listDeadLetters(tx, selection, page);
      return ok(pageOf(rows.map(deadLetter), limit, (letter) => letter.id));
    });
  }

  /** One dead letter with its event, its attempts and the decisions of its execution. */
  async show(tenantId: string | null, id: string): Answer<DeadLetterDetail> {
    const selection = selectionOf(tenantId, { ids: [id] });
    return this.#as(tenantId, undefined, async (orm) => {
      const [row] = isUuid(id) ? await listDeadLetters(orm, selection, { beforeId: null, limit: 1 }) : [];
      if (!row) {
        const message = `no dead letter ${JSON.stringify(id)}: it may have been redriven; list dead letters to see which there are`;
        return err(new WorkflowError('not_found', message));
      }
      const { tenantId: ofTenant, executionId } = row;
      const event = await readTenantEvent(orm, { tenantId: ofTenant, id: row.eventId });
      const delivery = row.kind === 'delivery' ? await readDelivery(orm, { tenantId: ofTenant, id }) : null;
      const execution = executionId && (await readExecution(orm, { tenantId: ofTenant, id: executionId }));
      return ok({
        ...deadLetter(row),
        event: event && loggedEvent(event),
        attemptLogs: delivery ? attemptLogs(delivery) : [],
        trace: execution ? executionLog(execution).trace : null,
      });
    });
  }

  /**
   * Tries dead letters again: a delivery gets the attempts of its policy once more, an execution is decided anew, an event goes
   * back to the outbox. Twice is as once: what is not dead any more stays as it is.
   */
  async redrive(tenantId: string | null, choice: RedriveChoice, options: RedriveOptions = {}): Answer<Redriven> {
    const refusal = this.#checkMoment(options.at);
    if (refusal) return err(refusal);
    if ('all' in choice) return this.#redriveAll(tenantId, choice, options);
    const ids = parseInput(idsInput, choice);
    if (!ids.ok) return err(invalid('the choice', ids.error));
    const wanted = new Set(ids.value.map((id) => id.toLowerCase()));
    const selection = selectionOf(tenantId, { ids: [...wanted].filter(isUuid) });
    const redriven = await this.#redriveBatch(selection, { ...options, limit: wanted.size });
    if (!redriven.ok) return redriven;
    const expired = await this.#listExpired(selection, { ...options, limit: wanted.size });
    if (!expired.ok) return expired;
    const { executions, deliveries, events } = redriven.value;
    const accounted = new Set([...executions, ...deliveries, ...events, ...expired.value]);
    const unknown = [...wanted].filter((id) => !accounted.has(id));
    return ok({ ...counted(redriven.value), expired: expired.value, unknown });
  }

  async #redriveAll(
    tenantId: string | null,
    choice: z.input<typeof allInput>,
    options: RedriveOptions,
  ): Answer<Redriven> {
    const given = parseInput(allInput, choice);
    if (!given.ok) return err(invalid('the choice', given.error));
    const before = await this.#as(tenantId, options.tx, async (orm) => ok(await readNow(orm)));
    if (!before.ok) return before;
    const selection = selectionOf(tenantId, { ...given.value, before: before.value });
    const total = { deliveries: 0, executions: 0, events: 0 };
    let last: ReturnType<typeof counted>;
    do {
      const redriven = await this.#redriveBatch(selection, { ...options, limit: batchSize });
      if (!redriven.ok) return redriven;
      last = counted(redriven.value);
      total.deliveries += last.deliveries;
      total.executions += last.executions;
      total.events += last.events;
    } while (last.deliveries + last.executions + last.events > 0);
    const expired = await this.#listExpired(selection, { ...options, limit: batchSize });
    return expired.ok ? ok({ ...total, expired: expired.value, unknown: [] }) : expired;
  }

  /**
   * Each kind in a transaction of its own, so that no locks of one are held while those of another are waited for. Executions
   * first: one whose deliveries are redriven too is then pending already, and stays it.
   */
  async #redriveBatch(selection: DeadLetterSelection, options: RedriveOptions & { limit: number }): Answer<Batch> {
    const { tx, limit, at = null } = options;
    const each = (redrive: typeof redriveEvents) =>
      this.#as(selection.tenantId, tx, async (orm) => ok(await redrive(orm, selection, { limit, at })));
    const executions = await each(redriveExecutions);
    if (!executions.ok) return executions;
    const deliveries = await each(redriveDeliveries);
    if (!deliveries.ok) return deliveries;
    const events = await each(redriveEvents);
    if (!events.ok) return events;
    return ok({ executions: executions.value, deliveries: deliveries.value, events: events.value });
  }

  #checkMoment(at: Date | undefined): WorkflowError | null {
    if (at === undefined) return null;
    const isSoon = at.getTime() - this.#clock.now().getTime() <= furthestMs;
    if (isSoon) return null;
    return invalid('the redrive', [
      { path: 'at', message: 'is not a moment of the next seven days: events are not kept for ever' },
    ]);
  }

  #listExpired(selection: DeadLetterSelection, options: WriteOptions & { limit: number }): Answer<readonly string[]> {
    return this.#as(selection.tenantId, options.tx, async (orm) =>
      ok(await listExpiredDeadLetters(orm, selection, options.limit)),
    );
  }

  /** Bound to the tenant, or as the operator. */
  #as<T>(tenantId: string | null, tx: Transaction | undefined, work: (orm: Orm) => Answer<T>): Answer<T> {
    if (tenantId !== null) return withTenant(this.#database, { tenantId, tx }, work);
    return inTransaction(this.#database, tx, work);
  }
}

type Batch = {
  readonly executions: readonly string[];
  readonly deliveries: readonly string[];
  readonly events: readonly string[];
};

function counted(batch: Batch): { deliveries: number; executions: number; events: number } {
  const { deliveries, executions, events } = batch;
  return { deliveries: deliveries.length, executions: executions.length, events: events.length };
}

type Selected = {
  readonly [Key in Exclude<keyof DeadLetterSelection, 'tenantId'>]?: DeadLetterSelection[Key] | undefined;
};

function selectionOf(tenantId: string | null, selected: Selected): DeadLetterSelection {
  const { kind = null, workflowId = null, reason = null, since = null, before = null, ids = null } = selected;
  return { tenantId, kind, workflowId, reason, since, before, ids };
}
