import type { Transports } from '../deliver/action.ts';
import type { EndpointGate } from '../deliver/endpoint-gate.ts';
import { originOf } from '../model/endpoint.ts';

/** The way out over HTTP of one attempt. */
export type GatedHttp = Pick<Transports, 'sendHttp'> & {
  /** Resolves when what is to be learnt from requests that have ended is written. */
  readonly settled: () => Promise<void>;
};

/**
 * Requests of one attempt, past the circuit breaker of where they go. Each ends by the attempt's signal, whatever signal the
 * handler gives; after a secret was opened nothing of an answer but its status comes back.
 */
export function sendThroughGate(options: {
  readonly tenantId: string;
  readonly timeoutMs: number;
  /** The attempt's. */
  readonly signal: AbortSignal;
  /** The worker's. */
  readonly stopping: AbortSignal;
  readonly gate: EndpointGate | undefined;
  readonly hasSecrets: () => boolean;
  readonly sendHttp: Transports['sendHttp'];
}): GatedHttp {
  const { tenantId, timeoutMs, stopping, gate, hasSecrets } = options;
  const underWay = new Set<Promise<unknown>>();

  const sendHttp: Transports['sendHttp'] = (request, signal) => {
    const ends = signal === options.signal ? signal : AbortSignal.any([signal, options.signal]);
    const isConfidential = request.isConfidential === true || hasSecrets();
    const send = () => options.sendHttp({ ...request, isConfidential }, ends);
    const origin = originOf(request.url);
    if (gate === undefined || origin === null) return send();
    const sent = gate.pass({ tenantId, origin, timeoutMs, stopping }, send);
    const over = () => underWay.delete(ended);
    const ended: Promise<unknown> = sent.then(over, over);
    underWay.add(ended);
    return sent;
  };

  return {
    sendHttp,
    settled: async () => {
      if (underWay.size > 0) await Promise.all(underWay);
    },
  };
}
