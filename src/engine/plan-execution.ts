import type { AudiencePage } from '../execute/audience.ts';
import { deliveryId } from '../model/derived-id.ts';
import type { WorkflowEvent } from '../model/event.ts';
import { stringifyJson } from '../model/json.ts';
import type { NotificationContent } from '../model/notification.ts';
import { deliveryPlace, type Place } from '../model/ordering.ts';
import type { Recipient } from '../model/recipient.ts';
import type { Result } from '../model/result.ts';
import type { DeliveryRules } from '../store/delivery-rules.ts';
import type { NewDelivery, NewNotification } from '../store/write-plan.ts';
import type { RunnableAction, RunnableWorkflow } from './compile-workflow.ts';

/** Rows to write, and how many deliveries of each fate. */
export type Plan = {
  readonly deliveries: NewDelivery[];
  readonly notifications: NewNotification[];
  open: number;
  done: number;
  failed: number;
};

export function emptyPlan(): Plan {
  return { deliveries: [], notifications: [], open: 0, done: 0, failed: 0 };
}

export type PlanContext = {
  readonly executionId: string;
  readonly event: WorkflowEvent;
  readonly workflow: RunnableWorkflow;
  /** Of the execution; null when its deliveries go in any order. */
  readonly place: Place | null;
  /** What the recipients of inbox notifications have said about them. */
  readonly rules: DeliveryRules;
};

/**
 * Plans one action for these recipients. Pure: inbox notifications are composed here and count as delivered, because they
 * are written in the same transaction; everything else becomes a pending delivery.
 *
 * A template may take all that its budget allows for each recipient, so it is asked after each whether the time is over: then it
 * yields, and goes on with the next one when it is asked to.
 */
export function* planAction(
  plan: Plan,
  context: PlanContext,
  page: { action: RunnableAction; isOver: () => boolean } & Pick<AudiencePage, 'recipients' | 'leftOut'>,
): Generator<undefined, void, undefined> {
  const { action, recipients, leftOut, isOver } = page;
  if (action.audience === 'once') {
    addPending(plan, context, { action, recipient: null });
    return;
  }
  const add = adderOf(plan, context, action);
  for (const [index, recipient] of recipients.entries()) {
    if (index > 0 && isOver()) yield;
    add(recipient);
  }
  for (const { recipientId, reason } of leftOut) {
    plan.deliveries.push(newDelivery(context, { action, recipientId, recipient: null, status: 'skipped', reason }));
  }
}

/** Answers whether so many milliseconds have passed since it was made. */
export function timeLimit(ms: number): () => boolean {
  const endsAt = performance.now() + ms;
  return () => performance.now() > endsAt;
}

function adderOf(plan: Plan, context: PlanContext, action: RunnableAction): (recipient: Recipient) => void {
  if (action.compiled?.kind !== 'inbox') return (recipient) => addRecipient(plan, context, { action, recipient });
  const { compose, isPersonal = true } = action.compiled;
  const { event, workflow } = context;
  const named = { id: workflow.workflowId, name: workflow.name, version: workflow.version };
  let content: Result<NotificationContent, string> | undefined;
  return (recipient) => {
    if (hasMutedInbox(context, action, recipient.id)) {
      const skipped = { recipientId: recipient.id, recipient: null, status: 'skipped', reason: 'opted_out' } as const;
      plan.deliveries.push(newDelivery(context, { action, ...skipped }));
      return;
    }
    if (isPersonal || content === undefined) content = compose({ event, workflow: named, recipient });
    addNotification(plan, context, { action, recipient, content });
  };
}

function addNotification(
  plan: Plan,
  context: PlanContext,
  composed: { action: RunnableAction; recipient: Recipient; content: Result<NotificationContent, string> },
): void {
  const { action, recipient, content } = composed;
  if (!content.ok) {
    // It keeps its recipient, so that it can be redriven.
    const kept = { recipientId: recipient.id, recipient: stringifyJson(recipient) };
    plan.deliveries.push(newDelivery(context, { action, ...kept, status: 'dead', reason: content.error }));
    plan.failed += 1;
    return;
  }
  const delivery = newDelivery(context, {
    action,
    recipientId: recipient.id,
    recipient: null,
    status: 'delivered',
    reason: null,
  });
  plan.deliveries.push(delivery);
  plan.done += 1;
  plan.notifications.push({
    id: delivery.id,
    tenantId: delivery.tenantId,
    userId: recipient.id,
    executionId: context.executionId,
    ...content.value,
  });
}

function addRecipient(
  plan: Plan,
  context: PlanContext,
  target: { action: RunnableAction; recipient: Recipient },
): void {
  const { action, recipient } = target;
  const { compiled } = action;
  const refusal = compiled?.kind === 'external' ? (compiled.refuses?.(recipient) ?? null) : null;
  if (refusal === null) addPending(plan, context, { action, recipient });
  else {
    plan.deliveries.push(
      newDelivery(context, { action, recipientId: recipient.id, recipient: null, status: 'skipped', reason: refusal }),
    );
  }
}

/** Other actions ask when they are attempted; a notification stands as soon as it is planned. */
function hasMutedInbox({ workflow, rules }: PlanContext, action: RunnableAction, userId: string): boolean {
  const { tenantId, workflowId } = workflow;
  return action.unsubscribe && rules.isMuted({ tenantId, userId, channel: action.type, workflowId });
}

/** Says whether recipients of the action can have muted it and this is decided when planning. */
export function asksMutedInbox({ action }: { readonly action: RunnableAction }): boolean {
  return action.unsubscribe && action.compiled?.kind === 'inbox';
}

function addPending(
  plan: Plan,
  context: PlanContext,
  target: { action: RunnableAction; recipient: Recipient | null },
): void {
  const { action, recipient } = target;
  plan.open += 1;
  plan.deliveries.push(
    newDelivery(context, {
      action,
      recipientId: recipient?.id ?? '',
      recipient: recipient ? stringifyJson(recipient) : null,
      status: 'pending',
      reason: null,
    }),
  );
}

function newDelivery(
  context: PlanContext,
  given: Pick<NewDelivery, 'recipientId' | 'recipient' | 'status' | 'reason'> & { action: RunnableAction },
): NewDelivery {
  const { action, recipientId, recipient, status, reason } = given;
  return {
    id: deliveryId(context.executionId, action.partId, recipientId),
    tenantId: context.workflow.tenantId,
    executionId: context.executionId,
    actionId: action.partId,
    actionType: action.type,
    recipientId,
    recipient,
    queue: action.queue,
    status,
    reason,
    place:
      status === 'pending' && action.isOrdered && context.place
        ? deliveryPlace(context.place, action.partId, recipientId)
        : null,
  };
}
