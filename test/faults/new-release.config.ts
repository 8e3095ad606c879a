import { z } from 'zod';
import { defineAction } from '../../src/deliver/define-action.ts';
import { defineRecipient } from '../../src/execute/define-recipient.ts';
import { defineCondition } from '../../src/match/define-condition.ts';
import { oldRelease, smsOf } from './old-release.config.ts';

/** Options of workers of a host's next release: types that the old one does not have, and one that takes more than it did. */
export const newRelease = {
  ...oldRelease,
  conditions: [
    defineCondition({
      type: 'pays_well',
      schema: z.strictObject({ above: z.number() }),
      evaluate: ({ above }, { event }) => Number((event.payload as { total?: string }).total) > above,
    }),
  ],
  recipients: [defineRecipient({ type: 'on_duty', schema: z.strictObject({}), resolve: async () => ['ann', 'ben'] })],
  actions: [
    smsOf(z.strictObject({ url: z.string(), isUrgent: z.boolean().optional() })),
    defineAction({
      type: 'page',
      schema: z.strictObject({ url: z.string() }),
      audience: 'recipients',
      deliver: ({ url }, { deliveryId, transports, signal }) =>
        transports.sendHttp({ url, method: 'POST', headers: { 'webhook-id': deliveryId }, body: '' }, signal),
    }),
  ],
};

export default { ...newRelease };
