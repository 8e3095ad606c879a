import type { Recipient } from '../model/recipient.ts';
import type { Runner } from '../store/connection.ts';
import { type DeliveryRules, noDeliveryRules, readDeliveryRules } from '../store/delivery-rules.ts';
import type { ClaimedDelivery } from '../store/pending-deliveries.ts';
import { readExecutionSources } from '../store/read-events.ts';
import type { DeliverySource } from './attempt-delivery.ts';
import { decodeEvent } from './decode-event.ts';
import type { DefinitionCache } from './definition-cache.ts';

/** What recipients and tenants have said about these deliveries, all in one statement. */
export async function readRulesOf(runner: Runner, claimed: readonly ClaimedDelivery[]): Promise<DeliveryRules> {
  const told = claimed.filter(({ recipientId }) => recipientId !== '');
  if (told.length === 0) return noDeliveryRules;
  return readDeliveryRules(runner, {
    people: told.map(({ tenantId, recipientId, actionType }) => ({
      tenantId,
      userId: recipientId,
      channel: actionType,
    })),
    addresses: told.flatMap(({ tenantId, recipient }) => {
      const address = (recipient as Recipient | null)?.email;
      return address ? [{ tenantId, address }] : [];
    }),
    tenantIds: told.map(({ tenantId }) => tenantId),
  });
}

/**
 * The event and workflow of each execution that these deliveries are of, each read once, all in one statement. Not in the
 * transaction of the claim: what ends the process as it is read has counted an attempt.
 */
export async function readSourcesOf(
  runner: Runner,
  claimed: readonly ClaimedDelivery[],
  definitions: DefinitionCache,
): Promise<Map<string, DeliverySource>> {
  const executionIds = [...new Set(claimed.map(({ executionId }) => executionId))];
  const sources = new Map<string, DeliverySource>();
  if (executionIds.length === 0) return sources;
  const stored = await readExecutionSources(runner, executionIds);
  for (const [executionId, read] of stored) {
    const { workflowId, workflowVersion, event } = read;
    const workflow = await definitions.version(workflowId, workflowVersion);
    sources.set(executionId, { event: event && decodeEvent(event), workflow });
  }
  return sources;
}
