/**
 * The circuit breaker that requests to tenants' URLs pass. What is known of endpoints is kept here for a second; what
 * changes is decided in the database (`store/endpoints.ts`), so all workers pause and try an endpoint as one. An endpoint
 * that works has no row, and its successes write nothing.
 */
import { type Clock, systemClock } from '../clock.ts';
import { type EndpointPlace, type EndpointPolicy, endpointVerdict } from '../model/endpoint.ts';
import type { Reason } from '../model/reason.ts';
import type { DeliveryOutcome } from '../model/retry.ts';
import type { Database } from '../store/database.ts';
import {
  claimEndpointTrial,
  closeEndpoint,
  disableEndpoint,
  type EndpointRow,
  forgetEndpointFailures,
  readEndpoints,
  recordEndpointFailure,
  returnEndpointTrial,
  wakeWaitingDeliveries,
} from '../store/endpoints.ts';
import { EndpointLanes } from './endpoint-lanes.ts';

export type EndpointGateOptions = {
  readonly database: Pick<Database, 'pool' | 'orm'>;
  readonly policy: EndpointPolicy;
  /** Requests of this process at once to one endpoint. */
  readonly perEndpoint: number;
  /** Requests of this process at once of one tenant whose endpoints are slow. */
  readonly perTenant: number;
  readonly clock?: Clock;
  /** Told when an endpoint is not called any more, for `pauseMs` or, when that is null, until somebody resumes it. */
  readonly onPaused?: (paused: EndpointPlace & { readonly reason: string; readonly pauseMs: number | null }) => void;
  /** Told when the state of an endpoint could not be read or written: requests go out all the same. */
  readonly onError?: (error: Error) => void;
};

/** One request, as far as the gate must know it. */
export type GatedCall = EndpointPlace & {
  /** What the attempt may take, ms: a trial that takes longer is given to another. */
  readonly timeoutMs: number;
  /** Aborted when the worker stops: what comes of the request then says nothing about the endpoint. */
  readonly stopping: AbortSignal;
};

/** Reasons of deliveries that wait for an endpoint. */
export const waitingReasons = ['endpoint_paused', 'endpoint_disabled', 'endpoint_busy'] as const satisfies Reason[];

const knownForMs = 1_000;
const manyTenants = 5_000;
const trialGraceMs = 5_000;
/** How soon a delivery asks again about an endpoint that another one tries. */
const whileTriedMs = 1_000;
/** How soon a delivery asks again about an endpoint that somebody must resume. */
const askAgainMs = 3_600_000;
/** Deliveries that waited go out one per this many ms, all within five minutes. */
export const wakeEveryMs = 20;
export const wakeWithinMs = 300_000;

type Known = EndpointRow & { readonly readAtMs: number };
type KnownTenant = {
  readonly askedAtMs: number;
  readonly endpoints: Promise<ReadonlyMap<string, Known>>;
  /** When they have been read. */
  read: ReadonlyMap<string, Known> | null;
};
type Admission = 'closed' | 'trial' | Extract<DeliveryOutcome, { status: 'postponed' }>;

/** Lets requests through to endpoints that work, and postpones the others. */
export class EndpointGate {
  readonly #database: Pick<Database, 'pool' | 'orm'>;
  readonly #policy: EndpointPolicy;
  readonly #clock: Clock;
  readonly #lanes: EndpointLanes;
  readonly #onPaused: NonNullable<EndpointGateOptions['onPaused']>;
  readonly #onError: (error: Error) => void;
  readonly #tenants = new Map<string, KnownTenant>();

  constructor(options: EndpointGateOptions) {
    const { database, policy, perEndpoint, perTenant, clock = systemClock } = options;
    this.#database = database;
    this.#policy = policy;
    this.#clock = clock;
    this.#lanes = new EndpointLanes({ perEndpoint, perTenant, clock });
    this.#onPaused = options.onPaused ?? (() => undefined);
    this.#onError = options.onError ?? (() => undefined);
  }

  /** Sends if the endpoint may be called now, and learns from what came of it; else answers `postponed`. */
  async pass(call: GatedCall, send: () => Promise<DeliveryOutcome>): Promise<DeliveryOutcome> {
    const turn = await this.#lanes.enter(call);
    if (turn.kind === 'later') return postponed('endpoint_busy', turn.afterMs);
    try {
      const admission = this.#isKnownToWork(call) ? 'closed' : await this.#admit(call);
      if (typeof admission === 'object') return admission;
      const outcome = await send();
      const isTrial = admission === 'trial';
      const isNews = isTrial || endpointVerdict(outcome) !== 'alive' || !this.#isKnownToWork(call);
      if (isNews) await this.#attempt(() => this.#learn(call, outcome, isTrial));
      return outcome;
    } finally {
      turn.leave();
    }
  }

  async #admit(call: GatedCall): Promise<Admission> {
    const calledAtMs = this.#clock.elapsedMs();
    const admission = await this.#attempt(async () => {
      let known = await this.#known(call);
      if (known === undefined || known.state === 'closed') return 'closed';
      // What was read before the delivery was claimed may have ended: whoever resumed it has just woken this delivery.
      known = await this.#known(call, calledAtMs);
      if (known === undefined || known.state === 'closed') return 'closed';
      const waiting = this.#waiting(known);
      if (waiting !== null) return waiting;
      const isOurs = await claimEndpointTrial(this.#database.pool, call, call.timeoutMs + trialGraceMs);
      this.#tenants.delete(call.tenantId);
      if (isOurs) return 'trial';
      const now = await this.#known(call);
      if (now === undefined || now.state === 'closed') return 'closed';
      return this.#waiting(now) ?? postponed('endpoint_paused', knownForMs);
    });
    return admission ?? 'closed';
  }

  /** How long a delivery waits for a paused endpoint; null when the pause is over. */
  #waiting(known: Known): Extract<Admission, object> | null {
    if (known.retryInMs === null) return postponed('endpoint_disabled', askAgainMs * (0.5 + Math.random() / 2));
    const leftMs = known.readAtMs + known.retryInMs - this.#clock.elapsedMs();
    if (leftMs <= 0) return null;
    if (known.state === 'half_open') return postponed('endpoint_paused', Math.min(leftMs, whileTriedMs));
    // Not all in the same moment: one of them tries, the others would only be told to wait again.
    const spreadMs = Math.min(known.retryInMs / 4, wakeWithinMs);
    return postponed('endpoint_paused', leftMs + Math.random() * spreadMs);
  }

  async #learn(call: GatedCall, outcome: DeliveryOutcome, isTrial: boolean): Promise<void> {
    const { tenantId, origin, stopping } = call;
    const verdict = stopping.aborted && outcome.status !== 'delivered' ? 'unknown' : endpointVerdict(outcome);
    const known = await this.#known(call);
    switch (verdict) {
      case 'alive':
        if (isTrial) await this.#reopen(call);
        else if (known?.state === 'closed') await forgetEndpointFailures(this.#database.pool, call);
        else return;
        break;
      case 'failing': {
        const { reason, askedMs } = failureOf(outcome);
        const failure = { tenantId, origin, reason, isTrial, askedMs, policy: this.#policy };
        const row = await recordEndpointFailure(this.#database.pool, failure);
        const isNew = isTrial || known === undefined || known.state === 'closed';
        if (isNew && row?.state === 'open') this.#onPaused({ tenantId, origin, reason, pauseMs: row.retryInMs });
        break;
      }
      case 'gone':
        await disableEndpoint(this.#database.pool, { tenantId, origin, reason: 'http_status' });
        this.#onPaused({ tenantId, origin, reason: 'http_status', pauseMs: null });
        break;
      case 'unknown':
        if (!isTrial) return;
        await returnEndpointTrial(this.#database.pool, call);
        break;
    }
    this.#tenants.delete(tenantId);
  }

  async #reopen({ tenantId, origin }: EndpointPlace): Promise<void> {
    if (!(await closeEndpoint(this.#database.pool, { tenantId, origin }))) return;
    await wakeWaitingDeliveries(this.#database.orm, {
      tenantId,
      reasons: waitingReasons,
      everyMs: wakeEveryMs,
      withinMs: wakeWithinMs,
    });
  }

  /** Whether an answer that is at hand says that it works, as nearly always: then thousands of requests a second wait for nothing. */
  #isKnownToWork({ tenantId, origin }: EndpointPlace): boolean {
    const kept = this.#tenants.get(tenantId);
    if (!kept?.read || kept.askedAtMs < this.#clock.elapsedMs() - knownForMs) return false;
    return !kept.read.has(origin);
  }

  /** What is known of an endpoint, asked at this moment or later. */
  async #known({ tenantId, origin }: EndpointPlace, sinceMs?: number): Promise<Known | undefined> {
    const now = this.#clock.elapsedMs();
    const kept = this.#tenants.get(tenantId);
    if (kept !== undefined && kept.askedAtMs >= (sinceMs ?? now - knownForMs)) {
      return (await kept.endpoints).get(origin);
    }
    if (this.#tenants.size >= manyTenants) this.#tenants.clear();
    const asked: KnownTenant = { askedAtMs: now, endpoints: this.#read(tenantId), read: null };
    this.#tenants.set(tenantId, asked);
    asked.read = await asked.endpoints;
    return asked.read.get(origin);
  }

  async #read(tenantId: string): Promise<ReadonlyMap<string, Known>> {
    const rows = await readEndpoints(this.#database.pool, tenantId);
    const readAtMs = this.#clock.elapsedMs();
    return new Map(rows.map((row) => [row.origin, { ...row, readAtMs }]));
  }

  /** The breaker is a courtesy: without it requests go out as before. */
  async #attempt<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.#onError(error instanceof Error ? error : new Error(String(error), { cause: error }));
      return undefined;
    }
  }
}

function failureOf(outcome: DeliveryOutcome): { reason: string; askedMs: number | null } {
  const reason = outcome.status === 'delivered' ? '' : outcome.reason;
  return { reason, askedMs: outcome.status === 'retry' ? (outcome.afterMs ?? null) : null };
}

function postponed(reason: Reason, afterMs: number): Extract<DeliveryOutcome, { status: 'postponed' }> {
  return { status: 'postponed', reason, afterMs: Math.ceil(afterMs) };
}
