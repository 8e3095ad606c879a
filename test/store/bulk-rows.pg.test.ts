import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bulkRows } from '../../src/store/bulk-rows.ts';
import { useTestDatabase } from '../support/test-database.ts';

const db = useTestDatabase();

type Row = {
  readonly id: string;
  readonly name: string | null;
  readonly owner: string | null;
  readonly age: number;
  readonly done: boolean;
};

const rowsOf = bulkRows<Row>({ name: 'id', type: 'uuid', of: ({ id }) => id }, [
  { name: 'name', type: 'text', of: ({ name }) => name },
  { name: 'owner', type: 'uuid', of: ({ owner }) => owner },
  { name: 'age', type: 'int', of: ({ age }) => age },
  { name: 'done', type: 'bool', of: ({ done }) => done },
]);

/** What the server makes of the rows, behind a parameter of the statement's own. */
async function received(rows: readonly Row[]): Promise<Row[]> {
  const result = await db.database.pool.query<Row>(
    `select id, name, owner, age, done from ${rowsOf.from(2)} where id <> $1::uuid order by id`,
    ['00000000-0000-0000-0000-000000000000', ...rowsOf.parameters(rows)],
  );
  return result.rows;
}

const id = fc.uuid();
const nameOrNull = fc.option(fc.constantFrom('', 'ann', 'Grüße 👋', 'null', '{}'));
const age = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const others = fc.record({ name: nameOrNull, owner: fc.option(id), age, done: fc.boolean() });
const anyRows = fc.uniqueArray(
  fc.tuple(id, others).map(([own, rest]) => ({ id: own, ...rest })),
  { selector: (row) => row.id },
);
/** All have the same in some columns. */
const alikeRows = fc
  .tuple(anyRows, others, fc.subarray(['name', 'owner', 'age', 'done'] as const))
  .map(([rows, shared, columns]) =>
    rows.map((row): Row => ({ ...row, ...Object.fromEntries(columns.map((column) => [column, shared[column]])) })),
  );

describe('bulkRows', () => {
  test('arrive as they were given: columns that differ, are the same, are null here and there or throughout, no rows', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(anyRows, alikeRows), async (rows) => {
        expect(await received(rows)).toEqual(rows.toSorted((a, b) => (a.id < b.id ? -1 : 1)));
      }),
      { examples: [[[]]] },
    );
  });

  test('send what all rows have in common once', () => {
    const rows = Array.from({ length: 3 }, (_, index) => ({
      id: `00000000-0000-0000-0000-00000000000${index}`,
      name: 'ann',
      owner: null,
      age: 0,
      done: false,
    }));
    const [ids, ...rest] = rowsOf.parameters(rows);
    expect(ids).toBeInstanceOf(Buffer);
    expect(rest).toEqual([null, null, null, null, 'ann', null, 0, false]);
    expect(rest).toHaveLength(rowsOf.size - 1);
  });
});
