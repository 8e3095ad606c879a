import type { WorkflowError } from '../errors.ts';
import { ok, type Result } from '../model/result.ts';
import type { Database } from '../store/database.ts';
import {
  type BoundPlace,
  readSecretsOfOtherKeys,
  resealSecret,
  type SealedSecret,
  type SecretPlace,
} from '../store/secrets.ts';
import { withTenant } from '../store/with-tenant.ts';
import { openSealedSecret, type SecretKeys, sealSecret } from './seal-secret.ts';

export type RotationOptions = {
  /** Only counts. */
  readonly dryRun?: boolean | undefined;
};

/** What a rotation did, or would do. */
export type Rotation = {
  /** Secrets that are now under the current key. */
  readonly rotated: number;
  /** Secrets that do not open: their key is not among the options, or the row was changed. They stay as they are. */
  readonly unopened: readonly (SecretPlace & { readonly keyId: string })[];
};

type Resealed = { readonly place: BoundPlace; readonly was: SealedSecret; readonly now: SealedSecret };

const batchSize = 200;

/**
 * Encrypts with the current key what is under another one, batch by batch: what was done stays done when it is ended, and
 * the next rotation goes on with the rest. A secret that is set anew meanwhile is not touched.
 */
export async function rotateSecrets(
  database: Database,
  keys: SecretKeys,
  options: RotationOptions,
): Promise<Result<Rotation, WorkflowError>> {
  const [keyId = ''] = keys.keys();
  const unopened: (SecretPlace & { keyId: string })[] = [];
  let rotated = 0;
  let after: SecretPlace | undefined = { tenantId: '', name: '' };
  while (after !== undefined) {
    const batch = await readSecretsOfOtherKeys(database.pool, { keyId, after, limit: batchSize });
    const resealed = batch.flatMap((secret): Resealed[] => {
      const { tenantId, name, hosts } = secret;
      const place = { tenantId, name, hosts };
      const text = openSealedSecret(keys, place, secret);
      if (text !== null) return [{ place, was: secret, now: sealSecret(keys, place, text) }];
      unopened.push({ tenantId, name, keyId: secret.keyId });
      return [];
    });
    for (const [tenantId, ofTenant] of Map.groupBy(resealed, ({ place }) => place.tenantId)) {
      const put = options.dryRun ? ok(ofTenant.length) : await reseal(database, tenantId, ofTenant);
      if (!put.ok) return put;
      rotated += put.value;
    }
    after = batch.length < batchSize ? undefined : batch.at(-1);
  }
  return ok({ rotated, unopened });
}

function reseal(
  database: Database,
  tenantId: string,
  resealed: readonly Resealed[],
): Promise<Result<number, WorkflowError>> {
  return withTenant(database, { tenantId }, async (orm) => {
    let count = 0;
    for (const { place, was, now } of resealed) if (await resealSecret(orm, place, { was, now })) count += 1;
    return ok(count);
  });
}
