import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AudiencePage } from '../execute/audience.ts';
import { resolveRecipients } from '../execute/resolve-recipients.ts';
import type { WorkflowEvent } from '../model/event.ts';
import type { ActionTrace, RecipientTrace } from '../model/execution.ts';
import type { Directory } from '../model/recipient.ts';
import type { Database } from '../store/database.ts';
import {
  type DeliveryRules,
  noDeliveryRules,
  readInboxRules,
  tenantsWithMutedInboxes,
} from '../store/delivery-rules.ts';
import { parkBehindOthers } from '../store/ordered-lines.ts';
import { type ClaimedExecution, plannedRecipients } from '../store/pending-executions.ts';
import { writePage } from '../store/write-plan.ts';
import type { RunnableAction, RunnableWorkflow } from './compile-workflow.ts';
import type { ActionDecision } from './decide-actions.ts';
import { asksMutedInbox, emptyPlan, type Plan, type PlanContext, planAction, timeLimit } from './plan-execution.ts';

/** What planning pages needs from outside. */
export type PageServices = {
  readonly database: Database;
  readonly directory: Directory;
  readonly leaseMs: number;
  /** What one look-up may take, ms. */
  readonly lookupTimeoutMs: number;
  /** Recipients that an action of the tenant may tell at most; null: as many as the workflow says. */
  readonly recipientQuota: number | null;
  readonly signal: AbortSignal;
};

export type PlanPagesOptions = {
  readonly claimed: ClaimedExecution;
  readonly source: { readonly event: WorkflowEvent; readonly workflow: RunnableWorkflow };
  readonly services: PageServices;
  /** Deliveries of the execution stand: a try before this one planned them. */
  readonly mayStand: boolean;
  /** Actions that tell the same recipients. */
  readonly group: ActionDecision['due'];
  /** What is planned is added to it. */
  readonly counts: Pick<Plan, 'open' | 'done' | 'failed'>;
};

/** The lease ran out and somebody else has the execution: nothing more may be written. */
export class LeaseLost extends Error {}

const pageSize = 2_000;
/** How long composing notifications may go on before others of the process have their turn. */
const turnMs = 50;
const nobody: AudiencePage = { recipients: [], leftOut: [], traces: [] };

/**
 * Plans the actions that tell the same recipients, page by page, and answers what each came to. While a page is written the
 * next one is read and planned, so two are held at most; they are written one after the other.
 *
 * @throws LeaseLost
 */
export async function planPages(options: PlanPagesOptions): Promise<ActionTrace[]> {
  const { claimed, source, services, group, counts } = options;
  const isOnce = group[0]?.action.audience === 'once';
  const planned = new Map(group.map(({ action }) => [action.partId, 0]));
  const recipients: RecipientTrace[] = [];
  const pages = isOnce ? [nobody] : await audienceOf(options);
  let written: Promise<void> = Promise.resolve();
  try {
    for await (const page of pages) {
      recipients.push(...page.traces);
      const rows = emptyPlan();
      const rules = group.some(asksMutedInbox) ? await rulesOfPage(options, page) : noDeliveryRules;
      const context = { executionId: claimed.id, ...source, place: claimed.place, rules };
      for (const { action } of group) {
        const before = rows.deliveries.length;
        await planInTurns(rows, context, { action, page, signal: services.signal });
        planned.set(action.partId, (planned.get(action.partId) ?? 0) + rows.deliveries.length - before);
      }
      counts.open += rows.open;
      counts.done += rows.done;
      counts.failed += rows.failed;
      await written;
      written = write(options, rows);
      // It is awaited, but only once the next page is planned.
      written.catch(() => undefined);
    }
  } finally {
    await written;
  }
  return group.map(({ action, conditions }) => ({
    partId: action.partId,
    type: action.type,
    planned: planned.get(action.partId) ?? 0,
    ...(conditions.length > 0 ? { conditions } : {}),
    ...(isOnce ? {} : { recipients }),
  }));
}

async function planInTurns(
  rows: Plan,
  context: PlanContext,
  { action, page, signal }: { action: RunnableAction; page: AudiencePage; signal: AbortSignal },
): Promise<void> {
  let isOver = timeLimit(turnMs);
  const turns = planAction(rows, context, { ...page, action, isOver: () => isOver() });
  while (turns.next().done !== true) {
    await nextTurn();
    signal.throwIfAborted();
    isOver = timeLimit(turnMs);
  }
  signal.throwIfAborted();
}

/** Whom the group tells, page by page. */
async function audienceOf(options: PlanPagesOptions): Promise<AsyncIterable<AudiencePage>> {
  const { claimed, source, services, mayStand, group } = options;
  const { excludeActor, maxRecipients } = source.workflow.settings;
  const [first] = group;
  // Pages of a try that failed stand: whom they tell counts towards the most that may be told.
  const alreadyTold =
    mayStand && first
      ? await plannedRecipients(services.database.pool, { executionId: claimed.id, actionId: first.action.partId })
      : [];
  return resolveRecipients(first?.action.recipients ?? [], {
    event: source.event,
    excludeActor,
    maxRecipients,
    quota: services.recipientQuota,
    alreadyTold,
    directory: services.directory,
    pageSize,
    timeoutMs: services.lookupTimeoutMs,
    signal: services.signal,
  });
}

/** What those of a page have said about their inboxes, if anybody of the tenant has. */
async function rulesOfPage({ source, services }: PlanPagesOptions, page: AudiencePage): Promise<DeliveryRules> {
  if (page.recipients.length === 0) return noDeliveryRules;
  const { pool } = services.database;
  const { tenantId } = source.workflow;
  const muted = await tenantsWithMutedInboxes(pool, [tenantId]);
  if (muted.size === 0) return noDeliveryRules;
  return readInboxRules(
    pool,
    page.recipients.map(({ id }) => ({ tenantId, userId: id })),
  );
}

/** Writes a page, only while the lease is ours. */
async function write({ claimed, services, mayStand }: PlanPagesOptions, rows: Plan): Promise<void> {
  const { database, leaseMs } = services;
  const { deliveries, notifications } = rows;
  if (deliveries.length === 0) return;
  const page = { execution: claimed, leaseMs, mayStand, notifications };
  const isInLine = deliveries.some(({ place }) => place !== null);
  const isOurs = isInLine
    ? await database.transaction(async (_tx, client) =>
        writePage(client, { ...page, deliveries: await parkBehindOthers(client, deliveries) }),
      )
    : await writePage(database.pool, { ...page, deliveries });
  if (!isOurs) throw new LeaseLost();
}
