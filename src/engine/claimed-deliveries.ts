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

/** The same deliveries with what each is of, read in one statement. */
export async function readSources(
  runner: Runner,
  claimed: readonly ClaimedDelivery[],
): Promise<readonly ClaimedDelivery[]> {
  const stored = await readExecutionSources(runner, [...new Set(claimed.map(({ executionId }) => executionId))]);
  return claimed.map((delivery) => ({ ...delivery, source: stored.get(delivery.executionId) ?? null }));
}

/** The event and workflow of each execution that these deliveries are of, each made ready once. */
export async function sourcesOf(
  claimed: readonly ClaimedDelivery[],
  definitions: DefinitionCache,
): Promise<Map<string, DeliverySource>> {
  const sources = new Map<string, DeliverySource>();
  for (const { executionId, source } of claimed) {
    if (!source || sources.has(executionId)) continue;
    const workflow = await definitions.version(source.workflowId, source.workflowVersion);
    sources.set(executionId, { event: source.event && decodeEvent(source.event), workflow });
  }
  return sources;
}
