import { and, asc, eq, sql } from 'drizzle-orm';
import type { Runner } from './connection.ts';
import type { Orm } from './database.ts';
import { secrets } from './schema.ts';

/** One secret of one tenant. */
export type SecretPlace = { readonly tenantId: string; readonly name: string };

/** A secret's place and the hosts it is bound to; null: any. */
export type BoundPlace = SecretPlace & { readonly hosts: readonly string[] | null };

/** A secret as stored: AES-256-GCM under the key named by `keyId`; `ciphertext` ends with the tag. */
export type SealedSecret = { readonly keyId: string; readonly nonce: Buffer; readonly ciphertext: Buffer };

/** What may be shown of a secret. */
export type SecretSummary = {
  readonly name: string;
  /** Hosts whose webhooks may use it; null: any. */
  readonly hosts: readonly string[] | null;
  /** The key it is encrypted with. */
  readonly keyId: string;
  readonly updatedAt: Date;
};

const summary = { name: secrets.name, hosts: secrets.hosts, keyId: secrets.keyId, updatedAt: secrets.updatedAt };

/** Stores a secret in place of the one of its name. */
export async function writeSecret(orm: Orm, place: BoundPlace, sealed: SealedSecret): Promise<SecretSummary> {
  const { tenantId, name } = place;
  const { keyId, nonce, ciphertext } = sealed;
  const hosts = place.hosts && [...place.hosts];
  const changed = { keyId, nonce, ciphertext, hosts, updatedAt: sql`clock_timestamp()` };
  const rows = await orm
    .insert(secrets)
    .values({ tenantId, name, ...changed })
    .onConflictDoUpdate({ target: [secrets.tenantId, secrets.name], set: changed })
    .returning(summary);
  return rows[0] as SecretSummary;
}

/** The secret as stored; null when there is none. */
export async function readSecret(
  orm: Orm,
  place: SecretPlace,
): Promise<(SealedSecret & Pick<BoundPlace, 'hosts'>) | null> {
  const { keyId, nonce, ciphertext, hosts } = secrets;
  const rows = await orm.select({ keyId, nonce, ciphertext, hosts }).from(secrets).where(isThis(place));
  return rows[0] ?? null;
}

/** The hosts that a secret is bound to, null when it is to none; it cannot change until the transaction ends. */
export async function lockSecretHosts(tx: Orm, place: SecretPlace): Promise<readonly string[] | null> {
  const rows = await tx.select({ hosts: secrets.hosts }).from(secrets).where(isThis(place)).for('update');
  return rows[0]?.hosts ?? null;
}

/** What may be shown of a tenant's secrets, by name. */
export async function listSecrets(orm: Orm, tenantId: string): Promise<SecretSummary[]> {
  return orm.select(summary).from(secrets).where(eq(secrets.tenantId, tenantId)).orderBy(asc(secrets.name));
}

/** Deletes a secret; false when there was none. */
export async function deleteSecret(orm: Orm, place: SecretPlace): Promise<boolean> {
  const rows = await orm.delete(secrets).where(isThis(place)).returning({ name: secrets.name });
  return rows.length > 0;
}

function isThis(place: SecretPlace) {
  return and(eq(secrets.tenantId, place.tenantId), eq(secrets.name, place.name));
}

/** How many secrets of all tenants are encrypted with each key. */
export async function countSecretsByKey(runner: Runner): Promise<{ keyId: string; secrets: number }[]> {
  const result = await runner.query<{ keyId: string; secrets: number }>(
    `select key_id as "keyId", count(*)::int as secrets
     from tocsin.secrets
     group by key_id
     order by key_id`,
  );
  return result.rows;
}

/** Secrets of all tenants that are not encrypted with this key, in the order of their places, from `after` on. */
export async function readSecretsOfOtherKeys(
  runner: Runner,
  options: { keyId: string; after: SecretPlace; limit: number },
): Promise<(BoundPlace & SealedSecret)[]> {
  const result = await runner.query<BoundPlace & SealedSecret>(
    `select tenant_id as "tenantId", name, hosts, key_id as "keyId", nonce, ciphertext
     from tocsin.secrets
     where key_id <> $1
       and (tenant_id, name) > ($2, $3)
     order by tenant_id, name
     limit $4`,
    [options.keyId, options.after.tenantId, options.after.name, options.limit],
  );
  return result.rows;
}

/** Puts the same secret under another key; false when it was set anew or deleted meanwhile: then it stays as it is. */
export async function resealSecret(
  orm: Orm,
  place: SecretPlace,
  sealed: { readonly was: SealedSecret; readonly now: SealedSecret },
): Promise<boolean> {
  const { keyId, nonce, ciphertext } = sealed.now;
  const rows = await orm
    .update(secrets)
    .set({ keyId, nonce, ciphertext })
    .where(and(isThis(place), eq(secrets.nonce, sealed.was.nonce)))
    .returning({ name: secrets.name });
  return rows.length > 0;
}
