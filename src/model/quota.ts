import { z } from 'zod';

/** What a tenant may use, and the columns of `tocsin.tenants` that say it. */
export const quotaColumns = {
  /** Events matched per minute; the others wait in the outbox. */
  eventsPerMinute: 'events_per_minute',
  /** Deliveries attempted per minute; the others wait. */
  deliveriesPerMinute: 'deliveries_per_minute',
  /** Workflows that are neither archived nor deleted. */
  maxWorkflows: 'max_workflows',
  /** Recipients of one action of one execution; a workflow may set fewer. */
  maxRecipients: 'max_recipients',
  /** Bytes of an event's payload and previous record together, as JSON text. */
  maxPayloadBytes: 'max_payload_bytes',
} as const;

export type QuotaName = keyof typeof quotaColumns;
export const quotaNames = Object.keys(quotaColumns) as readonly QuotaName[];

/** A tenant's quotas; null: without a limit, or (as a tenant's own) the default of the deployment. */
export type Quotas = { readonly [Name in QuotaName]: number | null };

export const unlimited: Quotas = {
  eventsPerMinute: null,
  deliveriesPerMinute: null,
  maxWorkflows: null,
  maxRecipients: null,
  maxPayloadBytes: null,
};

/** Smaller payloads are never refused, so that most need not be measured. */
export const leastPayloadBytes = 1_024;

/** What a column holds. */
export const mostQuota = 2_147_483_647;
const count = z.number().int().min(1).max(mostQuota).nullable();

/** Quotas as they are given: what is left out stays as it is, null takes a quota away. */
export const quotaInput = z.strictObject({
  eventsPerMinute: count.optional(),
  deliveriesPerMinute: count.optional(),
  maxWorkflows: z.number().int().min(0).max(mostQuota).nullable().optional(),
  maxRecipients: count.optional(),
  maxPayloadBytes: z.number().int().min(leastPayloadBytes).max(mostQuota).nullable().optional(),
});
export type QuotaInput = z.input<typeof quotaInput>;

/** A tenant's own quotas, and the deployment's where it has none. */
export function quotasWithDefaults(own: Quotas | null, defaults: Quotas): Quotas {
  if (own === null) return defaults;
  return Object.fromEntries(quotaNames.map((name) => [name, own[name] ?? defaults[name]])) as Quotas;
}
