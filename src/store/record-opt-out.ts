import { sql } from 'drizzle-orm';
import type { OptOut } from '../model/preference.ts';
import type { Database } from './database.ts';
import { muteAll, writePreference } from './preferences.ts';

/**
 * Writes that a person opted out by a link. The tenant is the link's, which only we can have made; the login's own rights are
 * used, because both the host's process and a worker serve the endpoint and one of them may have no others.
 */
export async function recordOptOut(database: Database, of: OptOut): Promise<void> {
  await database.transaction(async (orm) => {
    await orm.execute(sql`select set_config('tocsin.tenant_id', ${of.tenantId}, true)`);
    // Who stops everything means also what they once allowed by itself.
    if (of.workflowId === null) await muteAll(orm, of);
    await writePreference(orm, of, { muted: true, source: 'unsubscribe_link' });
  });
}
