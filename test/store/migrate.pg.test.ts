import { getTableConfig, PgTable } from 'drizzle-orm/pg-core';
import { describe, expect, test } from 'vitest';
import { migrate, pendingMigrations } from '../../src/store/migrate.ts';
import * as schema from '../../src/store/schema.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();

describe('migrate', () => {
  test('applies nothing the second time, also when two processes start at once', async () => {
    expect(await pendingMigrations(db.database)).toBe(0);
    expect(await Promise.all([migrate(db.database), migrate(db.database)])).toEqual([0, 0]);
  });

  test('makes the columns that the drizzle schema declares, and no others', async () => {
    const { rows } = await db.database.pool.query<{ table_name: string; column_name: string; is_nullable: string }>(
      "select table_name, column_name, is_nullable from information_schema.columns where table_schema = 'tocsin'",
    );
    for (const table of Object.values(schema).filter((value) => value instanceof PgTable)) {
      const config = getTableConfig(table);
      const inDatabase = rows.filter((row) => row.table_name === config.name);
      expect(
        inDatabase.map((row) => `${row.column_name} ${row.is_nullable}`).sort(),
        `columns of ${config.name}`,
      ).toEqual(config.columns.map((column) => `${column.name} ${column.notNull ? 'NO' : 'YES'}`).sort());
    }
  });

  test('makes ids that sort by time and partitions that hold them', async () => {
    const { pool } = db.database;
    const { rows } = await pool.query(
      "select tocsin.new_id() as id, (select tocsin.new_id() from pg_sleep(0.002)) as later, tocsin.id_at(now()) as lowest, tocsin.id_at(now() + interval '1 day') as highest",
    );
    const { id, later, lowest, highest } = rows[0];
    expect([lowest, id, later, highest]).toEqual([lowest, id, later, highest].sort());
    await pool.query(
      "insert into tocsin.event_history (id, tenant_id, source, entity_type, operation) values ($1, 't', 'db', 'order', 'insert')",
      [id],
    );
    const placed = await pool.query(
      'select tableoid::regclass::text as partition from tocsin.event_history where id = $1',
      [id],
    );
    expect(placed.rows[0].partition).toMatch(/^tocsin\.event_history_\d{8}$/);
  });

  test('refuses to change a published version', async () => {
    const { pool } = db.database;
    const { rows } = await pool.query(
      "insert into tocsin.workflows (tenant_id, name, status, definition, changed_at_version) values ('t', 'w', 'draft', '{}', 0) returning id",
    );
    await pool.query(
      "insert into tocsin.workflow_versions (workflow_id, version, tenant_id, definition) values ($1, 1, 't', '{}')",
      [rows[0].id],
    );
    await expect(
      pool.query('update tocsin.workflow_versions set definition = \'{"a":1}\' where workflow_id = $1', [rows[0].id]),
    ).rejects.toThrow(/publish a new version/);
  });
});
