import { z } from 'zod';
import { invalid, nearest, WorkflowError } from '../errors.ts';
import { parseInput } from '../model/parse-input.ts';
import { err, ok, type Result } from '../model/result.ts';
import { type Database, ormOf, type Transaction } from '../store/database.ts';
import { deleteSecret, listSecrets, readSecret, type SecretSummary, writeSecret } from '../store/secrets.ts';
import { openSealedSecret, readSecretKeys, type SecretKeys, sealSecret } from './seal-secret.ts';

export type SecretServiceOptions = {
  readonly database: Database;
  /** 32 bytes in Base64 or hexadecimal. Without it no secret can be stored or opened. */
  readonly secretsKey?: string | undefined;
  /** Earlier keys, good for opening what was stored with them. */
  readonly previousSecretsKeys?: readonly string[] | undefined;
};

type Answer<T> = Promise<Result<T, WorkflowError>>;

const secretName = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;

const secretInput = z.strictObject({
  name: z
    .string()
    .regex(secretName, 'letters, digits and "_" only, at most 64, a letter first')
    .refine((name) => !['__proto__', 'constructor', 'prototype'].includes(name), 'choose another name'),
  // Shorter ones cannot be told from ordinary text when they are kept out of the log.
  value: z.string().min(4, 'at least 4 characters').max(8_192, 'at most 8192 characters'),
});

/**
 * What tenants' webhooks may use and nobody may read: API keys, signing keys. Values go in, encrypted, and come out only
 * for a delivery attempt.
 */
export class SecretService {
  readonly #database: Database;
  readonly #keys: SecretKeys | null;

  /** @throws Error naming the option when a key cannot be read */
  constructor(options: SecretServiceOptions) {
    const { database, secretsKey, previousSecretsKeys = [] } = options;
    this.#database = database;
    this.#keys =
      secretsKey === undefined ? null : readSecretKeys({ current: secretsKey, previous: previousSecretsKeys });
  }

  /** Stores a secret, in place of the one that has the name. `invalid` for a name or value that cannot be used. */
  async setSecret(
    tenantId: string,
    name: string,
    value: string,
    options: { readonly tx?: Transaction | undefined } = {},
  ): Answer<SecretSummary> {
    const input = parseInput(secretInput, { name, value });
    if (!input.ok) return err(invalid('the secret', input.error));
    if (this.#keys === null) {
      const remedy = 'set the option `secretsKey` (TOCSIN_SECRETS_KEY) to 32 bytes in Base64 or hexadecimal';
      return err(new WorkflowError('not_allowed', `secrets cannot be stored: ${remedy}`));
    }
    const place = { tenantId, name: input.value.name };
    const sealed = sealSecret(this.#keys, place, input.value.value);
    return ok(await writeSecret(ormOf(this.#database, options.tx), place, sealed));
  }

  /** Names and dates, by name; never values. */
  async listSecrets(tenantId: string): Answer<readonly SecretSummary[]> {
    return ok(await listSecrets(this.#database.orm, tenantId));
  }

  /** Deletes a secret. Deliveries that need it fail with `secret_missing` until there is one of the name again. */
  async deleteSecret(
    tenantId: string,
    name: string,
    options: { readonly tx?: Transaction | undefined } = {},
  ): Answer<null> {
    const orm = ormOf(this.#database, options.tx);
    if (secretName.test(name) && (await deleteSecret(orm, { tenantId, name }))) return ok(null);
    const near = nearest(
      name,
      (await listSecrets(orm, tenantId)).map((secret) => secret.name),
    );
    const hint = near === undefined ? '' : `: did you mean "${near}"?`;
    return err(new WorkflowError('not_found', `there is no secret "${name}"${hint}`));
  }

  /**
   * For delivery attempts only: the clear text; null when there is no such secret, no key, or the stored one does not open.
   */
  async openSecret(tenantId: string, name: string): Promise<string | null> {
    if (this.#keys === null || !secretName.test(name)) return null;
    const place = { tenantId, name };
    const sealed = await readSecret(this.#database.orm, place);
    return sealed && openSealedSecret(this.#keys, place, sealed);
  }
}
