import type { ConditionTrace } from './condition.ts';

export const executionStatuses = [
  'pending',
  'running',
  'success',
  'partial',
  'failed',
  'skipped',
  'cancelled',
] as const;
export type ExecutionStatus = (typeof executionStatuses)[number];

const deliveryStatuses = ['pending', 'delivered', 'dead', 'skipped', 'cancelled'] as const;
export type DeliveryStatus = (typeof deliveryStatuses)[number];

/** What one recipient part of the definition came to. */
export type RecipientTrace = {
  readonly partId: string;
  readonly type: string;
  /** How many it named; after paging, all pages together. */
  readonly resolved: number;
  readonly reason?: string;
  /** How many may be told, where more were named: the others were left out (`reason` says whose limit it is). */
  readonly most?: number;
  readonly error?: string;
};

/** What one action came to. Recipients that were told, or why not, are the deliveries. */
export type ActionTrace = {
  readonly partId: string;
  readonly type: string;
  readonly planned: number;
  readonly reason?: string;
  readonly conditions?: readonly ConditionTrace[];
  readonly recipients?: readonly RecipientTrace[];
};

/** Every decision of an execution, stored with it. */
export type ExecutionTrace = {
  readonly conditions: readonly ConditionTrace[];
  readonly actions: readonly ActionTrace[];
  /** The workflows whose effects led to the event, oldest first; where they are why nothing ran (`loop_detected`). */
  readonly causation?: readonly string[];
};

/**
 * The state of an execution whose deliveries are counted: running while one is open; then success, failed, partial, or
 * skipped when there was nothing to deliver. What `isCut` left somebody out who was to be told: it is no success.
 */
export function executionStatus(
  counts: { open: number; done: number; failed: number },
  { isCut = false } = {},
): ExecutionStatus {
  if (counts.open > 0) return 'running';
  const isWhole = counts.failed === 0 && !isCut;
  if (counts.done > 0) return isWhole ? 'success' : 'partial';
  return isWhole ? 'skipped' : 'failed';
}

/**
 * Whether the quota of the tenant left out recipients that the workflow was to tell. What the workflow's own limit leaves out is as
 * it was written.
 */
export function isCutByQuota(actions: readonly ActionTrace[]): boolean {
  return actions.some(({ recipients = [] }) => recipients.some(({ reason }) => reason === 'quota_recipients'));
}
