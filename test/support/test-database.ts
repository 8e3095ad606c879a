import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, inject } from 'vitest';
import { type Database, openDatabase } from '../../src/store/database.ts';

/** A database of a test file's own. */
export type TestDatabase = { readonly url: string; readonly database: Database };

/** A fresh, migrated database, copied from the run's template. The caller drops it. */
export async function createTestDatabase(): Promise<TestDatabase & { readonly drop: () => Promise<void> }> {
  const serverUrl = inject('serverUrl');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await asAdmin(serverUrl, `create database ${name} template tocsin_template`);
  const url = serverUrl.replace(/postgres$/, name);
  const database = openDatabase({ databaseUrl: url });
  return {
    url,
    database,
    drop: async () => {
      await database.close();
      await asAdmin(serverUrl, `drop database if exists ${name} with (force)`);
    },
  };
}

/**
 * A database for the tests of one file: made before the first, dropped after the last. Read it inside tests only.
 */
export function useTestDatabase(): TestDatabase {
  let current: Awaited<ReturnType<typeof createTestDatabase>> | undefined;
  beforeAll(async () => {
    current = await createTestDatabase();
  });
  afterAll(async () => {
    await current?.drop();
  });
  const made = (): TestDatabase => {
    if (!current) throw new Error('The test database is there only inside tests');
    return current;
  };
  return {
    get url() {
      return made().url;
    },
    get database() {
      return made().database;
    },
  };
}

async function asAdmin(serverUrl: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  try {
    await client.query(statement);
  } finally {
    await client.end();
  }
}
