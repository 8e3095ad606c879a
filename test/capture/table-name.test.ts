import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseTableName } from '../../src/capture/table-name.ts';
import { unwrap } from '../../src/model/result.ts';
import { writeTableName } from '../../src/store/capture-registry.ts';

describe('parseTableName', () => {
  test.each([
    ['orders', null, 'orders'],
    ['public.Orders', 'public', 'orders'],
    ['Sales."Order Lines"', 'sales', 'Order Lines'],
    ['"a.b"."c""d"', 'a.b', 'c"d'],
    ['_x$1.größe', '_x$1', 'größe'],
  ])('reads %s as SQL does', (text, schemaName, tableName) => {
    expect(unwrap(parseTableName(text))).toEqual({ schemaName, tableName });
  });

  test.each(['', '.', 'a.', '.a', 'a b', 'a..b', '"a', 'a"b"', 'a.b.c', '1a', '""', 'a;drop table b', 'a.*'])(
    'refuses %j and says how to write it',
    (text) => {
      const result = parseTableName(text);
      expect(result.ok ? result.value : result.error).toMatchObject({ code: 'invalid', issues: [{ path: 'table' }] });
    },
  );

  test('reads back every name that writeTableName writes', () => {
    const name = fc
      .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
      .filter((text) => !text.includes('\u0000'));
    fc.assert(
      fc.property(name, name, (schemaName, tableName) => {
        expect(unwrap(parseTableName(writeTableName({ schemaName, tableName })))).toEqual({ schemaName, tableName });
      }),
    );
  });
});
