import { z } from 'zod';
import type { SecretRefusal } from '../deliver/action.ts';
import { plainHost, readHost } from '../deliver/transports/http-url.ts';
import { invalid, unknownName, WorkflowError } from '../errors.ts';
import { parseInput } from '../model/parse-input.ts';
import { err, ok, type Result } from '../model/result.ts';
import type { Database } from '../store/database.ts';
import {
  countSecretsByKey,
  deleteSecret,
  listSecrets,
  lockSecretHosts,
  readSecret,
  type SecretSummary,
  writeSecret,
} from '../store/secrets.ts';
import { withTenant } from '../store/with-tenant.ts';
import type { Answer, WriteOptions } from './answer.ts';
import { type Rotation, type RotationOptions, rotateSecrets } from './rotate-secrets.ts';
import { openSealedSecret, readSecretKeys, type SecretKeys, sealSecret } from './seal-secret.ts';

export type SecretServiceOptions = {
  readonly database: Database;
  /** 32 bytes in Base64 or hexadecimal. Without it no secret can be stored or opened. */
  readonly secretsKey?: string | undefined;
  /** Earlier keys, good for opening what was stored with them. */
  readonly previousSecretsKeys?: readonly string[] | undefined;
};

export type SetSecretOptions = WriteOptions & {
  /**
   * Hosts whose webhooks may use it, e.g. `['api.example.com']`; null: any. Left out, a secret that is replaced keeps its
   * hosts, and a new one is for any.
   */
  readonly hosts?: readonly string[] | null | undefined;
};

/** A key and how many secrets of all tenants are encrypted with it; `missing`: they cannot be opened. */
export type SecretKeyUse = {
  readonly keyId: string;
  readonly state: 'current' | 'previous' | 'missing';
  readonly secrets: number;
};

const secretName = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

const hostInput = z.string().transform((text, context) => {
  const host = readHost(text);
  if (host !== null) return host;
  const message = 'is not a host: write a name or an address, without scheme and port';
  context.addIssue({ code: 'custom', message, input: text });
  return z.NEVER;
});

const secretInput = z.strictObject({
  name: z
    .string()
    .regex(secretName, 'letters, digits and "_" only, at most 64, a letter first')
    .refine((name) => !['__proto__', 'constructor', 'prototype'].includes(name), 'choose another name'),
  // Shorter ones cannot be told from ordinary text when they are kept out of the log.
  value: z.string().min(4, 'at least 4 characters').max(8_192, 'at most 8192 characters'),
  hosts: z.array(hostInput).min(1, 'name at least one host, or null for any').max(20).nullish(),
});

const noKey = 'set the option `secretsKey` (TOCSIN_SECRETS_KEY) to 32 bytes in Base64 or hexadecimal';

/**
 * What tenants' webhooks may use and nobody may read: API keys, signing keys. Values go in, encrypted, and come out only
 * for a delivery attempt.
 */
export class SecretService {
  readonly #database: Database;
  readonly #keys: SecretKeys | null;

  /** @throws WorkflowError `invalid` naming the option when a key cannot be read */
  constructor(options: SecretServiceOptions) {
    const { database, secretsKey, previousSecretsKeys = [] } = options;
    this.#database = database;
    this.#keys =
      secretsKey === undefined ? null : readSecretKeys({ current: secretsKey, previous: previousSecretsKeys });
  }

  /** Stores a secret, in place of the one that has the name. `invalid` for a name, value or host that cannot be used. */
  async setSecret(
    tenantId: string,
    name: string,
    value: string,
    options: SetSecretOptions = {},
  ): Answer<SecretSummary> {
    const input = parseInput(secretInput, { name, value, hosts: options.hosts });
    if (!input.ok) return err(invalid('the secret', input.error));
    const keys = this.#keys;
    if (keys === null) return err(new WorkflowError('not_allowed', `secrets cannot be stored: ${noKey}`));
    const place = { tenantId, name: input.value.name };
    return withTenant(this.#database, { tenantId, tx: options.tx }, async (tx) => {
      const hosts = input.value.hosts === undefined ? await lockSecretHosts(tx, place) : input.value.hosts;
      const bound = { ...place, hosts };
      return ok(await writeSecret(tx, bound, sealSecret(keys, bound, input.value.value)));
    });
  }

  /** Names, hosts, keys and dates, by name; never values. */
  async listSecrets(tenantId: string): Answer<readonly SecretSummary[]> {
    return withTenant(this.#database, { tenantId }, async (orm) => ok(await listSecrets(orm, tenantId)));
  }

  /** Deletes a secret. Deliveries that need it fail with `secret_missing` until there is one of the name again. */
  async deleteSecret(tenantId: string, name: string, options: WriteOptions = {}): Answer<null> {
    return withTenant(this.#database, { tenantId, tx: options.tx }, async (orm) => {
      if (secretName.test(name) && (await deleteSecret(orm, { tenantId, name }))) return ok(null);
      const known = (await listSecrets(orm, tenantId)).map((secret) => secret.name);
      const subject = `there is no secret "${name}"`;
      return err(unknownName({ subject, written: name, known, next: 'list secrets to see their names' }));
    });
  }

  /**
   * For delivery attempts only: the clear text. Refused with `secret_missing` when there is no such secret, no key, or the
   * stored one does not open; with `secret_not_allowed_here` when it is bound to hosts and `url` is not of one of them.
   */
  async openSecret(tenantId: string, name: string, url?: string): Promise<Result<string, SecretRefusal>> {
    if (this.#keys === null || !secretName.test(name)) return err('secret_missing');
    const place = { tenantId, name };
    const stored = await readSecret(this.#database.orm, place);
    if (stored === null) return err('secret_missing');
    const { hosts } = stored;
    if (hosts !== null && !hosts.includes(hostOf(url))) return err('secret_not_allowed_here');
    const text = openSealedSecret(this.#keys, { ...place, hosts }, stored);
    return text === null ? err('secret_missing') : ok(text);
  }

  /**
   * For operators: encrypts the secrets of all tenants that are under an earlier key with the current one. It can be ended
   * and begun again at any time, and secrets can be used and set meanwhile.
   */
  async rotateSecrets(options: RotationOptions = {}): Answer<Rotation> {
    if (this.#keys === null) return err(new WorkflowError('not_allowed', `secrets cannot be rotated: ${noKey}`));
    return rotateSecrets(this.#database, this.#keys, options);
  }

  /** For operators: which keys the secrets of all tenants are encrypted with. */
  async secretKeyUse(): Promise<readonly SecretKeyUse[]> {
    const [current, ...previous] = this.#keys?.keys() ?? [];
    const counted = await countSecretsByKey(this.#database.pool);
    return counted.map(({ keyId, secrets }) => {
      const state = keyId === current ? 'current' : previous.includes(keyId) ? 'previous' : 'missing';
      return { keyId, state, secrets };
    });
  }
}

/** The host of a URL, as secrets are bound to it; empty for none. */
function hostOf(url: string | undefined): string {
  const parsed = url === undefined ? null : URL.parse(url);
  return parsed === null ? '' : plainHost(parsed.hostname);
}
