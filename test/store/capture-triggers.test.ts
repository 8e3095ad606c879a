import { describe, expect, test } from 'vitest';
import { captureFunctionName } from '../../src/store/capture-triggers.ts';

describe('captureFunctionName', () => {
  test('is readable, fits into an identifier, and differs for tables whose names look alike', () => {
    const names = [
      { schemaName: 'public', tableName: 'orders' },
      { schemaName: 'sales', tableName: 'orders' },
      { schemaName: 'public', tableName: 'Orders' },
      { schemaName: 'public', tableName: 'a b' },
      { schemaName: 'public', tableName: 'a_b' },
      { schemaName: 'public.a', tableName: 'b' },
      { schemaName: 'public', tableName: 'a.b' },
      { schemaName: 'public', tableName: `${'x'.repeat(62)}1` },
      { schemaName: 'public', tableName: `${'x'.repeat(62)}2` },
      { schemaName: 'public', tableName: 'ü'.repeat(31) },
    ].map((table) => captureFunctionName(table, 'insert'));
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^capture_insert_[a-z0-9_]{1,32}_[0-9a-f]{10}$/);
    expect(names[0]).toMatch(/^capture_insert_orders_/);
  });
});
