/**
 * Secrets at rest: AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce. Tenant and name are authenticated with the
 * text, and so are the hosts it is bound to: a row that is copied to another tenant or name, or whose hosts are changed in the
 * table, does not open. Each row names its key, so that keys can change:
 * new secrets are sealed with the current key, and earlier keys stay good for opening.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { invalid } from '../errors.ts';
import type { BoundPlace, SealedSecret } from '../store/secrets.ts';

/** Keys by their ids; the first one seals. */
export type SecretKeys = ReadonlyMap<string, KeyObject>;

const algorithm = 'aes-256-gcm';
const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/**
 * Reads keys of 32 bytes, each as Base64 or hexadecimal, the current one first. A key's id is the first 8 hexadecimal
 * digits of its SHA-256.
 *
 * @throws WorkflowError `invalid` that names the option, never the key
 */
export function readSecretKeys(options: { current: string; previous: readonly string[] }): SecretKeys {
  const { current, previous } = options;
  return new Map([
    readSecretKey(current, 'secretsKey'),
    ...previous.map((key, index) => readSecretKey(key, `previousSecretsKeys[${index}]`)),
  ]);
}

/** One key with its id; see `readSecretKeys`. */
export function readSecretKey(text: string, option: string): [id: string, key: KeyObject] {
  const trimmed = text.trim();
  const bytes = Buffer.from(trimmed, /^[0-9a-f]{64}$/i.test(trimmed) ? 'hex' : 'base64');
  if (bytes.length !== keyBytes || !/^[A-Za-z0-9+/_-]+={0,2}$/.test(trimmed)) {
    const message = 'is not a key of 32 bytes in Base64 or hexadecimal: make one with `openssl rand -base64 32`';
    throw invalid('the configuration', [{ path: option, message }]);
  }
  return [createHash('sha256').update(bytes).digest('hex').slice(0, 8), createSecretKey(bytes)];
}

/** Encrypts a secret for its place with the current key. */
export function sealSecret(keys: SecretKeys, place: BoundPlace, text: string): SealedSecret {
  const [current] = keys;
  if (!current) throw new Error('there is no key to seal with');
  const [keyId, key] = current;
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, key, nonce).setAAD(placeBytes(place));
  const ciphertext = Buffer.concat([cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()]);
  return { keyId, nonce, ciphertext };
}

/** Decrypts a secret; null when its key is not at hand, or it is not what was sealed for this place. */
export function openSealedSecret(keys: SecretKeys, place: BoundPlace, sealed: SealedSecret): string | null {
  const key = keys.get(sealed.keyId);
  if (!key || sealed.nonce.length !== nonceBytes || sealed.ciphertext.length < tagBytes) return null;
  const end = sealed.ciphertext.length - tagBytes;
  const decipher = createDecipheriv(algorithm, key, sealed.nonce, { authTagLength: tagBytes })
    .setAAD(placeBytes(place))
    .setAuthTag(sealed.ciphertext.subarray(end));
  const begun = decipher.update(sealed.ciphertext.subarray(0, end));
  try {
    return Buffer.concat([begun, decipher.final()]).toString('utf8');
  } catch {
    return null;
  }
}

function placeBytes({ tenantId, name, hosts }: BoundPlace): Buffer {
  return Buffer.from([tenantId, name, ...(hosts ?? [])].join('\0'));
}
