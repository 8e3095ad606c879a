import { Agent } from 'undici';
import { type Clock, systemClock } from '../../clock.ts';
import type { DeliveryOutcome } from '../../model/retry.ts';
import type { Transports } from '../action.ts';
import { AddressNotAllowed, createGuardedConnector, type Lookup } from './guarded-connector.ts';
import { exchangeHttp, type HttpExchange } from './http-exchange.ts';
import { createHttpPolicy, type HttpAllowList } from './http-policy.ts';
import { parseHttpUrl } from './http-url.ts';
import { retryAfterMs } from './retry-after.ts';

export type HttpTransportOptions = {
  /** Hosts and address ranges that may be called although they are not public. Default: none. */
  readonly allow?: HttpAllowList;
  /** Ports that may be called; listed hosts may be called at any. Default: 80 and 443. */
  readonly ports?: readonly number[];
  /** Bytes of body that a request may have. Default: 4 MiB. */
  readonly maxRequestBytes?: number;
  /** Bytes of an answer's body that are read before the connection is closed. Default: 64 KiB. */
  readonly maxResponseBytes?: number;
  /** Most connections to one origin; further requests wait for one. Default: 16. */
  readonly connectionsPerOrigin?: number;
  /** Milliseconds for look-up, connection and TLS handshake together. Default: 10 s. */
  readonly connectTimeoutMs?: number;
  /** PEM certificates of authorities to trust beside the usual ones. */
  readonly ca?: string;
  /** Instead of DNS, for tests. */
  readonly lookup?: Lookup;
  readonly clock?: Clock;
};

/** The way out over HTTP. */
export type HttpTransport = Pick<Transports, 'sendHttp'> & {
  /** Waits for requests under way, then closes all connections. */
  readonly close: () => Promise<void>;
};

/**
 * Sends requests to URLs that tenants wrote. Only public addresses and what the operator allows are reached
 * (`http-policy.ts`, `guarded-connector.ts`), redirects are not followed, and the signal is one deadline for everything.
 *
 * Outcomes: 2xx is delivered; 408, 425, 429 and 5xx are tried again, not before the time that Retry-After asks for; every
 * other status is final. `detail` has the status and the beginning of an answer that is not a success; of the answer to a
 * confidential request the status alone.
 *
 * @throws Error that names an option that cannot be read
 */
export function createHttpTransport(options: HttpTransportOptions = {}): HttpTransport {
  const { connectTimeoutMs = 10_000, maxResponseBytes = 64 * 1024, clock = systemClock } = options;
  const { maxRequestBytes = 4 * 1024 * 1024 } = options;
  const policy = createHttpPolicy(options.allow ?? {}, options.ports ?? [80, 443]);
  const dispatcher = new Agent({
    connect: createGuardedConnector({ policy, connectTimeoutMs, lookup: options.lookup, ca: options.ca }),
    connections: options.connectionsPerOrigin ?? 16,
    allowH2: false,
    pipelining: 1,
    // One deadline, the caller's signal, instead of timers that every byte restarts.
    headersTimeout: 0,
    bodyTimeout: 0,
  });

  const sendHttp: Transports['sendHttp'] = async (request, signal) => {
    const checked = policy.check(request.url);
    if (!checked.ok) return refused(request.url, checked.error);
    const bytes = Buffer.byteLength(request.body ?? '');
    if (bytes > maxRequestBytes) return tooLarge(bytes, maxRequestBytes);
    const url = checked.value;
    const exchange = await exchangeHttp({ dispatcher, url, request, signal, maxResponseBytes });
    switch (exchange.kind) {
      case 'answered':
        return answeredOutcome(
          request.isConfidential === true ? { ...exchange, excerpt: notKept } : exchange,
          clock.now(),
        );
      case 'late':
        return { status: 'retry', reason: 'timeout', detail: { error: lateError(exchange.started) } };
      case 'failed':
        return failedOutcome(exchange, url);
    }
  };

  return { sendHttp, close: () => dispatcher.close() };
}

const notKept = 'not kept: the request carried a secret';

function answeredOutcome(answer: HttpExchange & { kind: 'answered' }, now: Date): DeliveryOutcome {
  const { status, headers, excerpt } = answer;
  if (status < 300) return { status: 'delivered', detail: { status } };
  const detail = excerpt === '' ? { status } : { status, body: excerpt };
  if (status < 500 && ![408, 425, 429].includes(status)) return { status: 'failed', reason: 'http_status', detail };
  const afterMs = retryAfterMs({ retryAfter: single(headers['retry-after']), date: single(headers.date), now });
  return { status: 'retry', reason: 'http_status', detail, ...(afterMs === undefined ? {} : { afterMs }) };
}

function failedOutcome(failure: HttpExchange & { kind: 'failed' }, url: URL): DeliveryOutcome {
  const { error, started } = failure;
  if (error instanceof AddressNotAllowed) return refused(url.href, error.message);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  if (code === 'UND_ERR_CONNECT_TIMEOUT') {
    return { status: 'retry', reason: 'timeout', detail: { error: lateError(false), code } };
  }
  return started
    ? { status: 'retry', reason: 'outcome_unknown', detail: { error: 'the connection ended before an answer', code } }
    : { status: 'retry', reason: 'connection_failed', detail: { error: 'no connection could be made', code } };
}

function tooLarge(bytes: number, limit: number): DeliveryOutcome {
  const error = `the body has ${bytes} bytes, more than the ${limit} that are sent: give the webhook a smaller payload`;
  return { status: 'failed', reason: 'request_too_large', detail: { error } };
}

/** Names the host and never what it resolves to: the answer of somebody else's name server is not the tenant's to see. */
function refused(url: string, error: string): DeliveryOutcome {
  const parsed = parseHttpUrl(url);
  const host = parsed.ok ? { host: parsed.value.host } : {};
  return { status: 'failed', reason: 'url_not_allowed', detail: { ...host, error } };
}

function lateError(started: boolean): string {
  return started ? 'no answer in time' : 'no connection in time';
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}
