/**
 * How many requests of one process may be under way at once, per endpoint and per tenant, so that an endpoint that hangs
 * does not take every place of the worker. A request waits for its turn only for a moment; then its place goes to another
 * delivery, and it is told when to come back: about when its turn will be, by how long requests to that endpoint take.
 */
import type { Clock } from '../clock.ts';
import type { EndpointPlace } from '../model/endpoint.ts';

export type EndpointLanesOptions = {
  /** Requests at once to one endpoint of one tenant. */
  readonly perEndpoint: number;
  /** Requests at once of one tenant whose endpoints are slow. */
  readonly perTenant: number;
  readonly clock: Clock;
};

/** Leave when the request has ended; or come back later. */
export type Turn =
  | { readonly kind: 'go'; readonly leave: () => void }
  | { readonly kind: 'later'; readonly afterMs: number };

/** Requests that run longer than this make others go away instead of waiting beside them, ms. */
const patienceMs = 200;
const shortestWaitMs = 500;
const longestWaitMs = 30_000;

/** Requests under way, by a mark of each, oldest first, with the moment they began. */
type Running = Map<symbol, number>;

type Lane = {
  readonly running: Running;
  readonly waiting: Set<() => void>;
  /** How long the requests took of late, ms. */
  tookMs: number;
  /** When those that were sent away have had their turns. */
  busyUntilMs: number;
};

export class EndpointLanes {
  readonly #options: EndpointLanesOptions;
  readonly #lanes = new Map<string, Lane>();
  readonly #tenants = new Map<string, Running>();

  constructor(options: EndpointLanesOptions) {
    this.#options = options;
  }

  /** Asks for a turn; answers within `patienceMs`. */
  async enter(place: EndpointPlace): Promise<Turn> {
    const key = JSON.stringify([place.tenantId, place.origin]);
    const lane = this.#lanes.get(key) ?? { running: new Map(), waiting: new Set(), tookMs: 0, busyUntilMs: 0 };
    const tenant: Running = this.#tenants.get(place.tenantId) ?? new Map();
    const begin = () => this.#begin(place.tenantId, key, lane);
    if (tenant.size >= this.#options.perTenant && this.#oldestMs(tenant) > patienceMs) return this.#later(lane);
    if (lane.running.size < this.#options.perEndpoint) return begin();
    if (this.#oldestMs(lane.running) > patienceMs) return this.#later(lane);
    return (await turnOf(lane, begin)) ?? this.#later(lane);
  }

  #begin(tenantId: string, key: string, lane: Lane): Turn {
    this.#lanes.set(key, lane);
    const mark = Symbol('request');
    const startedAt = this.#options.clock.elapsedMs();
    const tenant: Running = this.#tenants.get(tenantId) ?? new Map();
    this.#tenants.set(tenantId, tenant.set(mark, startedAt));
    lane.running.set(mark, startedAt);
    const leave = () => {
      lane.running.delete(mark);
      tenant.delete(mark);
      lane.tookMs = 0.7 * lane.tookMs + 0.3 * (this.#options.clock.elapsedMs() - startedAt);
      const [next] = lane.waiting;
      next?.();
      if (lane.running.size === 0) this.#lanes.delete(key);
      if (tenant.size === 0) this.#tenants.delete(tenantId);
    };
    return { kind: 'go', leave };
  }

  #later(lane: Lane): Turn {
    const now = this.#options.clock.elapsedMs();
    const oneMs = Math.max(lane.tookMs, this.#oldestMs(lane.running)) / this.#options.perEndpoint;
    lane.busyUntilMs = Math.min(Math.max(lane.busyUntilMs, now) + oneMs, now + longestWaitMs);
    return { kind: 'later', afterMs: Math.max(shortestWaitMs, Math.round(lane.busyUntilMs - now)) };
  }

  /** How long the oldest of them has been under way. */
  #oldestMs(running: Running): number {
    const [oldest] = running.values();
    return oldest === undefined ? 0 : this.#options.clock.elapsedMs() - oldest;
  }
}

/** Begins when a request of the lane ends, but does not wait for long; null when none did. */
function turnOf(lane: Lane, begin: () => Turn): Promise<Turn | null> {
  return new Promise((resolve) => {
    const take = () => {
      clearTimeout(timer);
      lane.waiting.delete(take);
      // In the moment in which the other leaves: nobody comes between.
      resolve(begin());
    };
    const timer = setTimeout(() => {
      lane.waiting.delete(take);
      resolve(null);
    }, patienceMs);
    lane.waiting.add(take);
  });
}
