import { Webhook } from 'standardwebhooks';
import type { ReceivedRequest } from '../../src/testing/webhook-receiver.ts';

/** Whether a receiver that follows Standard Webhooks takes the request as ours, unchanged and new. */
export function verifySignature(secret: string, request: ReceivedRequest): boolean {
  try {
    new Webhook(secret).verify(request.body, request.headers as Record<string, string>);
    return true;
  } catch {
    return false;
  }
}
