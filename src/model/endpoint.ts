import type { DeliveryOutcome } from './retry.ts';

/** Where a tenant's requests go: scheme, host and port of a URL. */
export type EndpointPlace = { readonly tenantId: string; readonly origin: string };

/**
 * `closed`: called as usual. `open`: paused, its deliveries wait until `retryAt`; without one it is disabled until somebody
 * resumes it. `half_open`: one delivery tries whether it is back.
 */
export type EndpointState = 'closed' | 'open' | 'half_open';

/** When an endpoint is paused, and for how long. */
export type EndpointPolicy = {
  /** Failures in a row after which it is paused. */
  readonly pauseAfterFailures: number;
  /** The first pause, ms; each failed trial doubles it. */
  readonly pauseMs: number;
  /** No pause is longer, ms, unless the endpoint asks for it (Retry-After). */
  readonly maxPauseMs: number;
};

/** What an outcome says about the endpoint: it works, it does not, it is gone for good, or nothing. */
export type EndpointVerdict = 'alive' | 'failing' | 'gone' | 'unknown';

const failingReasons: readonly string[] = ['connection_failed', 'timeout', 'outcome_unknown', 'http_status'];

/**
 * What the outcome of a request says about where it went. An answer that refuses this one request (400, 404, 422, a
 * redirect) shows that the endpoint works; 410 that it is gone.
 */
export function endpointVerdict(outcome: DeliveryOutcome): EndpointVerdict {
  switch (outcome.status) {
    case 'delivered':
      return 'alive';
    case 'retry':
      return failingReasons.includes(outcome.reason) ? 'failing' : 'unknown';
    case 'failed':
      if (outcome.reason !== 'http_status') return 'unknown';
      return outcome.detail?.status === 410 ? 'gone' : 'alive';
    case 'skipped':
    case 'postponed':
      return 'unknown';
  }
}

/** The origin of a URL, as endpoints are told apart by it; null for what is no http(s) URL. */
export function originOf(url: string): string | null {
  const parsed = URL.parse(url);
  return parsed !== null && /^https?:$/.test(parsed.protocol) ? parsed.origin : null;
}
