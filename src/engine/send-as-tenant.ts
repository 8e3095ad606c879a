import type { OutgoingMail, Transports } from '../deliver/action.ts';
import type { DeliveryOutcome } from '../model/retry.ts';
import { isStorableText } from '../model/storable-text.ts';
import { addressKey } from '../model/suppression.ts';
import { effectiveSender, type SenderSettings } from '../model/tenant-sender.ts';
import type { DeliveryRules } from '../store/delivery-rules.ts';
import type { Bounce } from '../store/suppressions.ts';

/** What a mail of one attempt is sent with. */
export type TenantMailOptions = {
  readonly tenantId: string;
  readonly unsubscribeUrl: string | null;
  /** What was said about the tenant's sender and about this address. */
  readonly rulesFor: (address: string) => Promise<DeliveryRules>;
  readonly sendMail: (mail: OutgoingMail, signal: AbortSignal) => Promise<DeliveryOutcome>;
  /** Told of an address that does not exist. */
  readonly onBounce: (bounce: Bounce) => void;
};

const noSender: SenderSettings = { name: null, address: null, replyTo: null, domains: [] };

/**
 * The way out by mail that one attempt is given: nothing goes to a suppressed address, the sender is the tenant's, the mail
 * says how to opt out, and an address that does not exist is noted.
 */
export function sendAsTenant(options: TenantMailOptions): Transports['sendMail'] {
  const { tenantId, unsubscribeUrl, rulesFor, sendMail, onBounce } = options;
  return async (mail, signal) => {
    const rules = await rulesFor(mail.to.address);
    if (rules.isSuppressed(tenantId, mail.to.address)) return { status: 'skipped', reason: 'suppressed_address' };
    const { refusedAddress, ...sender } = effectiveSender(rules.senderOf(tenantId) ?? noSender);
    const outcome = await sendMail(
      { ...mail, replyTo: mail.replyTo ?? sender.replyTo, sender, unsubscribeUrl },
      signal,
    );
    if (outcome.status === 'failed' && outcome.reason === 'hard_bounce') {
      const { response } = outcome.detail ?? {};
      const detail = typeof response === 'string' && isStorableText(response) ? response : null;
      onBounce({ tenantId, address: addressKey(mail.to.address), detail });
    }
    if (refusedAddress === null) return outcome;
    const note = `the operator does not let the tenant send from ${refusedAddress}: the usual sender was used`;
    return { ...outcome, detail: { ...outcome.detail, sender: note } };
  };
}
