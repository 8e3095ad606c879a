/**
 * Tokens of unsubscribe links: who opts out of what, for the holder of the keys only. The text is authenticated with
 * HMAC-SHA256 and hidden with AES-256-CTR under a nonce taken from that HMAC (the synthetic IV of RFC 5297), so the link in a
 * forwarded mail shows no tenant, no user and no workflow, cannot be changed, and is the same for every mail of a kind. Both
 * keys derive (HKDF, RFC 5869) from a key of the deployment. Tokens do not expire: who opts out of an old mail is not asked to
 * find a newer one.
 */
import { createCipheriv, createDecipheriv, createHmac, hkdfSync, type KeyObject, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { OptOut } from '../model/preference.ts';
import { isStorableText } from '../model/storable-text.ts';

/** What tokens are made and read with. */
export type UnsubscribeKey = { readonly mac: Buffer; readonly cipher: Buffer };

const version = 1;
const macBytes = 32;
const nonceBytes = 16;
/** Ids have lengths; what is longer is none of ours and is not even decoded. */
const longestToken = 4_096;

const text = z.string().min(1).refine(isStorableText);
const contents = z.tuple([text, text, text, text.nullable()]);

/** Keys for tokens, from 32 secret bytes of the deployment. */
export function deriveUnsubscribeKey(secret: KeyObject): UnsubscribeKey {
  const bytes = Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), 'tocsin unsubscribe token v1', 64));
  return { mac: bytes.subarray(0, 32), cipher: bytes.subarray(32) };
}

/** The token by which a person opts out; only letters, digits, `-` and `_`. */
export function makeUnsubscribeToken(key: UnsubscribeKey, of: OptOut): string {
  const plain = Buffer.from(JSON.stringify([of.tenantId, of.userId, of.channel, of.workflowId]));
  const mac = macOf(key, plain);
  const cipher = createCipheriv('aes-256-ctr', key.cipher, mac.subarray(0, nonceBytes));
  return Buffer.concat([Buffer.of(version), mac, cipher.update(plain), cipher.final()]).toString('base64url');
}

/** Who opts out of what; null for everything that was not made with one of the keys. */
export function readUnsubscribeToken(keys: readonly UnsubscribeKey[], token: string): OptOut | null {
  if (token.length > longestToken || !/^[A-Za-z0-9_-]+$/.test(token)) return null;
  const bytes = Buffer.from(token, 'base64url');
  // Decoding passes over what does not belong to it: one token has one spelling.
  if (bytes.toString('base64url') !== token) return null;
  if (bytes[0] !== version || bytes.length <= 1 + macBytes) return null;
  const mac = bytes.subarray(1, 1 + macBytes);
  const hidden = bytes.subarray(1 + macBytes);
  for (const key of keys) {
    const decipher = createDecipheriv('aes-256-ctr', key.cipher, mac.subarray(0, nonceBytes));
    const plain = Buffer.concat([decipher.update(hidden), decipher.final()]);
    if (timingSafeEqual(macOf(key, plain), mac)) return readContents(plain);
  }
  return null;
}

function macOf(key: UnsubscribeKey, plain: Buffer): Buffer {
  return createHmac('sha256', key.mac).update(Buffer.of(version)).update(plain).digest();
}

function readContents(plain: Buffer): OptOut | null {
  const read = contents.safeParse(JSON.parse(plain.toString()));
  if (!read.success) return null;
  const [tenantId, userId, channel, workflowId] = read.data;
  return { tenantId, userId, channel, workflowId };
}
