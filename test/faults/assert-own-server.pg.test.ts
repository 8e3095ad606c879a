import { describe, expect, test } from 'vitest';
import { useTestDatabase } from '../support/test-database.ts';
import { assertOwnServer } from './assert-own-server.ts';

const db = useTestDatabase();

describe('assertOwnServer', () => {
  test('refuses a server that somebody else started, however the caller came to its address', async () => {
    await expect(assertOwnServer(db.url, '/tmp/tocsin-postgres-of-this-run')).rejects.toThrow(
      /^refused: the server at .* was not started by this run/,
    );
  });

  test('lets the own one pass', async () => {
    const { rows } = await db.database.pool.query('show data_directory');
    await expect(assertOwnServer(db.url, rows[0].data_directory)).resolves.toBeUndefined();
  });
});
