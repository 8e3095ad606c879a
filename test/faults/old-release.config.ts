import { z } from 'zod';
import type { ActionHandler } from '../../src/deliver/action.ts';
import { defineAction } from '../../src/deliver/define-action.ts';
import { leaseMs } from './worker-config.ts';

/** An action type of the host, as one of its releases takes it. */
export function smsOf<Config extends { url: string }>(schema: z.ZodType<Config>): ActionHandler {
  return defineAction({
    type: 'sms',
    schema,
    audience: 'recipients',
    deliver: ({ url }, { deliveryId, transports, signal }) =>
      transports.sendHttp({ url, method: 'POST', headers: { 'webhook-id': deliveryId }, body: '' }, signal),
  });
}

/** Options of workers of a host's release. */
export const oldRelease = {
  webhooks: { allowHosts: ['127.0.0.1'] },
  worker: { leaseMs, graceMs: 2_000 },
  actions: [smsOf(z.strictObject({ url: z.string() }))],
};

export default { ...oldRelease };
