import type { KeyObject } from 'node:crypto';
import { invalid } from '../errors.ts';
import type { OptOut } from '../model/preference.ts';
import type { Database } from '../store/database.ts';
import { recordOptOut } from '../store/record-opt-out.ts';
import { readSecretKey } from './seal-secret.ts';
import {
  deriveUnsubscribeKey,
  makeUnsubscribeToken,
  readUnsubscribeToken,
  type UnsubscribeKey,
} from './unsubscribe-token.ts';

export type UnsubscribeServiceOptions = {
  readonly database: Database;
  /** Where the endpoint is reached from outside; without it there are no links. */
  readonly baseUrl?: string | undefined;
  /** The key that makes links first; all are good for reading. */
  readonly keys?: readonly KeyObject[];
};

/**
 * The keys of links: a key of their own if there is one, else the one that secrets are encrypted with; then all that may have
 * made links before.
 *
 * @throws WorkflowError `invalid` when there is none, Error naming the option when one cannot be read
 */
export function readUnsubscribeKeys(options: {
  key: string | undefined;
  previousKeys: readonly string[];
  secretsKey: string | undefined;
  previousSecretsKeys: readonly string[];
}): readonly KeyObject[] {
  const { key, previousKeys, secretsKey, previousSecretsKeys } = options;
  const keys = [
    ...(key === undefined ? [] : [readSecretKey(key, 'unsubscribe.key')]),
    ...(secretsKey === undefined ? [] : [readSecretKey(secretsKey, 'secretsKey')]),
    ...previousKeys.map((text, index) => readSecretKey(text, `unsubscribe.previousKeys[${index}]`)),
    ...previousSecretsKeys.map((text, index) => readSecretKey(text, `previousSecretsKeys[${index}]`)),
  ].map(([, secret]) => secret);
  if (key !== undefined || secretsKey !== undefined) return keys;
  const message = 'unsubscribe links are signed: set `secretsKey` (TOCSIN_SECRETS_KEY), or a key of their own here';
  throw invalid('the configuration', [{ path: 'unsubscribe.key', message }]);
}

/** The links by which recipients opt out, and what happens when they follow one. */
export class UnsubscribeService {
  readonly #database: Database;
  readonly #baseUrl: string | null;
  readonly #keys: readonly UnsubscribeKey[];

  constructor(options: UnsubscribeServiceOptions) {
    const { database, baseUrl, keys = [] } = options;
    this.#database = database;
    this.#baseUrl = baseUrl?.replace(/\/+$/, '') ?? null;
    this.#keys = keys.map(deriveUnsubscribeKey);
  }

  /** Path of the endpoint, without a slash at its end; null when there are no links. */
  get path(): string | null {
    return this.#baseUrl === null ? null : new URL(this.#baseUrl).pathname.replace(/\/$/, '');
  }

  /** The link for one person and one kind of message: the same each time. Null without the option `unsubscribe`. */
  link(of: OptOut): string | null {
    const [key] = this.#keys;
    return this.#baseUrl === null || !key ? null : `${this.#baseUrl}/${makeUnsubscribeToken(key, of)}`;
  }

  /** Whom a token is of and what from; null for one that is not ours. */
  read(token: string): OptOut | null {
    return readUnsubscribeToken(this.#keys, token);
  }

  /** Records that a person opted out. A second time changes nothing more. */
  async optOut(of: OptOut): Promise<void> {
    await recordOptOut(this.#database, of);
  }
}
