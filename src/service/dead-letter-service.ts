import { z } from 'zod';
import { invalid, WorkflowError } from '../errors.ts';
import { type DeadLetter, type DeadLetterDetail, deadLetter } from '../log/dead-letter.ts';
import { attemptLogs, executionLog, loggedEvent } from '../log/execution-log.ts';
import { type Page, pageOf } from '../model/page.ts';
import { parseInput } from '../model/parse-input.ts';
import { err, ok, type Result } from '../model/result.ts';
import { isStorableText } from '../model/storable-text.ts';
import { boundedRead } from '../store/bounded-read.ts';
import { type Database, inTransaction, ormOf, type Transaction } from '../store/database.ts';
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
import { readStoredEvent } from '../store/read-events.ts';
import { idPageInput, isUuid, momentInput } from './list-input.ts';

const selectionShape = {
  kind: z.enum(deadLetterKinds).optional(),
  workflowId: z.string().refine(isUuid, 'is not the id of a workflow').optional(),
  reason: z.string().min(1).max(200).refine(isStorableText, 'holds what no reason can hold').optional(),
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

type Answer<T> = Promise<Result<T, WorkflowError>>;
type WriteOptions = { readonly tx?: Transaction | undefined };

const batchSize = 1_000;
const searchTimeoutMs = 15_000;

/**
 * What was given up and waits for somebody to look: deliveries whose attempts ran out, executions that could not be decided,
 * events that could not be matched. A tenant of null stands for the operator, who sees those of all tenants.
 */
export class DeadLetterService {
  readonly #database: Database;

  constructor(options: { readonly database: Database }) {
    this.#database = options.database;
  }

  /** Dead letters, those of the newest events first. */
  async list(tenantId: string | null, filter: DeadLetterFilter = {}): Answer<Page<DeadLetter>> {
    const given = parseInput(listInput, filter);
    if (!given.ok) return err(invalid('the filter', given.error));
    const { limit, cursor, ...selected } = given.value;
    const selection = selectionOf(tenantId, selected);
    const page = { beforeId: cursor ?? null, limit: limit + 1 };
    const rows = await boundedRead(this.#database, searchTimeoutMs, (tx) => listDeadLetters(tx, selection, page));
    if (rows) return ok(pageOf(rows.map(deadLetter), limit, (letter) => letter.id));
    const message = 'the search took too long: name a tenant or a workflow, or narrow it with `since`';
    return err(new WorkflowError('timeout', message));
  }

  /** One dead letter with its event, its attempts and the decisions of its execution. */
  async show(tenantId: string | null, id: string): Answer<DeadLetterDetail> {
    const { orm, pool } = this.#database;
    const selection = selectionOf(tenantId, { ids: [id] });
    const [row] = isUuid(id) ? await listDeadLetters(orm, selection, { beforeId: null, limit: 1 }) : [];
    if (!row) {
      const message = `no dead letter ${JSON.stringify(id)}: it may have been redriven; list dead letters to see which there are`;
      return err(new WorkflowError('not_found', message));
    }
    const ofTenant = row.tenantId;
    const [event, delivery, execution] = await Promise.all([
      readStoredEvent(pool, row.eventId),
      row.kind === 'delivery' ? readDelivery(orm, { tenantId: ofTenant, id }) : null,
      row.executionId === null ? null : readExecution(orm, { tenantId: ofTenant, id: row.executionId }),
    ]);
    return ok({
      ...deadLetter(row),
      event: event?.tenantId === ofTenant ? loggedEvent(event) : null,
      attemptLogs: delivery ? attemptLogs(delivery) : [],
      trace: execution ? executionLog(execution).trace : null,
    });
  }

  /**
   * Tries dead letters again: a delivery gets the attempts of its policy once more, an execution is decided anew, an event goes
   * back to the outbox. Twice is as once: what is not dead any more stays as it is.
   */
  async redrive(tenantId: string | null, choice: RedriveChoice, options: WriteOptions = {}): Answer<Redriven> {
    if ('all' in choice) return this.#redriveAll(tenantId, choice, options);
    const ids = parseInput(idsInput, choice);
    if (!ids.ok) return err(invalid('the choice', ids.error));
    const wanted = new Set(ids.value.map((id) => id.toLowerCase()));
    const selection = selectionOf(tenantId, { ids: [...wanted].filter(isUuid) });
    const redriven = await this.#redriveBatch(selection, { ...options, limit: wanted.size });
    const expired = await listExpiredDeadLetters(ormOf(this.#database, options.tx), selection, wanted.size);
    const accounted = new Set([...redriven.executions, ...redriven.deliveries, ...redriven.events, ...expired]);
    return ok({ ...counted(redriven), expired, unknown: [...wanted].filter((id) => !accounted.has(id)) });
  }

  async #redriveAll(
    tenantId: string | null,
    choice: z.input<typeof allInput>,
    options: WriteOptions,
  ): Answer<Redriven> {
    const given = parseInput(allInput, choice);
    if (!given.ok) return err(invalid('the choice', given.error));
    const orm = ormOf(this.#database, options.tx);
    const selection = selectionOf(tenantId, { ...given.value, before: await readNow(orm) });
    const total = { deliveries: 0, executions: 0, events: 0 };
    let last: ReturnType<typeof counted>;
    do {
      last = counted(await this.#redriveBatch(selection, { ...options, limit: batchSize }));
      total.deliveries += last.deliveries;
      total.executions += last.executions;
      total.events += last.events;
    } while (last.deliveries + last.executions + last.events > 0);
    return ok({ ...total, expired: await listExpiredDeadLetters(orm, selection, batchSize), unknown: [] });
  }

  /**
   * Each kind in a transaction of its own, so that no locks of one are held while those of another are waited for. Executions
   * first: one whose deliveries are redriven too is then pending already, and stays it.
   */
  async #redriveBatch(selection: DeadLetterSelection, options: WriteOptions & { limit: number }): Promise<Batch> {
    const { tx, limit } = options;
    const each = (redrive: typeof redriveEvents) =>
      inTransaction(this.#database, tx, (orm) => redrive(orm, selection, limit));
    return {
      executions: await each(redriveExecutions),
      deliveries: await each(redriveDeliveries),
      events: await each(redriveEvents),
    };
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
