import { createHmac } from 'node:crypto';

const prefix = 'whsec_';
const shortestKey = 24;
const longestKey = 64;

/**
 * The keys in a signing secret: one or, while they are being changed, several `whsec_...` separated by blanks. Null when
 * one of them is not a key of 24 to 64 bytes in Base64 (Standard Webhooks 1.0, "Signature scheme").
 */
export function readSigningKeys(secret: string): readonly Buffer[] | null {
  const keys = secret.trim().split(/\s+/).map(readKey);
  return keys.every((key) => key !== null) ? keys : null;
}

function readKey(text: string): Buffer | null {
  const base64 = text.startsWith(prefix) ? text.slice(prefix.length) : '';
  const key = Buffer.from(base64, 'base64');
  const isBase64 = /^[A-Za-z0-9+/]+={0,2}$/.test(base64);
  return isBase64 && key.length >= shortestKey && key.length <= longestKey ? key : null;
}

/**
 * The headers by which a receiver tells that a message is ours, unchanged and new: `webhook-id`, `webhook-timestamp` and,
 * with keys, `webhook-signature` with one signature per key (Standard Webhooks 1.0, scheme v1).
 *
 * @param id the same for every attempt of one delivery
 */
export function signatureHeaders(options: {
  id: string;
  now: Date;
  body: string;
  keys: readonly Buffer[];
}): Record<string, string> {
  const { id, now, body, keys } = options;
  const timestamp = String(Math.floor(now.getTime() / 1_000));
  const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp };
  if (keys.length === 0) return headers;
  const signatures = keys.map(
    (key) => `v1,${createHmac('sha256', key).update(`${id}.${timestamp}.${body}`).digest('base64')}`,
  );
  return { ...headers, 'webhook-signature': signatures.join(' ') };
}
