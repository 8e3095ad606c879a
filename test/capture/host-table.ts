import pg from 'pg';
import { onTestFinished } from 'vitest';
import type { CaptureOptions } from '../../src/capture/capture-options.ts';
import { installCapture } from '../../src/capture/install-capture.ts';
import { unwrap } from '../../src/model/result.ts';
import type { CaptureInfo } from '../../src/store/capture-registry.ts';
import type { TestDatabase } from '../support/test-database.ts';

/** A stored event, images as the JSON text they are. */
export type StoredRow = {
  readonly tenant: string;
  readonly id: string;
  readonly operation: string;
  readonly payload: string | null;
  readonly previous: string | null;
  readonly changed: string[] | null;
  readonly actor: string | null;
  readonly trace: string | null;
};

/** A session of a host: one connection for the length of a test. */
export type HostSession = {
  readonly client: pg.Client;
  readonly run: (text: string, values?: unknown[]) => Promise<pg.QueryResult>;
};

/** Connects as the host would; closed when the test ends. */
export async function hostSession(db: TestDatabase, user?: string): Promise<HostSession> {
  const url = new URL(db.url);
  if (user !== undefined) url.username = user;
  const client = new pg.Client({ connectionString: url.toString() });
  client.on('error', () => undefined);
  await client.connect();
  onTestFinished(() => client.end());
  return { client, run: (text, values) => client.query(text, values) };
}

/** Installs capture, tenant column `tenant_id` unless said otherwise. */
export async function capture(
  db: TestDatabase,
  options: Partial<CaptureOptions> & { table: string },
): Promise<CaptureInfo> {
  const entityType = options.entityType ?? options.table.replaceAll(/[^a-z]+/gi, '_');
  const owner = options.tenant === undefined && options.tenantColumn === undefined ? { tenantColumn: 'tenant_id' } : {};
  return unwrap(await installCapture(db.database, { entityType, ...owner, ...options }));
}

/** The events of an entity type, in the order they were written; images parsed. */
export async function eventsOf(db: TestDatabase, entityType: string) {
  const { rows } = await db.database.pool.query<StoredRow>(
    `select tenant_id as tenant, entity_id as id, operation, payload::text as payload, previous::text as previous, changed,
       actor, trace_context as trace
     from tocsin.events
     where entity_type = $1 and source = 'db'
     order by position`,
    [entityType],
  );
  return rows.map((row) => ({ ...row, payload: parse(row.payload), previous: parse(row.previous) }));
}

function parse(image: string | null): Record<string, unknown> | null {
  return image === null ? null : JSON.parse(image);
}
