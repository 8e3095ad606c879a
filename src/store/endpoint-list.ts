import { and, asc, eq, gt } from 'drizzle-orm';
import type { EndpointPlace, EndpointState } from '../model/endpoint.ts';
import type { Orm } from './database.ts';
import { endpoints } from './schema.ts';

/** The breaker of an endpoint as administrators look at it. */
export type StoredEndpoint = {
  readonly origin: string;
  readonly state: EndpointState;
  readonly failures: number;
  readonly lastReason: string | null;
  readonly openedAt: Date | null;
  readonly retryAt: Date | null;
  readonly updatedAt: Date;
};

const { origin, state, failures, lastReason, openedAt, retryAt, updatedAt } = endpoints;
const shown = { origin, state, failures, lastReason, openedAt, retryAt, updatedAt };

/** Up to `limit` endpoints of a tenant with origins after this one, by origin. */
export async function listEndpoints(
  orm: Orm,
  options: { tenantId: string; after: string; limit: number },
): Promise<StoredEndpoint[]> {
  return orm
    .select(shown)
    .from(endpoints)
    .where(and(eq(endpoints.tenantId, options.tenantId), gt(origin, options.after)))
    .orderBy(asc(origin))
    .limit(options.limit);
}

/** One endpoint; null when it has no row: it works, or was never called. */
export async function readEndpoint(orm: Orm, place: EndpointPlace): Promise<StoredEndpoint | null> {
  const rows = await orm.select(shown).from(endpoints).where(isThis(place));
  return rows[0] ?? null;
}

/** Forgets an endpoint's failures, so that it is called as usual; false when there was nothing to forget. */
export async function deleteEndpoint(orm: Orm, place: EndpointPlace): Promise<boolean> {
  const rows = await orm.delete(endpoints).where(isThis(place)).returning({ origin });
  return rows.length > 0;
}

function isThis(place: EndpointPlace) {
  return and(eq(endpoints.tenantId, place.tenantId), eq(origin, place.origin));
}
