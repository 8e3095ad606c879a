import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
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

/**
 * Processes that tests start read the product as TypeScript: compiled once for all of them, they start in half the time. One
 * that is killed writes nothing to the cache, so the first one does nothing else.
 */
async function fillCompileCache(): Promise<void> {
  process.env.NODE_COMPILE_CACHE ??= join(tmpdir(), 'tocsin-compile-cache');
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
  await promisify(execFile)(process.execPath, [main, '--help']);
}

/** One PostgreSQL per run, with a migrated template database that test files copy. */
export default async function startServer(project: TestProject): Promise<() => Promise<void>> {
  const cacheFilled = fillCompileCache();
  const server = await startEmbeddedPostgres({ settings: { max_connections: '300', shared_buffers: '256MB' } });
  const admin = openDatabase({ databaseUrl: server.connectionString });
  await admin.pool.query('create database tocsin_template');
  await admin.close();
  const template = openDatabase({ databaseUrl: server.connectionString.replace(/postgres$/, 'tocsin_template') });
  await migrate(template);
  await template.close();
  await cacheFilled;
  project.provide('serverUrl', server.connectionString);
  return () => server.stop();
}
