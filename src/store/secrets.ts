import { and, asc, eq, sql } from 'drizzle-orm';
import type { Orm } from './database.ts';
import { secrets } from './schema.ts';

/** One secret of one tenant. */
export type SecretPlace = { readonly tenantId: string; readonly name: string };

/** A secret as stored: AES-256-GCM under the key named by `keyId`; `ciphertext` ends with the tag. */
export type SealedSecret = { readonly keyId: string; readonly nonce: Buffer; readonly ciphertext: Buffer };

/** What may be shown of a secret. */
export type SecretSummary = { readonly name: string; readonly updatedAt: Date };

/** Stores a secret in place of the one of its name. */
export async function writeSecret(orm: Orm, place: SecretPlace, sealed: SealedSecret): Promise<SecretSummary> {
  const { keyId, nonce, ciphertext } = sealed;
  const changed = { keyId, nonce, ciphertext, updatedAt: sql`clock_timestamp()` };
  const rows = await orm
    .insert(secrets)
    .values({ ...place, ...changed })
    .onConflictDoUpdate({ target: [secrets.tenantId, secrets.name], set: changed })
    .returning({ name: secrets.name, updatedAt: secrets.updatedAt });
  return rows[0] as SecretSummary;
}

/** The secret as stored; null when there is none. */
export async function readSecret(orm: Orm, place: SecretPlace): Promise<SealedSecret | null> {
  const rows = await orm
    .select({ keyId: secrets.keyId, nonce: secrets.nonce, ciphertext: secrets.ciphertext })
    .from(secrets)
    .where(isThis(place));
  return rows[0] ?? null;
}

/** Names and dates of a tenant's secrets, by name. */
export async function listSecrets(orm: Orm, tenantId: string): Promise<SecretSummary[]> {
  return orm
    .select({ name: secrets.name, updatedAt: secrets.updatedAt })
    .from(secrets)
    .where(eq(secrets.tenantId, tenantId))
    .orderBy(asc(secrets.name));
}

/** Deletes a secret; false when there was none. */
export async function deleteSecret(orm: Orm, place: SecretPlace): Promise<boolean> {
  const rows = await orm.delete(secrets).where(isThis(place)).returning({ name: secrets.name });
  return rows.length > 0;
}

function isThis(place: SecretPlace) {
  return and(eq(secrets.tenantId, place.tenantId), eq(secrets.name, place.name));
}
