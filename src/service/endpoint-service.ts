import type { z } from 'zod';
import { waitingReasons, wakeEveryMs, wakeWithinMs } from '../deliver/endpoint-gate.ts';
import { invalid, unknownName, type WorkflowError } from '../errors.ts';
import type { EndpointPlace } from '../model/endpoint.ts';
import { type Page, pageInput, pageOf } from '../model/page.ts';
import { parseInput } from '../model/parse-input.ts';
import { err, ok } from '../model/result.ts';
import { isStorableText } from '../model/storable-text.ts';
import type { Database, Orm } from '../store/database.ts';
import { deleteEndpoint, listEndpoints, readEndpoint, type StoredEndpoint } from '../store/endpoint-list.ts';
import { wakeWaitingDeliveries } from '../store/endpoints.ts';
import { withTenant } from '../store/with-tenant.ts';
import type { Answer, WriteOptions } from './answer.ts';

/** A place that a tenant's requests go to, and how it fares. Only those that failed since their last success are known. */
export type Endpoint = {
  /** Scheme, host and port. */
  readonly origin: string;
  /**
   * `failing`: still called. `paused`: its deliveries wait until `retryAt`, then one of them tries. `trying`: one is under
   * way. `disabled`: it said that it is gone (410) and is not called until it is resumed.
   */
  readonly status: 'failing' | 'paused' | 'trying' | 'disabled';
  /** Failures since the last success. */
  readonly failures: number;
  /** Why the last one failed: a code of the reasons. */
  readonly lastReason: string | null;
  /** Since when it is not called as usual. */
  readonly pausedAt: Date | null;
  /** When one delivery may try it. */
  readonly retryAt: Date | null;
  readonly updatedAt: Date;
};

/** Shows which endpoints of a tenant's webhooks fail or are paused, and resumes them. */
export class EndpointService {
  readonly #database: Database;

  constructor(options: { readonly database: Database }) {
    this.#database = options.database;
  }

  /** Endpoints that failed since their last success, by origin. */
  async listEndpoints(tenantId: string, page: z.input<typeof pageInput> = {}): Answer<Page<Endpoint>> {
    const given = parseInput(pageInput, page);
    if (!given.ok) return err(invalid('the page', given.error));
    const { limit, cursor } = given.value;
    return withTenant(this.#database, { tenantId }, async (orm) => {
      const rows = await listEndpoints(orm, { tenantId, after: cursor ?? '', limit: limit + 1 });
      return ok(pageOf(rows.map(endpoint), limit, ({ origin }) => origin));
    });
  }

  /** One of them. `not_found` for an origin that has not failed since its last success, or was never called. */
  async getEndpoint(tenantId: string, origin: string): Answer<Endpoint> {
    return withTenant(this.#database, { tenantId }, async (orm) => {
      const row = isStorableText(origin) ? await readEndpoint(orm, { tenantId, origin }) : null;
      return row ? ok(endpoint(row)) : err(await unknownEndpoint(orm, { tenantId, origin }));
    });
  }

  /** Calls an endpoint again at once, whatever it said, and lets the deliveries that wait for it go out. */
  async resumeEndpoint(tenantId: string, origin: string, options: WriteOptions = {}): Answer<null> {
    return withTenant(this.#database, { tenantId, tx: options.tx }, async (orm) => {
      if (!isStorableText(origin) || !(await deleteEndpoint(orm, { tenantId, origin }))) {
        return err(await unknownEndpoint(orm, { tenantId, origin }));
      }
      const wake = { tenantId, reasons: waitingReasons, everyMs: wakeEveryMs, withinMs: wakeWithinMs };
      await wakeWaitingDeliveries(orm, wake);
      return ok(null);
    });
  }
}

async function unknownEndpoint(orm: Orm, { tenantId, origin }: EndpointPlace): Promise<WorkflowError> {
  const failing = await listEndpoints(orm, { tenantId, after: '', limit: 1_000 });
  const subject = `no endpoint "${origin}" fails or is paused`;
  const known = failing.map((row) => row.origin);
  return unknownName({ subject, written: origin, known, next: 'list endpoints to see which do' });
}

function endpoint(row: StoredEndpoint): Endpoint {
  const { origin, failures, lastReason, openedAt, retryAt, updatedAt } = row;
  return { origin, status: statusOf(row), failures, lastReason, pausedAt: openedAt, retryAt, updatedAt };
}

function statusOf({ state, retryAt }: StoredEndpoint): Endpoint['status'] {
  switch (state) {
    case 'closed':
      return 'failing';
    case 'half_open':
      return 'trying';
    case 'open':
      return retryAt === null ? 'disabled' : 'paused';
  }
}
