import { type ClaimedEvent, readLargeEventBytes } from '../store/claim-events.ts';
import type { Runner } from '../store/connection.ts';
import { readUsage } from '../store/tenant-usage.ts';
import type { WaitingTenant } from './event-processor.ts';
import type { QuotaBook } from './quota-book.ts';

/** What the quotas make of claimed events. */
export type Admission = {
  /** May be matched now. */
  readonly admitted: readonly ClaimedEvent[];
  /** Tenants whose events, from some on, wait for the next minute. */
  readonly waiting: readonly WaitingTenant[];
  /** Larger than their tenants' events may be. */
  readonly tooLarge: readonly { readonly position: string; readonly attempts: number; readonly failure: string }[];
  /** What to count, of tenants whose events are counted. */
  readonly counts: ReadonlyMap<string, number>;
};

/**
 * Admits events as far as their tenants' quotas go, in the order they come. What other lanes and workers match at the same
 * moment is not counted yet, so each of them may go over by a batch.
 */
export async function admitEvents(
  runner: Runner,
  claimed: readonly ClaimedEvent[],
  { quotas, windowMs }: { quotas: QuotaBook; windowMs: number },
): Promise<Admission> {
  const tenantIds = new Set(claimed.map(({ tenantId }) => tenantId));
  const perMinute = quotas.limits('eventsPerMinute', tenantIds);
  const largest = quotas.limits('maxPayloadBytes', tenantIds);
  if (perMinute.size + largest.size === 0) return { admitted: claimed, waiting: [], tooLarge: [], counts: new Map() };

  const tooLarge: { position: string; attempts: number; failure: string }[] = [];
  const fitting: ClaimedEvent[] = [];
  for (const event of claimed) {
    const limit = largest.get(event.tenantId) ?? Number.POSITIVE_INFINITY;
    const bytes = limit === Number.POSITIVE_INFINITY ? 0 : await bytesOf(runner, event);
    const { position, attempts } = event;
    const failure = `payload_too_large: ${bytes} bytes, the quota is ${limit}`;
    if (bytes > limit) tooLarge.push({ position, attempts, failure });
    else fitting.push(event);
  }
  return { ...(await admitPerMinute(runner, fitting, { perMinute, windowMs })), tooLarge };
}

async function admitPerMinute(
  runner: Runner,
  claimed: readonly ClaimedEvent[],
  { perMinute, windowMs }: { perMinute: ReadonlyMap<string, number>; windowMs: number },
): Promise<Omit<Admission, 'tooLarge'>> {
  if (perMinute.size === 0) return { admitted: claimed, waiting: [], counts: new Map() };
  const { used, leftMs } = await readUsage(runner, { tenantIds: [...perMinute.keys()], windowMs });
  const counts = new Map<string, number>();
  const heldBack = new Map<string, number>();
  const admitted = claimed.filter(({ tenantId }) => {
    const limit = perMinute.get(tenantId);
    if (limit === undefined) return true;
    const count = counts.get(tenantId) ?? 0;
    const isAdmitted = (used.get(tenantId)?.events ?? 0) + count < limit;
    if (isAdmitted) counts.set(tenantId, count + 1);
    else heldBack.set(tenantId, (heldBack.get(tenantId) ?? 0) + 1);
    return isAdmitted;
  });
  const waiting = [...heldBack].map(([tenantId, events]) => ({ tenantId, events, forMs: leftMs }));
  return { admitted, waiting, counts };
}

async function bytesOf(runner: Runner, event: ClaimedEvent): Promise<number> {
  if (event.isLarge) return readLargeEventBytes(runner, event.position);
  return Buffer.byteLength(event.payload ?? '') + Buffer.byteLength(event.previous ?? '');
}

/** What is held back counts when it is matched, not each time it is looked at. */
export function countsWithout(
  counts: ReadonlyMap<string, number>,
  admitted: readonly ClaimedEvent[],
  held: ReadonlySet<string>,
): ReadonlyMap<string, number> {
  if (held.size === 0 || counts.size === 0) return counts;
  const matched = new Map<string, number>();
  for (const { tenantId, position } of admitted) {
    if (counts.has(tenantId) && !held.has(position)) matched.set(tenantId, (matched.get(tenantId) ?? 0) + 1);
  }
  return matched;
}
