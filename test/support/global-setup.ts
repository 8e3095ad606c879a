import type { TestProject } from 'vitest/node';
import { startEmbeddedPostgres } from '../../src/runtime/embedded-postgres.ts';
import { openDatabase } from '../../src/store/database.ts';
import { migrate } from '../../src/store/migrate.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** postgres:// URL of the server of this run; database `tocsin_template` is migrated. */
    serverUrl: string;
  }
}

/** One PostgreSQL per run, with a migrated template database that test files copy. */
export default async function startServer(project: TestProject): Promise<() => Promise<void>> {
  const server = await startEmbeddedPostgres({ settings: { max_connections: '300', shared_buffers: '256MB' } });
  const admin = openDatabase({ databaseUrl: server.connectionString });
  await admin.pool.query('create database tocsin_template');
  await admin.close();
  const template = openDatabase({ databaseUrl: server.connectionString.replace(/postgres$/, 'tocsin_template') });
  await migrate(template);
  await template.close();
  project.provide('serverUrl', server.connectionString);
  return () => server.stop();
}
