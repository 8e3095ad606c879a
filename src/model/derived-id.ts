import { hash } from 'node:crypto';

/** The digits that say that a UUID is one of RFC 9562, by the two bits that they leave. */
const variants = '89ab';

/**
 * A UUID (version 8, RFC 9562) that a natural key determines: the first 48 bits are those of `timeOrderedId`, so it sorts
 * and partitions with it; the rest is a SHA-256 of the parts. The same key gives the same id on every machine.
 *
 * @param timeOrderedId a UUIDv7 or another derived id
 * @param parts the rest of the natural key
 */
export function deriveId(timeOrderedId: string, ...parts: readonly string[]): string {
  let key = timeOrderedId;
  for (const part of parts) key += `\u0000${part}`;
  const digest = hash('sha256', key);
  const variant = variants[Number.parseInt(digest.slice(3, 4), 16) & 0x3];
  return `${timeOrderedId.slice(0, 13)}-8${digest.slice(0, 3)}-${variant}${digest.slice(4, 7)}-${digest.slice(7, 19)}`;
}

/** The moment that a time-ordered or derived id carries, ms since 1970. */
export function idTimeMs(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** The id of the execution of one event by one workflow version. */
export function executionId(eventId: string, workflowId: string, version: number): string {
  return deriveId(eventId, workflowId, String(version));
}

/** The id of the delivery of one action of one execution to one recipient ('' when it goes out once per execution). */
export function deliveryId(execution: string, actionPartId: string, recipientId: string): string {
  return deriveId(execution, actionPartId, recipientId);
}
