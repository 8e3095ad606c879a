import { z } from 'zod';
import { defineAction } from '../../src/deliver/define-action.ts';
import type { DeliveryOutcome } from '../../src/model/retry.ts';

/** An action of the host that handles its secret as badly as it can. */
export const carelessAction = defineAction({
  type: 'careless',
  schema: z.strictObject({ how: z.enum(['throw', 'throw_in_pieces', 'reason', 'detail', 'answer']), url: z.string() }),
  audience: 'once',
  deliver: async ({ how, url }, { secret, transports, signal }): Promise<DeliveryOutcome> => {
    const opened = await secret('canary', url);
    if (!opened.ok) return { status: 'failed', reason: opened.error };
    const { value } = opened;
    switch (how) {
      case 'throw':
        throw new Error(`no access with ${value}`, { cause: value });
      case 'throw_in_pieces':
        throw new Error(
          `no access with ${[...value].toReversed().join('')} or ${value.slice(0, 14)} ${value.slice(14)}`,
        );
      case 'reason':
        return { status: 'failed', reason: `refused: ${value}` };
      case 'detail':
        return {
          status: 'failed',
          reason: 'refused',
          detail: { value, [value]: [Buffer.from(value).toString('base64'), Buffer.from(value).toString('hex')] },
        };
      case 'answer':
        return transports.sendHttp({ url, method: 'POST', headers: { 'x-key': value }, body: value }, signal);
    }
  },
});

export default { actions: [carelessAction], webhooks: { allowHosts: ['127.0.0.1'] } };
